// How every ledger tells which versions came of which.
import { setTimeout as wait } from 'node:timers/promises';
import { expect, it } from '@jest/globals';
import { EDGES_PER_VERSION, type Trace, type Walk } from '../../lib/ledger/lineage.port.js';
import { success, type Entry, type World } from './ledger.fixture.js';

const FAR: Walk = { direction: 'upstream', depth: 1_000_000, most: 1000, at: null };

export function lineageBehaviours(here: () => World): void {
  const lineage = () => here().ledger.lineage;
  const trace = (from: number, walk: Partial<Walk> = {}) => lineage().trace(from, { ...FAR, ...walk });
  const down = (from: number, walk: Partial<Walk> = {}) => trace(from, { direction: 'downstream', ...walk });
  /** One version of an asset that consumed these. */
  async function version(entry: Entry, consumed: readonly number[] = [], took = 0): Promise<number> {
    await here().run([entry]);
    const claim = await here().claimOne();
    await here().succeed(claim, { consumed, startedAt: await ago(took) });
    return claim.id;
  }
  const ids = ({ versions }: Trace) => versions.map(({ materialization, depth }) => [materialization, depth]);
  const links = ({ edges }: Trace) => edges.map(({ upstream, downstream }) => [upstream, downstream]);
  const moment = async (id: number) => (await here().ledger.materialization(id))!.completedAt!;
  /** Time passes, by whatever clock the ledger has. */
  const later = async () => {
    await here().pass(5);
    await wait(5);
  };
  const ago = async (ms: number) => new Date((await here().ledger.now()).getTime() - ms);

  it('follows what was consumed, each version once at its nearest, with the edges', async () => {
    const a = await version({ asset: 'a' });
    const b = await version({ asset: 'b' }, [a]);
    const p = await version({ asset: 'p', partition: 'x' }, [a]);
    const c = await version({ asset: 'c' }, [a, b, p]);
    const up = await trace(c);
    expect(ids(up)).toEqual([
      [c, 0],
      [a, 1],
      [b, 1],
      [p, 1],
    ]);
    expect(links(up)).toEqual([
      [a, c],
      [b, c],
      [p, c],
      [a, b],
      [a, p],
    ]);
    expect(up.truncated).toBe(false);
    const record = await here().ledger.materialization(p);
    expect(up.versions[3]).toEqual({
      ...{ materialization: p, depth: 1, asset: 'p', partition: 'x', dataVersion: `v${p}`, codeVersion: '1' },
      ...{ hash: 'h', completedAt: record!.completedAt, run: record!.run },
    });
    const consumers = await down(a);
    expect(ids(consumers)).toEqual([
      [a, 0],
      [b, 1],
      [p, 1],
      [c, 1],
    ]);
    expect(links(consumers)).toEqual([
      [a, b],
      [a, p],
      [a, c],
      [b, c],
      [p, c],
    ]);
  });

  it.each([1, 2, 17])('stops after %i steps, and does not call that truncated', async (depth) => {
    const chain: number[] = [];
    for (let step = 0; step < 20; step++) {
      chain.push(await version({ asset: 'p', partition: `${step}` }, chain.slice(-1)));
    }
    const up = await trace(chain.at(-1)!, { depth });
    expect(ids(up)).toEqual(
      chain
        .toReversed()
        .slice(0, depth + 1)
        .map((id, at) => [id, at]),
    );
    expect(up.edges).toHaveLength(depth);
    expect(up.truncated).toBe(false);
    expect(ids(await down(chain[0]!, { depth }))).toEqual(chain.slice(0, depth + 1).map((id, at) => [id, at]));
    expect((await trace(chain.at(-1)!, { depth: 1_000_000 })).versions).toHaveLength(20);
  });

  it.each([5, 1_000_000])('meets the nearest where there are too many, %i steps deep, and says so', async (depth) => {
    const a = await version({ asset: 'a' });
    const middle = [
      await version({ asset: 'p', partition: 'x' }, [a]),
      await version({ asset: 'p', partition: 'y' }, [a]),
      await version({ asset: 'p', partition: 'z' }, [a]),
    ];
    const c = await version({ asset: 'c' }, middle);
    const up = await trace(c, { depth, most: 3 });
    expect(ids(up)).toEqual([
      [c, 0],
      [middle[0], 1],
      [middle[1], 1],
    ]);
    expect(up.truncated).toBe(true);
    expect((await trace(c, { depth, most: 4 })).truncated).toBe(true);
    expect((await trace(c, { depth, most: 5 })).truncated).toBe(false);
    expect(ids(await down(a, { depth, most: 2 }))).toEqual([
      [a, 0],
      [middle[0], 1],
    ]);
  });

  it('returns so many edges at most', async () => {
    const consumed: number[] = [];
    for (let n = 0; n < 4; n++) {
      const partitions = Array.from({ length: 6 }, (_, at) => `${n} ${at}`);
      await here().run(partitions.map((partition) => ({ asset: 'p', partition })));
      const claims = await here().claim();
      const above = consumed.slice(-6);
      await here().settle(...claims.map((claim) => success(claim, { consumed: above })));
      consumed.push(...claims.map(({ id }) => id).sort((a, b) => a - b));
    }
    const c = await version({ asset: 'c' }, consumed.slice(-6));
    expect((await trace(c)).edges).toHaveLength(6 + 3 * 36);
    const cut = await trace(c, { most: 25 });
    expect(cut.truncated).toBe(false);
    const fewer = await trace(c, { most: 7 });
    expect(fewer.edges.length).toBeLessThanOrEqual(7 * EDGES_PER_VERSION);
    expect(fewer.versions).toHaveLength(7);
    expect(fewer.truncated).toBe(true);
  });

  it('takes for provenance neither what only orders nor plans of what did not succeed', async () => {
    const a = await version({ asset: 'a' });
    await here().run([{ asset: 'b' }, { asset: 'c', upstreams: [0] }, { asset: 'd', upstreams: [0] }]);
    const b = await here().claimOne();
    await here().succeed(b, { consumed: [a] });
    const [c, d] = (await here().claim()).toSorted((one, other) => (one.asset < other.asset ? -1 : 1));
    await here().succeed(c!, { consumed: [] });
    await here().fail(d!);
    expect(ids(await down(a))).toEqual([
      [a, 0],
      [b.id, 1],
    ]);
    expect(ids(await trace(c!.id))).toEqual([[c!.id, 0]]);
  });

  it('knows what was the head at a moment, and what had consumed it by then', async () => {
    const first = await version({ asset: 'a' });
    await later();
    const early = await version({ asset: 'b' }, [first]);
    await later();
    const second = await version({ asset: 'a' });
    await later();
    const late = await version({ asset: 'c' }, [first]);
    const at = await moment(early);
    expect(await lineage().versionAt('a', '', at)).toBe(first);
    expect(await lineage().versionAt('a', '', await moment(second))).toBe(second);
    expect(await lineage().versionAt('a', '', new Date(0))).toBeUndefined();
    expect(await lineage().versionAt('a', 'x', new Date())).toBeUndefined();
    expect(await lineage().versionAt('nobody', '', new Date())).toBeUndefined();
    expect(ids(await down(first, { at })).map(([id]) => id)).toEqual([first, early]);
    expect(ids(await down(first)).map(([id]) => id)).toEqual([first, early, late]);
  });

  it('says where retention removed a record', async () => {
    await version({ asset: 'a' });
    const b = await version({ asset: 'b' }, [999_999_999]);
    const up = await trace(b);
    expect(up.versions[1]).toEqual({ materialization: 999_999_999, depth: 1, removed: 'by retention' });
  });

  it('finds the heads that consumed a version', async () => {
    const a = await version({ asset: 'a' });
    await version({ asset: 'b' }, [a]);
    const b = await version({ asset: 'b' }, [a]);
    const p = await version({ asset: 'p', partition: 'x' }, [a, b]);
    expect(await lineage().headConsumers([b, a])).toEqual([
      { consumed: a, materialization: b, asset: 'b', partition: '' },
      { consumed: a, materialization: p, asset: 'p', partition: 'x' },
      { consumed: b, materialization: p, asset: 'p', partition: 'x' },
    ]);
  });

  it('knows how long the newest successes took', async () => {
    for (const seconds of [100, 200, 300]) await version({ asset: 'a' }, [], seconds * 1000);
    for (const [partition, seconds] of Object.entries({ x: 10, y: 20, z: 30 })) {
      await version({ asset: 'p', partition }, [], seconds * 1000);
    }
    await here().run([{ asset: 'p', partition: 'zz' }]);
    await here().fail(await here().claimOne());
    await here().ledger.reportVersion(
      { asset: 'b', partition: '', dataVersion: '1', metadata: null },
      { actor: null, reason: null },
    );
    const seconds = async (most: number) => {
      const found = await lineage().durations(['a', 'b', 'p', 'nobody'], most);
      return Object.fromEntries([...found].map(([key, list]) => [key, list.map((ms) => Math.round(ms / 1000))]));
    };
    expect(await seconds(20)).toEqual({ a: [300, 200, 100], p: [30, 20, 10] });
    expect(await seconds(2)).toEqual({ a: [300, 200], p: [30, 20] });
  });

  it('tells in what two runs differ', async () => {
    const runOf = async (
      partitions: Readonly<Record<string, { dataVersion?: string; inputs?: string; took?: number; fails?: boolean }>>,
    ) => {
      const entries = Object.keys(partitions).map((partition) => ({ asset: 'p', partition }));
      const { id } = await here().run(entries);
      for (const claim of await here().claim()) {
        const { fails, dataVersion = '1', inputs = 'i', took = 0 } = partitions[claim.partition]!;
        if (fails === true) await here().fail(claim);
        else await here().succeed(claim, { dataVersion, inputs, startedAt: await ago(took) });
      }
      return id;
    };
    const a = await runOf({ same: {}, data: {}, inputs: {}, slow: { took: 2000 }, failed: {}, mine: {} });
    const b = await runOf({
      ...{ same: { took: 500 }, data: { dataVersion: '2' }, inputs: { inputs: 'j' }, slow: { took: 60_000 } },
      ...{ failed: { fails: true }, theirs: {} },
    });
    const comparison = await lineage().compareRuns(a, b, 100);
    expect(comparison).toMatchObject({ same: 1, differing: 4, onlyA: 1, onlyB: 1 });
    expect(comparison.differences.map(({ partition }) => partition)).toEqual([
      ...['data', 'inputs', 'slow', 'failed', 'mine', 'theirs'],
    ]);
    const [data, , slow, failed, mine, theirs] = comparison.differences;
    expect(data).toMatchObject({ asset: 'p', a: { dataVersion: '1' }, b: { dataVersion: '2', status: 'success' } });
    expect(Math.round(slow!.b!.duration! / 1000)).toBe(60);
    expect(failed).toMatchObject({ a: { status: 'success', inputs: 'i' }, b: { status: 'failed', inputs: null } });
    expect([mine!.b, theirs!.a]).toEqual([null, null]);
    expect((await lineage().compareRuns(a, b, 2)).differences).toHaveLength(2);
    expect(await lineage().compareRuns(a, 999_999, 0)).toEqual({
      ...{ same: 0, differing: 0, onlyA: 6, onlyB: 0, differences: [] },
    });
  });

  it('tells what happened to a materialization and its partition', async () => {
    await version({ asset: 'p', partition: 'x' });
    await later();
    await here().run([
      { asset: 'p', partition: 'x' },
      { asset: 'p', partition: 'y' },
    ]);
    const [x, y] = (await here().claim()).toSorted((one, other) => (one.partition < other.partition ? -1 : 1));
    await here().retry(x!, 0);
    await here().ledger.fireTimers();
    await here().succeed(y!);
    await here().succeed(await here().claimOne());
    const act = { actor: 'ann', reason: 'wrong' };
    await here().ledger.invalidate([{ asset: 'p', partitions: ['x', 'y'] }], act);
    const events = await lineage().eventsOf(x!.id, 10);
    expect(events.map(({ kind }) => kind)).toEqual([
      ...['materialization.retrying', 'materialization.success', 'asset.invalidated'],
    ]);
    expect(events.every(({ asset, partition }) => asset === 'p' && partition === 'x')).toBe(true);
    expect(events[1]).toMatchObject({ run: x!.run, materialization: x!.id });
    expect(events[2]).toMatchObject({ actor: 'ann', detail: { reason: 'wrong' } });
    expect(await lineage().eventsOf(x!.id, 1)).toHaveLength(1);
    expect(await lineage().eventsOf(999_999, 10)).toEqual([]);
  });
}
