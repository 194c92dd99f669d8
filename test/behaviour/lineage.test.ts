// Lineage through the public door, on every storage: provenance, impact, invalidation, runs of what is stale, audit.
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { TestingModule } from '@nestjs/testing';
import type { DataSource } from 'typeorm';
import {
  after,
  Asset,
  Checkpoint,
  DependsOn,
  ExternalAsset,
  FLOWSTONE_DATA_SOURCE,
  optional,
  Partitions,
  previous,
  within,
  type AssetContext,
  type FlowStoneService,
  type InputsOf,
  type LineageTrace,
  type RunHandle,
} from '../../lib/index.js';
import { startApp } from './graph.js';
import { SAMPLED_STORAGES, testStorage, type TestStorage } from './storages.js';

let computed: string[] = [];
let factor = 1;

const days = Partitions.daily({ start: '2001-01-30', end: '2001-02-03' });

@Asset({ external: true })
class Feed extends ExternalAsset<number> {}

@Asset({ partitions: days, codeVersion: '1' })
@DependsOn({ feed: after(Feed) })
class Readings {
  execute({ partition }: AssetContext): number {
    computed.push(`readings ${partition.key}`);
    return factor * partition.window.start.getUTCDate();
  }
}

const dailyInputs = { readings: Readings };
@Asset({ partitions: 'inherit' })
@DependsOn(dailyInputs)
class Doubled {
  execute({ partition }: AssetContext, { readings }: InputsOf<typeof dailyInputs>): number {
    computed.push(`doubled ${partition.key}`);
    return readings * 2;
  }
}

@Asset({ partitions: days })
@DependsOn({ readings: Readings, before: previous<number>({ start: -1, end: -1 }) })
class Totals {
  async execute({ partition }: AssetContext, { readings, before }: any): Promise<number> {
    computed.push(`totals ${partition.key}`);
    let sum = readings as number;
    for await (const [, value] of before) sum += value as number;
    return sum;
  }
}

const monthlyInputs = { doubled: within(Doubled) };
@Asset({ partitions: Partitions.monthly({ start: '2001-01-01', end: '2001-03-01' }) })
@DependsOn(monthlyInputs)
class Monthly {
  async execute({ partition }: AssetContext, { doubled }: InputsOf<typeof monthlyInputs>): Promise<number> {
    computed.push(`monthly ${partition.key}`);
    let sum = 0;
    for await (const [, value] of doubled) sum += value;
    return sum;
  }
}

@Asset({ partitions: 'inherit' })
@DependsOn({ monthly: optional(Monthly) })
class Headline {
  execute({ partition }: AssetContext): string {
    computed.push(`headline ${partition.key}`);
    return partition.key;
  }
}

@Asset({ partitions: Partitions.dynamic('tenants') })
@DependsOn({ feed: Feed })
class Bill {
  execute({ partition }: AssetContext): string {
    return `to ${partition.key}`;
  }
}

@Asset({ external: true })
class Unused extends ExternalAsset<number> {}

@Checkpoint({ message: 'Send it?' })
@DependsOn({ feed: Feed })
class Sent {
  condition(): boolean {
    return true;
  }
}

const CLASSES = [Feed, Readings, Doubled, Totals, Monthly, Headline, Bill, Sent, Unused];

const places = ({ nodes }: LineageTrace): string[] =>
  nodes.map((node) => ('asset' in node ? `${node.depth} ${node.asset}[${node.partition}]` : `${node.depth} removed`));

