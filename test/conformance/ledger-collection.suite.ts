// Retention: turns, condemned values, removed records, and all that must not be.
import { expect, it } from '@jest/globals';
import type { VersionPolicies } from '../../lib/ledger/collection.port.js';
import type { Claim } from '../../lib/ledger/work.js';
import type { VersionPolicy } from '../../lib/ledger/records.js';
import { attempt, success, type World } from './ledger.fixture.js';

const ACT = { actor: null, reason: null };
const DAY = 24 * 3_600_000;
const LEASE = 60_000;
/** So that each test meets the ends of pages. */
const LIMIT = 2;

const keep = (policy: VersionPolicy): VersionPolicies => ({ byAsset: new Map([['a', policy]]), otherwise: policy });

export function collectionBehaviours(world: () => World): void {
  const ledger = () => world().ledger.collection;

  const ago = async (milliseconds: number): Promise<Date> =>
    new Date((await world().ledger.now()).getTime() - milliseconds);
  /** Computes `a` anew; returns its claim. */
  const computeA = async (...consumed: Claim[]): Promise<Claim> => {
    await world().run([{ asset: 'a', forced: true }]);
    const claim = await world().claimOne();
    await world().succeed(claim, { consumed: consumed.map(({ id }) => id) });
    return claim;
  };
  const computeAll = async (count: number): Promise<Claim[]> => {
    const claims: Claim[] = [];
    for (let n = 0; n < count; n++) claims.push(await computeA());
    return claims;
  };
  const condemn = async (policy: VersionPolicy): Promise<void> => {
    while ((await ledger().condemn(keep(policy), LIMIT)) > 0);
  };
  /** Values that may be deleted now. */
  const deletable = async (): Promise<number[]> => {
    const ids: number[] = [];
    for (const collection of await ledger().freeCollections()) {
      for (let after = 0; ;) {
        const page = await ledger().condemned(collection, after, LIMIT);
        ids.push(...page.map(({ materialization }) => materialization));
        if (page.length < LIMIT) break;
        after = ids.at(-1)!;
      }
    }
    return ids.sort((a, b) => a - b);
  };
  const deleteValues = async (): Promise<void> => {
    const collections = await ledger().freeCollections();
    await ledger().markGone(await deletable());
    for (const collection of collections) await ledger().closeCollection(collection);
  };
  const removeRecords = async (before: Date): Promise<void> => {
    while ((await ledger().removeRecords(before, LIMIT)).judged > 0);
  };
  /** What a pass does with runs that ended before this moment. */
  const removeRuns = async (): Promise<readonly number[]> => {
    await world().pass(1000);
    const before = await ago(500);
    const all: number[] = [];
    for (let after: number | null = 0; after !== null;) {
      const { runs, next }: Awaited<ReturnType<World['ledger']['collection']['expiredRuns']>> =
        await ledger().expiredRuns(before, after, LIMIT);
      after = next;
      all.push(...runs);
      let from: Awaited<ReturnType<World['ledger']['collection']['removeMaterializations']>>['next'] = null;
      do from = (await ledger().removeMaterializations(runs, from, LIMIT)).next;
      while (from !== null);
      while ((await ledger().removeRunEvents(runs, LIMIT)) === LIMIT);
      expect(await ledger().removeRuns(runs)).toBe(runs.length);
    }
    await removeRecords(before);
    return all;
  };
  const recorded = async (...claims: Claim[]): Promise<boolean[]> =>
    Promise.all(claims.map(async ({ id }) => (await world().ledger.materialization(id)) !== undefined));
  const valueRemoved = async (...claims: Claim[]): Promise<(boolean | undefined)[]> =>
    Promise.all(claims.map(async ({ id }) => (await world().ledger.materialization(id))?.valueRemoved));

  it('gives the turn to one process at a time, when it is due', async () => {
    expect(await ledger().takeTurn('one', { lease: LEASE, now: false })).toMatchObject({ orphansDue: true });
    expect(await ledger().takeTurn('two', { lease: LEASE, now: false })).toBeUndefined();
    expect(await ledger().takeTurn('two', { lease: LEASE, now: true })).toBeUndefined();
    expect(await ledger().keepTurn('one', LEASE)).toBe(true);
    expect(await ledger().keepTurn('two', LEASE)).toBe(false);
    await ledger().endTurn('one', { every: 3_600_000, orphans: DAY });
    expect(await ledger().takeTurn('two', { lease: LEASE, now: false })).toBeUndefined();
    expect(await ledger().takeTurn('two', { lease: LEASE, now: true })).toMatchObject({ orphansDue: false });
    await ledger().endTurn('two', { every: 3_600_000, orphans: null });
    await world().pass(DAY);
    expect(await ledger().takeTurn('one', { lease: LEASE, now: false })).toMatchObject({ orphansDue: true });
  });

  it('gives the turn of a process that is silent for its lease to another', async () => {
    await ledger().takeTurn('one', { lease: LEASE, now: false });
    await world().pass(LEASE);
    expect(await ledger().takeTurn('two', { lease: LEASE, now: false })).toBeDefined();
    expect(await ledger().keepTurn('one', LEASE)).toBe(false);
    await ledger().endTurn('one', { every: 0, orphans: null });
    expect(await ledger().keepTurn('two', LEASE)).toBe(true);
  });

  it('keeps the newest versions, the head among them', async () => {
    const all = await computeAll(7);
    await condemn({ keep: 3 });
    expect(await deletable()).toEqual(all.slice(0, 4).map(({ id }) => id));
    expect(await valueRemoved(...all)).toEqual([true, true, true, true, false, false, false]);
    all.push(await computeA());
    await condemn({ keep: 3 });
    expect(await deletable()).toEqual(all.slice(0, 5).map(({ id }) => id));
  });

  it('keeps versions for a time after they were superseded', async () => {
    const [first, second, head] = await computeAll(3);
    await condemn({ age: DAY });
    expect(await deletable()).toEqual([]);
    await world().pass(DAY);
    const last = await computeA();
    await condemn({ age: DAY });
    expect(await deletable()).toEqual([first!.id, second!.id]);
    expect(await valueRemoved(head!, last)).toEqual([false, false]);
  });

  it('judges anew when the policy changes', async () => {
    const all = await computeAll(6);
    await condemn('all');
    expect(await deletable()).toEqual([]);
    await condemn({ keep: 4 });
    expect(await deletable()).toEqual(all.slice(0, 2).map(({ id }) => id));
    await condemn({ age: 0 });
    expect(await deletable()).toEqual(all.slice(0, 5).map(({ id }) => id));
    expect(await valueRemoved(all[5]!)).toEqual([false]);
  });

  it('says whose value is condemned, and where it lies', async () => {
    await world().run([{ asset: 'p', partition: 'x' }]);
    const claim = await world().claimOne();
    await world().succeed(claim);
    await world().ledger.deleteHeads([{ asset: 'p', partitions: 'all' }], ACT);
    const [collection] = await ledger().freeCollections();
    expect(await ledger().condemned(collection!, 0, LIMIT)).toEqual([
      { materialization: claim.id, asset: 'p', partition: 'x', value: success(claim).value },
    ]);
    expect(await valueRemoved(claim)).toEqual([true]);
  });

  it('spares values while an attempt runs that may have pinned them', async () => {
    const old = await computeA();
    await world().run([{ asset: 'b' }]);
    const reader = await world().claimOne();
    await computeA();
    await condemn({ keep: 1 });
    expect(await deletable()).toEqual([]);
    await world().run([{ asset: 'c' }]);
    await world().claimOne();
    await world().succeed(reader, { consumed: [old.id] });
    // Who claimed after the head had moved pinned the new one.
    expect(await deletable()).toEqual([old.id]);
  });

  it('holds them no longer for an attempt that was taken from its process', async () => {
    const old = await computeA();
    await world().run([{ asset: 'b' }]);
    await world().claimOne();
    await world().register('three');
    await world().run([{ asset: 'a', forced: true }]);
    await world().succeed(await world().claimOne('three'));
    await condemn({ keep: 1 });
    expect(await deletable()).toEqual([]);
    await world().ledger.unregister('one');
    expect(await world().claim('two')).toHaveLength(1);
    expect(await deletable()).toEqual([old.id]);
  });

  it('records what was deleted once, and forgets the collection', async () => {
    await computeAll(4);
    await condemn({ keep: 1 });
    await deleteValues();
    expect(await ledger().freeCollections()).toEqual([]);
    await condemn({ keep: 1 });
    expect(await deletable()).toEqual([]);
  });

  it('removes runs that have ended, with what nothing refers to', async () => {
    const [old, head] = await computeAll(2);
    const failed = await world().run([{ asset: 'b' }, { asset: 'c', upstreams: [0] }]);
    await world().fail(await world().claimOne());
    const open = await world().run([{ asset: 'd' }]);
    await condemn({ keep: 1 });
    await deleteValues();
    const removed = await removeRuns();
    expect(removed).toEqual([old!.run, head!.run, failed.id]);
    expect(await recorded(old!, head!)).toEqual([false, true]);
    expect((await world().ledger.runs({}, { limit: 9 })).items.map(({ id }) => id)).toEqual([open.id]);
    expect((await world().ledger.materializations({}, { limit: 9 })).items.map(({ asset }) => asset)).toEqual([
      'd',
      'a',
    ]);
    expect((await world().ledger.events({ run: failed.id }, { limit: 9 })).items).toEqual([]);
    expect((await world().ledger.events({ run: open.id }, { limit: 9 })).items).not.toEqual([]);
    expect(await world().headOf('a')).toMatchObject({ materialization: head!.id, value: success(head!).value });
  });

  it('keeps records whose values are kept, and removes them after these, without their run', async () => {
    const all = await computeAll(3);
    await condemn({ keep: 2 });
    await deleteValues();
    await removeRuns();
    expect(await recorded(...all)).toEqual([false, true, true]);
    await condemn({ keep: 1 });
    await deleteValues();
    await removeRuns();
    expect(await recorded(...all)).toEqual([false, false, true]);
  });

  it('keeps the records that heads consumed; older provenance ends there', async () => {
    const first = await computeA();
    const second = await computeA(first);
    await world().run([{ asset: 'b' }]);
    const b = await world().claimOne();
    await world().succeed(b, { consumed: [second.id] });
    const third = await computeA(second);
    await condemn({ keep: 1 });
    await deleteValues();
    await removeRuns();
    expect(await recorded(first, second, b, third)).toEqual([false, true, true, true]);
    const consumed = await world().ledger.consumed([second.id, b.id, third.id]);
    expect(consumed.get(second.id)).toEqual([{ materialization: first.id, removed: 'by retention' }]);
    expect(consumed.get(b.id)).toMatchObject([{ materialization: second.id, asset: 'a' }]);
    // Once no head consumed it, it goes as well.
    await computeA(third);
    await world().run([{ asset: 'b', forced: true }]);
    await world().succeed(await world().claimOne(), { consumed: [third.id] });
    await condemn({ keep: 1 });
    await deleteValues();
    await removeRuns();
    expect(await recorded(first, second, b, third)).toEqual([false, false, false, true]);
  });

  it('keeps runs that are open, or of which a retry is', async () => {
    const failed = await world().run([{ asset: 'b' }]);
    await world().fail(await world().claimOne());
    const retry = await world().run([{ asset: 'b' }], { retryOf: failed.id });
    expect(await removeRuns()).toEqual([]);
    await world().succeed(await world().claimOne());
    expect(await removeRuns()).toEqual([failed.id, retry.id]);
  });

  it('keeps runs that ended too lately', async () => {
    const { run } = await computeA();
    expect(await ledger().expiredRuns(await ago(DAY), 0, LIMIT)).toEqual({ runs: [], next: null });
    await world().pass(DAY + 1000);
    expect(await ledger().expiredRuns(await ago(DAY), 0, LIMIT)).toMatchObject({ runs: [run] });
  });

  it('lets run keys outlive their runs', async () => {
    const run = await world().run([{ asset: 'a' }], { runKey: 'once', tags: { by: 'hand' } });
    await world().succeed(await world().claimOne());
    const ended = (await world().ledger.run(run.id))!;
    await removeRuns();
    expect((await world().ledger.runs({}, { limit: 9 })).items).toEqual([]);
    const again = await world().ledger.insertRun({ ...run, retryOf: null });
    expect(again).toMatchObject({ created: false, claims: [], run: { id: run.id, status: 'success' } });
    const kept = (await world().ledger.runByKey('once'))!;
    expect(kept).toEqual({ ...ended, createdAt: expect.any(Date), completedAt: expect.any(Date) });
    const other = world().ledger.insertRun({ ...run, priority: 5 });
    await expect(other).rejects.toMatchObject({ code: 'FLOWSTONE_RUN_KEY_CONFLICT' });
  });

  it('removes reported versions once they are superseded and old', async () => {
    const report = (dataVersion: string) =>
      world().ledger.reportVersion({ asset: 'a', partition: '', dataVersion, metadata: null }, ACT);
    const [first, second] = [await report('1'), await report('2')];
    await condemn({ keep: 1 });
    await deleteValues();
    await removeRecords(await ago(DAY));
    expect(await world().ledger.materialization(first)).toBeDefined();
    await world().pass(2 * DAY);
    await removeRecords(await ago(DAY));
    expect(await world().ledger.materialization(first)).toBeUndefined();
    expect(await world().ledger.materialization(second)).toBeDefined();
  });

  it('removes keys of pools with their last run, when they stand as they began', async () => {
    const rate = { count: 2, period: 60_000 };
    await world().ledger.register(
      { id: 'one', host: 'here', pid: 1, worker: true, lease: LEASE },
      [
        {
          ...{ key: 'k', formerly: [], hash: 'hash of k', partitioned: true, upstreams: '', definition: { key: 'k' } },
          ...{ pool: 'api', dimensions: ['tenant', 'day'] },
        },
      ],
      [{ name: 'api', concurrency: null, rate: null, perKey: { dimension: 'tenant', concurrency: 1, rate } }],
    );
    const removeKeys = async (): Promise<number> => {
      let all = 0;
      for (let after: number | null = 0; after !== null;) {
        const { removed, next }: { removed: number; next: number | null } = await ledger().removeKeys(after, LIMIT);
        all += removed;
        after = next;
      }
      return all;
    };
    const entriesOf = (...partitions: string[]) =>
      partitions.map((partition) => ({ asset: 'k', partition, forced: true }));
    const claim = (): Promise<readonly Claim[]> => world().claim('one', { assets: ['k'] });
    await world().run(entriesOf('x|1', 'y|1', 'z|1'));
    const claims = await claim();
    expect(claims).toHaveLength(3);
    for (const one of claims) await world().succeed(one);
    await world().pass(DAY);
    expect(await removeKeys()).toBe(0);
    const open = await world().run(entriesOf('z|1'));
    await removeRuns();
    expect(await removeKeys()).toBe(2);
    expect(await removeKeys()).toBe(0);
    await world().run(entriesOf('x|1', 'x|2', 'x|3'));
    // Two tokens at once, one place.
    const [z, x] = await claim();
    expect([z, x]).toMatchObject([{ run: open.id }, { partition: 'x|1' }]);
    for (const one of [z!, x!]) await world().succeed(one);
    for (const one of await claim()) await world().succeed(one);
    expect(await claim()).toEqual([]);
    await world().ledger.cancelRun(x!.run, { ...ACT, grace: 0 });
    await removeRuns();
    // Of z a token is missing, of x two.
    expect(await removeKeys()).toBe(0);
    await world().pass(30_000);
    expect(await removeKeys()).toBe(1);
    await world().pass(30_000);
    expect(await removeKeys()).toBe(1);
  });

  it('removes events by age', async () => {
    const [old] = await computeAll(2);
    const { items } = await world().ledger.events({}, { limit: 100 });
    const remove = async (): Promise<number> => {
      let sum = 0;
      // Where the database is shared, events of other namespaces come before.
      for (let after: number | null = items.at(-1)!.id - 1; after !== null;) {
        const step: { removed: number; next: number | null } = await ledger().removeEvents(await ago(DAY), after, 3);
        sum += step.removed;
        after = step.next;
      }
      return sum;
    };
    expect(await remove()).toBe(0);
    await world().pass(DAY + 1000);
    const young = await computeA();
    expect(await remove()).toBe(items.length);
    expect(await world().eventKinds(old!.run)).toEqual([]);
    expect(await world().eventKinds(young.run)).toHaveLength(4);
  });

  it('removes events of materializations that ended together, and counts each', async () => {
    const together = async (): Promise<number> => {
      const { id } = await world().run(['x', 'y', 'z'].map((partition) => ({ asset: 'p', partition })));
      await world().settle(...(await world().claim()).map((claim) => success(claim)));
      return id;
    };
    const events = async (run: number): Promise<number> => (await world().eventKinds(run)).length;
    const [first, second] = [await together(), await together()];
    const { items } = await world().ledger.events({ run: second }, { limit: 100 });
    let removed = 0;
    for (let some = 2; some >= 2; removed += some) some = await ledger().removeRunEvents([first], 2);
    expect(removed).toBe(6);
    expect([await events(first), await events(second)]).toEqual([0, 6]);
    await world().pass(DAY + 1000);
    // Where the database is shared, events of other namespaces come before.
    expect(await ledger().removeEvents(await ago(DAY), items.at(-1)!.id - 1, 100)).toMatchObject({ removed: 6 });
    expect(await events(second)).toBe(0);
  });

  it('tells which attempts can never commit any more', async () => {
    await world().run([{ asset: 'a' }, { asset: 'b' }, { asset: 'c' }, { asset: 'd' }, { asset: 'p', partition: 'x' }]);
    const [a, b, c, d, p] = await world().claim();
    await world().succeed(a!);
    await world().fail(b!);
    await world().settle({ kind: 'handed_back', ...attempt(c!) });
    await world().retry(d!, 1000);
    const names = [a!, b!, c!, d!, p!].flatMap(({ id }) => [0, 1, 2].map((epoch) => ({ materialization: id, epoch })));
    const dead = await ledger().unreachable([...names, { materialization: 10 ** 9, epoch: 1 }]);
    const told = dead.map(({ materialization, epoch, asset, partition }) => [
      materialization - a!.id,
      epoch,
      asset,
      partition,
    ]);
    expect(told.sort()).toEqual([
      [0, 0, 'a', undefined],
      [1, 0, 'b', undefined],
      [1, 1, 'b', undefined],
      [2, 0, 'c', undefined],
      [2, 1, 'c', undefined],
      [3, 0, 'd', undefined],
      [3, 1, 'd', undefined],
      [4, 0, 'p', 'x'],
    ]);
  });
}
