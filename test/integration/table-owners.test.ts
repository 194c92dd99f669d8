// A table that several processes store in at once: it is one asset's, told apart in one way, and its partitions wait for nobody.
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import type { StoreContext } from '../../lib/io/io-manager.port.js';
import { Partitions } from '../../lib/partitions/partitions.js';
import { gate } from '../behaviour/graph.js';
import { valueStores, type Store } from './value-stores.js';

const stores = valueStores();
const UNFIT = { code: 'FLOWSTONE_IO_TABLE_UNFIT' };
const daily = { scheme: Partitions.daily({ start: '2001-01-01' }) };
const monthly = { scheme: Partitions.monthly({ start: '2001-01-01' }) };

/** The stores of processes of their own. */
function processes(kind: string, name: string, count: number): Store[] {
  const [, make] = stores.kinds.find(([each]) => each === kind)!;
  return Array.from({ length: count }, () => {
    const store = make(name);
    store.options = { table: `owners.${name}`, columns: { n: 'integer' }, partitionColumn: 'day' };
    return store;
  });
}

/** A store that has written its rows and waits with the commit. */
async function halfway(store: Store, more: Partial<StoreContext>) {
  const written = gate();
  const ending = gate();
  const holds = async () => {
    written.open();
    await ending.opened;
    return true;
  };
  const stored = store.store([{ n: 1 }], { ...more, holds });
  await written.opened;
  return { stored, commit: () => ending.open() };
}

async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const settled = promise.then(
    () => false,
    () => false,
  );
  return Promise.race([settled, pause(300, true)]);
}

describe('a table that several store in at once', () => {
  it.each([
    ['another layout', { partition: '2001-02', slice: () => monthly }],
    ['another asset', { partition: '2001-01-02', slice: () => daily, asset: 'stranger' }],
    ['another namespace', { partition: '2001-01-02', slice: () => daily, namespace: 'elsewhere' }],
  ])('is not stored in for %s, once there is something, and else goes on', async (what, other) => {
    const [first, second, third] = processes('another database', what.replace(' ', '_'), 3) as [Store, Store, Store];
    const { stored, commit } = await halfway(first, { partition: '2001-01-01', slice: () => daily });
    const waiting = second.store([{ n: 2 }], other);
    expect(await isPending(waiting)).toBe(true);
    // Beside a store that has not ended, and one that waits for it.
    const beside = { partition: '2001-01-03', slice: () => daily };
    const { location } = await third.store([{ n: 3 }], beside);
    expect(await isPending(waiting)).toBe(true);
    commit();
    await expect(waiting).rejects.toMatchObject(UNFIT);
    const place = { ...first.place, partition: '2001-01-01', location: (await stored).location };
    expect(await first.manager.load(place)).toEqual([{ n: 1 }]);
    expect(await third.load(location, beside)).toEqual([{ n: 3 }]);
  });

  it.each(stores.kinds.map(([kind]) => kind))('goes to who comes first while it is empty (%s)', async (kind) => {
    const [days, months] = processes(kind, `empty_${kind.replaceAll(' ', '_')}`, 2) as [Store, Store];
    const ofDays = { partition: '2001-01-01', slice: () => daily };
    const ofMonths = { partition: '2001-01', slice: () => monthly };
    for (const [store, more] of [
      [days, ofDays],
      [months, ofMonths],
    ] as const) {
      const { location } = await store.store([{ n: 0 }], more);
      await store.manager.delete({ ...store.place, ...more, location });
    }
    // Neither looks at the table anew.
    const { location } = await days.store([{ n: 1 }], ofDays);
    await expect(months.store([{ n: 2 }], ofMonths)).rejects.toMatchObject(UNFIT);
    await expect(months.store([{ n: 2 }], { ...ofMonths, partition: '2001-02' })).rejects.toMatchObject(UNFIT);
    expect(await days.load(location, ofDays)).toEqual([{ n: 1 }]);
  });
});
