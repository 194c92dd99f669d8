// Pools seen from outside: what user code of several applications on one ledger records of itself.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { Asset, currentContext, Partitions, type FlowStoneOptions } from '../../lib/index.js';
import { gate, startApp } from '../behaviour/graph.js';
import { testStorage, type TestStorage } from '../behaviour/storages.js';

let storage: TestStorage;
let apps: Awaited<ReturnType<typeof startApp>>[] = [];
let running = 0;
let most = 0;
let starts: number[] = [];
let work: () => Promise<void>;

beforeEach(async () => {
  storage = await testStorage('postgres');
  [running, most, starts, apps] = [0, 0, [], []];
  work = () => sleep(4);
});
afterEach(async () => {
  await Promise.all(apps.map(({ app }) => app.close()));
  await storage.remove();
});

const KEYS = Array.from({ length: 40 }, (_, index) => `k${index}`);

async function record(): Promise<number> {
  starts.push(performance.now());
  most = Math.max(most, ++running);
  await work();
  return running--;
}

@Asset({ pool: 'narrow', partitions: Partitions.static(KEYS) })
class One {
  execute = record;
}

@Asset({ pool: 'narrow', partitions: Partitions.static(KEYS) })
class Other {
  execute = record;
}

@Asset({
  pool: 'narrow',
  partitions: Partitions.multi({ tenant: Partitions.static(['flood', 'small']), call: Partitions.static(KEYS) }),
})
class Calls {
  execute = record;
}

async function start(count: number, options: FlowStoneOptions): Promise<void> {
  for (let index = 0; index < count; index++)
    apps.push(await startApp([One, Other, Calls], { ...storage.options, ...options }));
}

describe('a pool', () => {
  it('is what is told of a materialization for which it has no place', async () => {
    await start(1, { pools: { narrow: { concurrency: 1 } } });
    const { flowstone } = apps[0]!;
    const first = gate();
    const go = gate();
    work = async () => {
      first.open();
      await go.opened;
    };
    const run = await flowstone.materialize(One, { partitions: ['k1', 'k2'] });
    await first.opened;
    const { items } = await flowstone.materializations(run.id);
    const waits = await Promise.all(items.map(({ id }) => flowstone.whyWaiting(id)));
    expect(waits.filter(Boolean)).toEqual([
      { kind: 'pool_concurrency', message: 'pool narrow (1 of 1 in use)', pool: 'narrow' },
    ]);
    expect(await flowstone.whyWaiting(Number.NaN)).toBeUndefined();
    const waiting = items.find((_, index) => waits[index])!.id;
    expect(await run.waits()).toEqual([{ ...waits.find(Boolean), asset: 'one', waiting }]);
    const plan = await flowstone.plan(Other, { partition: 'k9' });
    expect(await plan.waits()).toEqual([{ ...waits.find(Boolean), asset: 'other' }]);
    const held = items.find((_, index) => !waits[index])!;
    expect(await (await flowstone.plan(One, { partition: held.partition, force: true })).waits()).toEqual([
      {
        ...{ kind: 'holder', materialization: held.id, pool: 'narrow', asset: 'one', partition: held.partition },
        message: `materialization ${held.id} of run ${run.id}, which has the same partition in hand`,
      },
    ]);
    go.open();
    await run.wait();
  });

  it('gives each key its places, over applications, and holds up no other key by one that is full', async () => {
    await start(3, { pools: { narrow: { perKey: { dimension: 'tenant', concurrency: 2 } } }, pollInterval: '50ms' });
    const { flowstone } = apps[0]!;
    const [free, busy] = [gate(), gate()];
    const ofTenant = new Map<string, number>();
    const mostOf = new Map<string, number>();
    work = async () => {
      const tenant = currentContext()!.partition!.dimensions['tenant']!;
      const count = (ofTenant.get(tenant) ?? 0) + 1;
      ofTenant.set(tenant, count);
      mostOf.set(tenant, Math.max(mostOf.get(tenant) ?? 0, count));
      if (tenant === 'flood') {
        if (count === 2) busy.open();
        await free.opened;
      }
      ofTenant.set(tenant, ofTenant.get(tenant)! - 1);
    };
    const flood = await flowstone.materialize(Calls, { partitions: KEYS.map((call) => ({ tenant: 'flood', call })) });
    await busy.opened;
    const small = await apps[1]!.flowstone.materialize(Calls, { partition: { tenant: 'small', call: 'k1' } });
    await small.wait();
    const full = { kind: 'key_concurrency', key: 'flood', message: 'key "flood" of pool narrow (2 of 2 in use)' };
    expect((await flood.waits()).map(({ kind, key, message }) => ({ kind, key, message }))).toEqual([full]);
    const plan = await flowstone.plan(Calls, { partitions: 'all', force: true });
    expect(await plan.waits()).toMatchObject([{ kind: 'holder' }, { kind: 'holder' }, full]);
    free.open();
    await flood.wait();
    expect([...mostOf]).toEqual([
      ['flood', 2],
      ['small', 1],
    ]);
  });

  it('is what no worker is for where none declares the asset', async () => {
    await start(1, { role: 'api' });
    const { flowstone } = apps[0]!;
    const message = 'a worker: no worker declares one';
    expect(await (await flowstone.plan(One, { partition: 'k1' })).waits()).toMatchObject([{ kind: 'worker', message }]);
  });

  it('is never fuller than its concurrency, over applications, assets and runs', async () => {
    await start(3, { pools: { narrow: { concurrency: 3 } }, pollInterval: '50ms' });
    const runs = await Promise.all(
      apps.map(({ flowstone }, index) =>
        flowstone.materialize(index === 1 ? Other : One, { partitions: 'all', force: true }),
      ),
    );
    await Promise.all(runs.map((run) => run.wait()));
    expect(starts.length).toBeGreaterThanOrEqual(2 * KEYS.length);
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(3);
  });

  it('begins no more than its rate, and goes on by itself when tokens come', async () => {
    // Nobody polls: whoever lacks a token has to look again by itself.
    await start(2, { pools: { narrow: { rate: '20/s' } }, pollInterval: '1h' });
    const before = performance.now();
    const run = await apps[0]!.flowstone.materialize(One, { partitions: 'all' });
    await run.wait();
    expect(starts).toHaveLength(KEYS.length);
    // The first 20 at once, the other 20 over a second.
    starts.forEach((at, index) => {
      expect(index).toBeLessThanOrEqual(20 + ((at - before) / 1000) * 20);
    });
  });
});