/** Questions and acts that are no good, each with what it is refused by. */
const REFUSED: readonly [string, (service: FlowStoneService) => unknown, object][] = [
  [
    'an asset',
    ({ lineage }) => lineage.upstream('monthy'),
    { code: 'FLOWSTONE_ASSET_UNKNOWN', message: expect.stringContaining('did you mean "monthly"') },
  ],
  [
    'an option',
    ({ lineage }) => lineage.downstream(Feed, { dept: 1 } as never),
    { code: 'FLOWSTONE_REQUEST_INVALID', message: expect.stringContaining('did you mean "depth"') },
  ],
  ['a depth', ({ lineage }) => lineage.upstream(Feed, { depth: 0 }), { code: 'FLOWSTONE_REQUEST_INVALID' }],
  [
    'a moment',
    ({ lineage }) => lineage.upstream(Feed, { at: new Date('never') }),
    { code: 'FLOWSTONE_REQUEST_INVALID' },
  ],
  [
    'a partition',
    ({ lineage }) => lineage.impact(Readings, { partition: '2001-03-01' }),
    { code: 'FLOWSTONE_PARTITION_UNKNOWN' },
  ],
  ['no partition', ({ lineage }) => lineage.upstream(Readings), { code: 'FLOWSTONE_PARTITION_REQUIRED' }],
  [
    'two ways to name partitions',
    ({ lineage }) => lineage.invalidate(Readings, { partition: '2001-02-01', partitions: 'all' }),
    { code: 'FLOWSTONE_REQUEST_INVALID' },
  ],
  [
    'partitions that are none',
    ({ lineage }) => lineage.invalidate(Readings, { partitions: 'some' as never }),
    { code: 'FLOWSTONE_REQUEST_INVALID' },
  ],
  [
    'a version of something else',
    ({ lineage }) => lineage.upstream(Readings, { partition: '2001-02-01', version: 999_999 }),
    { code: 'FLOWSTONE_VALUE_MISSING' },
  ],
  [
    'nothing recorded',
    ({ lineage }) => lineage.audit(Headline, { partition: '2001-02' }),
    { code: 'FLOWSTONE_VALUE_MISSING' },
  ],
  [
    'a page',
    async ({ lineage }) => (await lineage.impact(Readings)).entries({ from: -1 }),
    { code: 'FLOWSTONE_REQUEST_INVALID' },
  ],
  [
    'what nothing here follows from',
    ({ lineage }) => lineage.rematerializeStale(Unused),
    { code: 'FLOWSTONE_REQUEST_INVALID', message: expect.stringContaining('unused') },
  ],
  [
    'partitions of no asset',
    ({ lineage }) => lineage.rematerializeStale(undefined, { partition: 'x' }),
    { code: 'FLOWSTONE_REQUEST_INVALID' },
  ],
  [
    'a text that nothing can store',
    ({ lineage }) => lineage.invalidate(Readings, { by: '\0' }),
    { code: 'FLOWSTONE_REQUEST_INVALID' },
  ],
  [
    'a direction of no asset',
    async ({ lineage }) => lineage.graph({ depth: 1 }),
    { code: 'FLOWSTONE_REQUEST_INVALID' },
  ],
];

const run = async (requested: Promise<RunHandle>): Promise<RunHandle> => {
  const handle = await requested;
  await handle.wait();
  return handle;
};

