// How every ledger gives its log of events to those who read it on and on.
import { expect, it } from '@jest/globals';
import type { EventKind, EventRecord } from '../../lib/ledger/records.js';
import { attempt, type World } from './ledger.fixture.js';

const ACT = { actor: 'mia', reason: 'because' };

export function eventLogBehaviours(here: () => World): void {
  const log = () => here().ledger.eventLog;
  const addKey = (key: string) => here().ledger.addPartitions('days', [key], ACT);
  const keysOf = (events: readonly EventRecord[]) =>
    events.flatMap(({ detail }) => (detail?.['keys'] ?? []) as string[]);
  const all = async (cursor: string, limit = 100, kinds?: readonly EventKind[]) => {
    const found: EventRecord[] = [];
    let pages = 0;
    for (let more = true; more; pages++) {
      const page = await log().since(cursor, limit, kinds);
      found.push(...page.events);
      ({ cursor, more } = page);
    }
    return { found, cursor, pages };
  };

  it('has nothing behind its end', async () => {
    await addKey('before');
    const cursor = await log().cursor();
    expect(await log().since(cursor, 10)).toMatchObject({ events: [], more: false });
  });

  it('gives everything after a cursor once, as it was recorded', async () => {
    const start = await log().cursor();
    await addKey('1');
    const first = await log().since(start, 10);
    expect(first).toMatchObject({
      events: [
        { kind: 'partitions.added', actor: 'mia', run: null, asset: null, detail: { name: 'days', keys: ['1'] } },
      ],
      more: false,
    });
    await addKey('2');
    const second = await log().since(first.cursor, 10);
    expect(keysOf(second.events)).toEqual(['2']);
    expect(await log().since(second.cursor, 10)).toMatchObject({ events: [], more: false });
    // Whoever lost an answer reads the same again.
    expect(keysOf((await log().since(start, 10)).events)).toEqual(['1', '2']);
  });

  it('tells of each materialization by itself, with its asset and partition, as the listing of events does', async () => {
    const start = await log().cursor();
    const run = await here().run(['x', 'y', 'z'].map((partition) => ({ asset: 'p', partition })));
    const claims = await here().claim();
    await here().settle(...claims.map((claim) => ({ ...attempt(claim), kind: 'cancelled' as const })));
    const { found } = await all(start);
    const { items } = await here().ledger.events({ run: run.id }, { limit: 100 });
    expect(found).toEqual(items.toReversed());
    const cancelled = found.filter(({ kind }) => kind === 'materialization.cancelled');
    expect(cancelled.map(({ asset, partition }) => `${asset} ${partition}`).sort()).toEqual(['p x', 'p y', 'p z']);
    expect(new Set(cancelled.map(({ materialization }) => materialization))).toEqual(
      new Set(claims.map(({ id }) => id)),
    );
  });

  it('gives much in pages, none of them twice', async () => {
    const start = await log().cursor();
    const keys = Array.from({ length: 25 }, (_, number) => String(number));
    for (const key of keys) await addKey(key);
    const { found, cursor, pages } = await all(start, 4);
    expect(keysOf(found)).toEqual(keys);
    expect(pages).toBeGreaterThanOrEqual(6);
    expect(new Set(found.map(({ id }) => id)).size).toBe(25);
    expect((await all(cursor)).found).toEqual([]);
  });

  it('passes over kinds that are not asked for', async () => {
    const start = await log().cursor();
    for (const key of ['1', '2', '3']) {
      await addKey(key);
      await here().ledger.removePartitions('days', [key], ACT);
    }
    const { found, cursor } = await all(start, 2, ['partitions.removed']);
    expect(found.map(({ kind }) => kind)).toEqual(Array(3).fill('partitions.removed'));
    expect((await all(cursor)).found).toEqual([]);
    expect((await all(start, 2, ['run.ended'])).found).toEqual([]);
  });

  it('refuses what is no cursor of its own', async () => {
    const own = await log().cursor();
    const [era, place] = own.split(' ');
    for (const cursor of ['', 'nonsense', `${era} `, `${era} 9:1:`, `${era} 5:9:8,7`, `${era} x`, `other ${place}`]) {
      await expect(log().since(cursor, 10)).rejects.toMatchObject({
        code: 'FLOWSTONE_EVENT_CURSOR_LOST',
        context: { reason: 'another ledger' },
      });
    }
  });

  it('refuses a cursor of a future that it has not seen', async () => {
    const [era, place] = (await log().cursor()).split(' ');
    const future = place!.includes(':') ? '900000000000:900000000000:' : '900000000000';
    await expect(log().since(`${era} ${future}`, 10)).rejects.toMatchObject({
      code: 'FLOWSTONE_EVENT_CURSOR_LOST',
      context: { reason: 'set back' },
    });
  });

  it('says so where retention has removed what was not read, and reads on what it has left', async () => {
    const start = await log().cursor();
    await addKey('old');
    await here().pass(60_000);
    const { cursor: middle } = await all(start);
    await addKey('young');
    const before = new Date((await here().ledger.now()).getTime() - 30_000);
    let removed = 0;
    for (let after: number | null = 0; after !== null;) {
      const step: { removed: number; next: number | null } = await here().ledger.collection.removeEvents(
        before,
        after,
        1000,
      );
      removed += step.removed;
      after = step.next;
    }
    expect(removed).toBeGreaterThanOrEqual(1);
    await expect(log().since(start, 10)).rejects.toMatchObject({
      code: 'FLOWSTONE_EVENT_CURSOR_LOST',
      context: { reason: 'removed' },
    });
    expect(keysOf((await all(middle)).found)).toEqual(['young']);
  });

  it('says so where the events of a run went with it', async () => {
    const start = await log().cursor();
    const run = await here().run([]);
    const { cursor: after } = await all(start);
    expect(await here().ledger.collection.removeRunEvents([run.id], 100)).toBeGreaterThan(0);
    await expect(log().since(start, 10)).rejects.toMatchObject({ code: 'FLOWSTONE_EVENT_CURSOR_LOST' });
    expect((await all(after)).found).toEqual([]);
  });
}