describe.each(SAMPLED_STORAGES)('lineage on %s', (kind) => {
  let storage: TestStorage;
  let app: TestingModule;
  let flowstone: FlowStoneService;

  beforeEach(async () => {
    storage = await testStorage(kind);
    ({ app, flowstone } = await startApp(CLASSES, storage.options));
    factor = 1;
    await run(flowstone.materialize([Monthly, Totals], { partitions: 'all' }));
    computed = [];
  });
  afterEach(async () => {
    await app.close();
    await storage.remove();
  });

  it('tells what a version came of, and what came of it', async () => {
    const up = await flowstone.lineage.upstream(Monthly, { partition: '2001-01' });
    expect(places(up)).toEqual([
      '0 monthly[2001-01]',
      '1 doubled[2001-01-30]',
      '1 doubled[2001-01-31]',
      '2 readings[2001-01-30]',
      '2 readings[2001-01-31]',
    ]);
    expect(up).toMatchObject({ asset: 'monthly', partition: '2001-01', truncated: false });
    expect(up.nodes[3]).toMatchObject({
      codeVersion: '1',
      dataVersion: expect.any(String),
      completedAt: expect.any(Date),
    });
    expect(up.edges).toHaveLength(4);
    expect(places(await flowstone.lineage.upstream('monthly', { partition: '2001-01', depth: 1 }))).toHaveLength(3);
    const down = await flowstone.lineage.downstream(Readings, { partition: '2001-02-01' });
    expect(places(down).toSorted()).toEqual([
      '0 readings[2001-02-01]',
      '1 doubled[2001-02-01]',
      '1 totals[2001-02-01]',
      '2 monthly[2001-02]',
      '2 totals[2001-02-02]',
    ]);
    const cut = await flowstone.lineage.downstream(Readings, { partition: '2001-02-01', limit: 2 });
    expect([cut.nodes.length, cut.truncated]).toEqual([2, true]);
    expect(places(await flowstone.lineage.upstream(Headline, { partition: '2001-01' }))).toEqual([]);
  });

  it('answers as of a moment, and for a former version', async () => {
    const before = await flowstone.lineage.upstream(Monthly, { partition: '2001-02' });
    const at = (before.nodes[0] as { completedAt: Date }).completedAt;
    await wait(5);
    factor = 10;
    await run(flowstone.materialize(Readings, { partition: '2001-02-01', force: true, downstream: true }));
    const now = await flowstone.lineage.upstream(Monthly, { partition: '2001-02' });
    expect(now.materialization).not.toBe(before.materialization);
    expect(await flowstone.lineage.upstream(Monthly, { partition: '2001-02', at })).toEqual(before);
    expect(
      await flowstone.lineage.upstream(Monthly, { partition: '2001-02', version: before.materialization! }),
    ).toEqual(before);
    const source = await flowstone.lineage.upstream(Readings, { partition: '2001-02-01', at });
    const since = await flowstone.lineage.downstream(Readings, {
      partition: '2001-02-01',
      version: source.materialization!,
    });
    expect(places(since)).toContain('2 monthly[2001-02]');
    expect(await flowstone.lineage.upstream(Monthly, { partition: '2001-02', at: new Date(0) })).toEqual({
      ...{
        asset: 'monthly',
        partition: '2001-02',
        materialization: null,
        nodes: [],
        decisions: [],
        edges: [],
        truncated: false,
      },
    });
  });

  it('tells what would follow from a change, what never ran included, and what it would take', async () => {
    const impact = await flowstone.lineage.impact(Readings, { partition: '2001-02-01' });
    expect(impact.size).toBe(5);
    expect(new Map(impact.assets.map(({ asset, partitions }) => [asset, partitions]))).toEqual(
      new Map([
        ['totals', 2],
        ['doubled', 1],
        ['monthly', 1],
        ['headline', 1],
      ]),
    );
    const totals = impact.assets.find(({ asset }) => asset === 'totals')!;
    expect(totals.ranges).toEqual([{ from: '2001-02-01', to: '2001-02-02', count: 2 }]);
    expect(totals.cost).toMatchObject({
      each: expect.any(Number),
      samples: 4,
      message: expect.stringContaining('median'),
    });
    expect(totals.cost.total).toBe(2 * totals.cost.each!);
    const headline = impact.assets.find(({ asset }) => asset === 'headline')!;
    expect(headline.cost).toEqual({
      each: null,
      samples: 0,
      total: null,
      message: 'not known: no success of it is recorded',
    });
    expect(impact.cost.unknown).toEqual(['headline']);
    expect(impact.cost.message).toMatch(/^about .* of work, and what headline will take is not known$/);
    const { items, next } = await impact.entries();
    expect(next).toBeNull();
    expect(items).toContainEqual({
      ...{ index: 2, asset: 'headline', partition: '2001-02', state: 'missing', unable: false, cost: null },
    });
    const first = await impact.entries({ limit: 2 });
    expect([...first.items, ...(await impact.entries({ from: first.next! })).items]).toEqual(items);
    factor = 10;
    await run(flowstone.materialize(Readings, { partition: '2001-02-01', force: true, downstream: true }));
    const followed = items.map(({ asset, partition }) => `${asset} ${partition}`);
    expect(computed.toSorted()).toEqual(['readings 2001-02-01', ...followed].toSorted());
    expect(await impact.undeclared()).toEqual({ items: [], truncated: false });
    expect((await flowstone.lineage.impact(Headline)).cost.message).toBe('nothing would have to be computed again');
  });

  it('names consumers that nothing declared leads to any more', async () => {
    await flowstone.reportVersion(Feed, { dataVersion: '1' });
    await flowstone.addPartitions('tenants', ['ann', 'bob']);
    await run(flowstone.materialize(Bill, { partitions: 'all' }));
    await flowstone.removePartitions('tenants', ['ann']);
    const impact = await flowstone.lineage.impact(Feed);
    expect(impact.assets.map(({ asset, partitions }) => `${asset} ${partitions}`)).toEqual(
      expect.arrayContaining(['bill 1', 'sent 1']),
    );
    const { items, truncated } = await impact.undeclared();
    expect(items).toEqual([{ asset: 'bill', partition: 'ann', materialization: expect.any(Number), consumed: '' }]);
    expect(truncated).toBe(false);
    expect(places(await flowstone.lineage.upstream(Bill, { partition: 'ann' }))).toEqual(['0 bill[ann]', '1 feed[]']);
    expect(places(await flowstone.lineage.downstream(Feed))).toHaveLength(3);
  });

  it('invalidates with all that follows, and has computed again what is stale', async () => {
    expect(await flowstone.lineage.invalidate(Doubled, { partition: '2001-02-01', by: 'ann', reason: 'wrong' })).toBe(
      1,
    );
    expect(await flowstone.lineage.invalidate(Doubled, { partition: '2001-02-01', downstream: true })).toBe(2);
    expect(await flowstone.lineage.invalidate(Readings, { partitions: { from: '2001-01-30', to: '2001-01-31' } })).toBe(
      2,
    );
    const stale = await flowstone.lineage.stale(Doubled, { partition: '2001-02-01' });
    expect(stale[0]).toEqual({
      ...{ asset: 'doubled', partitions: 1, missing: 0, stale: 1, fresh: 0 },
      ranges: [{ state: 'stale', from: '2001-02-01', to: '2001-02-01', count: 1 }],
    });
    expect(stale.find(({ asset }) => asset === 'monthly')).toMatchObject({
      ...{ partitions: 1, stale: 1, ranges: [{ from: '2001-02', to: '2001-02' }] },
    });
    // It is cut from the status of each asset.
    for (const { asset, partitions, missing, fresh, ranges } of await flowstone.lineage.stale(Readings)) {
      const status = await flowstone.status(asset);
      expect(status).toMatchObject({ partitions, missing, fresh });
      if (!('ranges' in status)) throw new Error(`${asset} has no partitions`);
      expect(ranges).toEqual(status.ranges.filter(({ state }) => state !== 'fresh'));
    }
    const view = await run(
      flowstone.lineage.rematerializeStale(Doubled, { partition: '2001-02-01', requestedBy: 'ann' }),
    );
    expect(computed.toSorted()).toEqual(['doubled 2001-02-01', 'headline 2001-02', 'monthly 2001-02']);
    expect(await view.view()).toMatchObject({ requestedBy: 'ann', request: { downstream: true } });
    computed = [];
    await run(flowstone.lineage.rematerializeStale(Doubled));
    // What is stale of it, since what it consumes is: that is planned in.
    expect(computed).toContain('readings 2001-01-31');
    expect(computed.some((place) => place.endsWith('2001-02-01'))).toBe(false);
    await flowstone.lineage.invalidate(Readings, { downstream: true });
    computed = [];
    await run(flowstone.lineage.rematerializeStale());
    expect(computed.filter((place) => !place.startsWith('headline'))).toHaveLength(4 + 4 + 4 + 2);
    computed = [];
    await run(flowstone.lineage.rematerializeStale());
    expect(computed).toEqual([]);
  });

  it('has the same request of what is stale under a run key, whatever is stale by then', async () => {
    await flowstone.lineage.invalidate(Doubled, { partitions: ['2001-01-30', '2001-02-02'] });
    const options = { partitions: ['2001-01-30', '2001-02-02'], runKey: 'nightly' };
    const first = await run(flowstone.lineage.rematerializeStale(Doubled, options));
    expect(computed).toContain('doubled 2001-02-02');
    expect((await flowstone.lineage.rematerializeStale(Doubled, options)).id).toBe(first.id);
  });

  it('draws the graph, or the part around an asset', () => {
    const keys = (view: { nodes: readonly { key: string }[] }) => view.nodes.map(({ key }) => key);
    expect(flowstone.lineage.graph()).toEqual(flowstone.graph());
    expect(keys(flowstone.lineage.graph({ asset: Monthly, direction: 'upstream' }))).toEqual([
      ...['doubled', 'feed', 'monthly', 'readings'],
    ]);
    const near = flowstone.lineage.graph({ asset: Doubled, depth: 1 });
    expect(keys(near)).toEqual(['doubled', 'monthly', 'readings']);
    expect(near.edges.map(({ from, to }) => `${from} ${to}`)).toEqual(['readings doubled', 'doubled monthly']);
    expect(keys(flowstone.lineage.graph({ asset: Doubled, direction: 'downstream' }))).toEqual([
      'doubled',
      'headline',
      'monthly',
    ]);
  });

  it('tells in what two runs differ', async () => {
    const a = await run(flowstone.materialize(Readings, { partition: '2001-02-01', force: true, downstream: true }));
    factor = 10;
    const b = await run(flowstone.materialize(Readings, { partition: '2001-02-01', force: true, downstream: true }));
    const diff = await flowstone.lineage.diff(a.id, b.id);
    expect(diff).toMatchObject({ a: a.id, b: b.id, onlyA: 0, onlyB: 0, truncated: false });
    const of = (asset: string) => diff.entries.find((entry) => entry.asset === asset)!;
    expect(of('readings')).toMatchObject({ differs: ['data_version'], partition: '2001-02-01', inputs: [] });
    // In the first run it was skipped, since its input came out as before.
    expect(of('doubled')).toMatchObject({ a: { status: 'skipped' }, b: { status: 'success' } });
    expect(of('doubled').differs).toEqual(expect.arrayContaining(['status', 'data_version', 'inputs']));
    const c = await run(flowstone.materialize(Readings, { partition: '2001-02-02', force: true }));
    expect(await flowstone.lineage.diff(c.id, b.id, { limit: 1 })).toMatchObject({
      ...{ same: 0, onlyA: 1, truncated: true, entries: [{ differs: [], b: null }] },
    });
    const d = await run(flowstone.materialize(Doubled, { partition: '2001-02-01', force: true }));
    factor = 100;
    await run(flowstone.materialize(Readings, { partition: '2001-02-01', force: true }));
    const e = await run(flowstone.materialize(Doubled, { partition: '2001-02-01', force: true }));
    const [entry] = (await flowstone.lineage.diff(d.id, e.id)).entries;
    expect(entry).toMatchObject({ differs: ['data_version', 'inputs'] });
    expect(entry!.inputs).toEqual([
      { asset: 'readings', partition: '2001-02-01', a: expect.any(String), b: expect.any(String) },
    ]);
    await expect(flowstone.lineage.diff(a.id, 999_999)).rejects.toMatchObject({ code: 'FLOWSTONE_RUN_NOT_FOUND' });
  });

  it('collects all that is recorded of a materialization, decisions included', async () => {
    await flowstone.lineage.invalidate(Doubled, { partition: '2001-02-01', by: 'ann', reason: 'wrong' });
    const audit = await flowstone.lineage.audit(Doubled, { partition: '2001-02-01' });
    expect(audit).toMatchObject({
      ...{ asset: 'doubled', partition: '2001-02-01', isHead: true, truncated: false, approvals: [] },
      execution: { status: 'success', attempts: 1, error: null, value: { hash: expect.any(String) } },
      run: { status: 'success' },
      lineage: {
        consumed: [{ asset: 'readings', depth: 1, hash: expect.any(String) }],
        consumers: [{ asset: 'monthly', partition: '2001-02' }],
      },
    });
    expect(audit.events.map(({ kind: event }) => event)).toEqual(['materialization.success', 'asset.invalidated']);
    expect(JSON.parse(JSON.stringify(audit))).toMatchObject({ execution: { completedAt: expect.any(String) } });
    await flowstone.reportVersion(Feed, { dataVersion: '1' }, { by: 'cron' });
    expect((await flowstone.lineage.audit(Feed)).events).toMatchObject([
      { kind: 'asset.version_reported', actor: 'cron' },
    ]);
    const sent = await flowstone.materialize(Sent, { requestedBy: 'ann' });
    await sent.wait({ until: 'settled' });
    const [open] = (await flowstone.approvals.list()).items;
    const waiting = await flowstone.lineage.audit(Sent);
    expect(waiting).toMatchObject({
      isHead: false,
      execution: { status: 'waiting_approval' },
      lineage: { consumed: [] },
    });
    await flowstone.approvals.approve(open!.id, { by: 'bert', reason: 'fine' });
    await sent.wait();
    const {
      approvals,
      isHead,
      run: requested,
    } = await flowstone.lineage.audit(Sent, { version: open!.materialization });
    expect(isHead).toBe(true);
    expect(requested).toMatchObject({ requestedBy: 'ann' });
    expect(approvals).toMatchObject([{ status: 'approved', decision: { by: 'bert', reason: 'fine' } }]);
    expect(approvals[0]!.acts.map(({ kind: act }) => act)).toEqual(expect.arrayContaining(['requested', 'approved']));
  });

  it('refuses what it cannot take, and changes nothing', async () => {
    for (const [what, ask, error] of REFUSED) {
      const asked = (async () => ask(flowstone))().then(
        () => 'not refused',
        (refusal: unknown) => refusal,
      );
      expect([what, await asked]).toMatchObject([what, error]);
    }
    expect((await flowstone.runs()).items).toHaveLength(1);
    expect(await flowstone.status(Readings)).toMatchObject({ fresh: 4 });
  });

  if (kind === 'memory') return;

  it('acts within a transaction of the host, and reads beside it', async () => {
    const host = app.get<DataSource>(FLOWSTONE_DATA_SOURCE);
    const rolledBack = host.transaction(async (manager) => {
      expect(await flowstone.lineage.invalidate(Readings, { downstream: true, manager })).toBe(14);
      await flowstone.lineage.rematerializeStale(Readings, { manager });
      throw new Error('the host changed its mind');
    });
    await expect(rolledBack).rejects.toThrow('the host changed its mind');
    expect(await flowstone.status(Doubled)).toMatchObject({ fresh: 4 });
    expect((await flowstone.runs()).items).toHaveLength(1);
    const requested = await host.transaction(async (manager) => {
      await flowstone.lineage.invalidate(Readings, { partition: '2001-02-02', downstream: true, manager });
      if (kind === 'embedded') {
        await expect(flowstone.lineage.impact(Readings)).rejects.toMatchObject({ code: 'FLOWSTONE_TRANSACTION_OPEN' });
      }
      return flowstone.lineage.rematerializeStale(Readings, { partition: '2001-02-02', manager });
    });
    await requested.wait();
    expect(computed).toContain('totals 2001-02-02');
    expect(computed.some((place) => place.endsWith('01-30'))).toBe(false);
  });

  if (kind === 'embedded') return;

  it('answers in a process without classes, and for its own namespace only', async () => {
    const asker = await startApp([], { ...storage.options, role: 'api' });
    const stranger = await startApp(CLASSES, { ...storage.options, namespace: 'other' });
    try {
      const { lineage } = asker.flowstone;
      const place = { partition: '2001-01' };
      expect(await lineage.upstream('monthly', place)).toEqual(await flowstone.lineage.upstream(Monthly, place));
      const { size, assets } = await lineage.impact('readings', { partition: '2001-02-01' });
      expect([size, assets.length]).toEqual([5, 4]);
      expect(await lineage.audit('monthly', place)).toEqual(await flowstone.lineage.audit(Monthly, place));
      expect(lineage.graph({ asset: 'doubled', depth: 1 })).toEqual(
        flowstone.lineage.graph({ asset: Doubled, depth: 1 }),
      );
      await lineage.invalidate('doubled', { partition: '2001-02-01', downstream: true });
      await run(lineage.rematerializeStale('doubled', { partition: '2001-02-01' }));
      expect(computed).toContain('monthly 2001-02');
      const others = stranger.flowstone.lineage;
      expect((await others.upstream(Monthly, place)).materialization).toBeNull();
      const { materialization } = await flowstone.lineage.upstream(Monthly, place);
      const theirs = others.audit(Monthly, { ...place, version: materialization! });
      await expect(theirs).rejects.toMatchObject({ code: 'FLOWSTONE_VALUE_MISSING' });
      expect(await others.invalidate(Readings, { downstream: true })).toBe(0);
      const [mine] = (await flowstone.runs()).items;
      await expect(others.diff(mine!.id, mine!.id)).rejects.toMatchObject({ code: 'FLOWSTONE_RUN_NOT_FOUND' });
    } finally {
      await asker.app.close();
      await stranger.app.close();
    }
  });
});
