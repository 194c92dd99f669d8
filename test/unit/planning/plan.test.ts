import { beforeEach, describe, expect, it } from '@jest/globals';
import type { PlanRequest } from '../../../lib/planning/plan.js';
import { makePlan } from '../../../lib/planning/plan.js';
import type { PlanningAsset } from '../../../lib/planning/planning.port.js';
import { buildPlanningModel } from '../../../lib/planning/planning-model.js';
import { mapping } from '../../../lib/partitions/mapping.js';
import { Partitions } from '../../../lib/partitions/partitions.js';
import { asset, daily, DAYS, moment, on } from './planning-assets.js';
import { RecordedFacts } from './recorded-facts.js';

const raw = asset('raw', { scheme: daily });
const clean = asset('clean', { scheme: daily, codeVersion: '1', dependencies: [on('raw')] });
const report = asset('report', { dependencies: [on('clean', { mapping: { kind: 'all' } })] });
const all = [raw, clean, report];
const [day, second] = DAYS;

let facts: RecordedFacts;
beforeEach(() => {
  facts = new RecordedFacts();
});

function materializeAll(): void {
  for (const key of DAYS) {
    facts.materialize(raw, key, `raw ${key}`);
    facts.materialize(clean, key, `clean ${key}`, [facts.version('raw', key)!]);
  }
  facts.materialize(
    report,
    '',
    'report',
    DAYS.map((key) => facts.version('clean', key)!),
  );
}

type Target = PlanRequest['targets'][number];
const one = (key: string, partition = ''): Target => ({ asset: key, partitions: { keys: [partition] } });

async function plan(assets: readonly PlanningAsset[], targets: readonly Target[], options: Partial<PlanRequest> = {}) {
  const request: PlanRequest = { targets, upstream: 'stale', downstream: false, force: false, ...options };
  return makePlan(buildPlanningModel(assets, moment), facts, request);
}

/** `asset[partition]` with `?` for conditional, `!` for forced. */
async function entries(...args: Parameters<typeof plan>): Promise<string[]> {
  return [...(await plan(...args)).entries()].map((entry) => {
    const mark = entry.forced ? '!' : entry.inclusion === 'conditional' ? '?' : '';
    return `${entry.asset}${entry.partition === '' ? '' : `[${entry.partition.slice(-2)}]`}${mark}`;
  });
}

describe('a plan', () => {
  it('lets others have the thread while it is made, if it is large', async () => {
    await plan(all, [one('report')]);
    expect(facts.breaths).toBe(0);
    const scheme = Partitions.hourly({ start: '2000-01-01T00', end: '2002-11-07T16' });
    const hours = [asset('hours', { scheme }), asset('derived', { scheme, dependencies: [on('hours')] })];
    const later = { now: new Date('2010-01-01T00:00:00Z'), dynamicKeys: () => [], customKeys: () => [] };
    const targets = hours.map(({ key }) => ({ asset: key, partitions: 'all' as const }));
    const request = { upstream: 'stale', downstream: false, force: false, targets } as const;
    const large = await makePlan(buildPlanningModel(hours, later), facts, request);
    expect(facts.breaths).toBeGreaterThan(10);
    expect(large.size).toBe(50_000);
    expect([...large.edges.upstreams]).toEqual(Array.from({ length: 25_000 }, (_unused, index) => index));
    expect([...large.edges.starts.subarray(25_000)]).toEqual(Array.from({ length: 25_001 }, (_unused, index) => index));
    expect([large.partitionAt(0), large.partitionAt(49_999)]).toEqual(['2000-01-01T00', '2002-11-07T15']);
  });

  it.each([
    ['all of them', 'all', 25_000, 3],
    ['a fifth of them', { from: '2000-01-01T00', to: '2000-12-31T23' }, 8784, 1],
    ['half a fifth more', { from: '2000-01-01T00', to: '2001-06-30T23' }, 8784 + 181 * 24, 2],
  ] as const)('reads the heads of a large asset some at a time: %s', async (_, partitions, size, reads) => {
    const whole = partitions === 'all';
    const hours = asset('hours', {
      scheme: Partitions.hourly({ start: '2000-01-01T00', end: whole ? '2002-11-07T16' : '2007-01-01T00' }),
    });
    const later = { now: new Date('2010-01-01T00:00:00Z'), dynamicKeys: () => [], customKeys: () => [] };
    const request = { upstream: 'stale', downstream: false, force: false } as const;
    const makeIt = () =>
      makePlan(buildPlanningModel([hours], later), facts, { ...request, targets: [{ asset: 'hours', partitions }] });
    const first = await makeIt();
    expect(first.size).toBe(size);
    // All but the first have values by now, those of other years as well.
    for (const entry of [...first.entries()].slice(1)) facts.materialize(hours, entry.partition, 'value');
    facts.materialize(hours, '2006-12-31T23', 'value');
    facts.reads = 0;
    const again = await makeIt();
    expect([...again.entries()].map(({ partition }) => partition)).toEqual(['2000-01-01T00']);
    expect(facts.reads).toBe(reads);
  });

  it('asks once for the heads of all its assets, and knows their numbers', async () => {
    facts.change('raw', second, { id: 7, failed: true });
    const made = await plan(all, [one('report')]);
    expect(facts.reads).toBe(1);
    const numbered = [...made.entries()].filter(({ index }) => made.headAt(index) !== undefined);
    expect(numbered).toMatchObject([{ asset: 'raw', partition: second }]);
    expect(made.headAt(numbered[0]!.index)).toBe(7);
  });

  it('holds a target and all it needs, upstream first, with its edges', async () => {
    const made = await plan(all, [one('report')]);
    expect(made.size).toBe(11);
    expect(made.assetAt(10)).toBe('report');
    const { starts, upstreams } = made.edges;
    expect([...upstreams.subarray(starts[10], starts[11])].map((index) => made.assetAt(index))).toEqual(
      Array(5).fill('clean'),
    );
    expect([...made.counts()]).toEqual([
      ['raw', { certain: 5, conditional: 0, forced: 0, blocked: 0 }],
      ['clean', { certain: 5, conditional: 0, forced: 0, blocked: 0 }],
      ['report', { certain: 1, conditional: 0, forced: 0, blocked: 0 }],
    ]);
  });

  it('is empty when all is fresh, and tells what it leaves out', async () => {
    materializeAll();
    const made = await plan(all, [one('clean', day)]);
    expect(made.size).toBe(0);
    expect([...made.omitted()]).toEqual([
      { asset: 'raw', partition: day, why: 'fresh', message: 'fresh, and nothing above it is planned' },
      { asset: 'clean', partition: day, why: 'fresh', message: 'fresh, and nothing above it is planned' },
    ]);
  });

  it('plans what differs as certain and what is below it as conditional', async () => {
    materializeAll();
    const changed = [raw, { ...clean, codeVersion: '2' }, report];
    expect(await entries(changed, [one('report')])).toEqual([
      ...DAYS.map((key) => `clean[${key.slice(-2)}]`),
      'report?',
    ]);
  });

  it('does not plan what the targets do not need', async () => {
    expect(await entries(all, [one('clean', second)])).toEqual(['raw[02]', 'clean[02]']);
  });

  it.each([
    ['missing', ['raw[01]', 'clean[01]']],
    ['stale', ['clean[02]']],
    ['failed', ['clean[02]']],
    [{ from: day, to: second }, ['raw[01]', 'clean[01]', 'clean[02]']],
    [{ from: day, to: second, only: 'stale' }, ['clean[02]']],
    [{ keys: [day], only: 'stale' }, []],
  ] as const)('takes partitions that are %j', async (partitions, expected) => {
    materializeAll();
    facts.delete('raw', day);
    facts.delete('clean', day);
    facts.materialize(raw, second, 'other');
    facts.change('clean', second, { failed: true });
    expect(await entries(all, [{ asset: 'clean', partitions }])).toEqual(expected);
  });

  it('names each partition once, whatever the targets', async () => {
    const targets: Target[] = [
      one('clean', day),
      { asset: 'clean', partitions: { from: day, to: second } },
      one('raw', day),
    ];
    expect(await entries(all, targets)).toEqual(['raw[01]', 'raw[02]', 'clean[01]', 'clean[02]']);
  });

  it('forces the targets alone', async () => {
    materializeAll();
    expect(await entries(all, [one('clean', day)], { force: true })).toEqual(['clean[01]!']);
  });

  it('plans between a forced target and another target what may change', async () => {
    materializeAll();
    const forced = await entries(all, [one('raw', day), one('report')], { force: true });
    expect(forced).toEqual(['raw[01]!', 'clean[01]?', 'report!']);
  });

  it('forces everything upstream on demand, and not the target', async () => {
    materializeAll();
    expect(await entries(all, [one('clean', day)], { upstream: 'all' })).toEqual(['raw[01]!', 'clean[01]?']);
  });

  it('plans downstream what may change, and what that needs', async () => {
    materializeAll();
    facts.materialize(raw, day, 'other');
    facts.delete('clean', second);
    const planned = await entries(all, [one('raw', day)], { downstream: true, force: true });
    expect(planned).toEqual(['raw[01]!', 'clean[01]', 'clean[02]', 'report?']);
    expect(await entries(all, [one('raw', second)], { downstream: true })).toEqual([]);
  });

  it('does not force what else its downstream entries need', async () => {
    materializeAll();
    const options = { downstream: true, upstream: 'all', force: true } as const;
    expect(await entries(all, [one('clean', day)], options)).toEqual(['raw[01]!', 'clean[01]!', 'report?']);
  });

  it('explains each entry', async () => {
    materializeAll();
    facts.materialize(raw, day, 'other');
    const made = await plan(all, [one('clean', day), one('report')], { force: true });
    const reasons = await Promise.all([...made.entries()].map(({ index }) => made.explain(index)));
    expect(reasons.map((list) => list.map((reason) => reason.message))).toEqual([
      ['forced', `upstream raw[${day}] changed raw 2001-01-01 → other`],
      ['forced', `upstream clean[${day}] is stale`],
    ]);
    facts.materialize(raw, day, `raw ${day}`);
    const above = await plan(all, [one('raw', day)], { force: true, downstream: true });
    expect((await above.explain(1)).map((reason) => reason.message)).toEqual([
      `upstream raw[${day}] is planned and may change`,
    ]);
  });

  it('refuses an index it has no entry for', async () => {
    const made = await plan(all, [one('raw', day)]);
    expect(() => made.assetAt(1)).toThrow(RangeError);
  });
});

describe('a plan with upstream: none', () => {
  it('adds nothing, and blocks what has nothing to consume', async () => {
    const made = await plan(all, [one('clean', day)], { upstream: 'none' });
    expect([made.size, made.isBlockedAt(0)]).toEqual([1, true]);
    expect(made.blockedAt(0)).toMatchObject({
      code: 'FLOWSTONE_PLAN_UPSTREAM_MISSING',
      message: `clean[${day}] needs raw[${day}], which has no value and is not planned: materialize it first, or leave out upstream: 'none'`,
      context: { asset: 'clean', partition: day, upstream: 'raw' },
    });
  });

  it('does not block what another target provides, an optional or an external upstream', async () => {
    const using = asset('using', {
      dependencies: [on('feed'), on('extra', { optional: true }), on('source')],
    });
    const assets = [asset('feed', { external: true }), asset('extra'), asset('source'), using];
    const made = await plan(assets, [one('using'), one('source')], { upstream: 'none' });
    expect([...made.entries()].map(({ asset: key, blocked }) => [key, blocked])).toEqual([
      ['source', undefined],
      ['using', undefined],
    ]);
  });
});

describe('a plan of special dependencies', () => {
  it('orders what comes only before, and plans it where it is needed', async () => {
    const setup = asset('setup');
    const after = asset('after', { codeVersion: '1', dependencies: [on('setup', { ordering: true })] });
    expect(await entries([after, setup], [one('after')])).toEqual(['setup', 'after']);
    facts.materialize(after, '', 'x');
    const fresh = await plan([after, setup], [one('after')]);
    expect([...fresh.omitted()].map(({ asset: key, why }) => [key, why])).toEqual([
      ['setup', 'not_needed'],
      ['after', 'fresh'],
    ]);
    facts.change('after', '', { invalidated: true });
    expect(await entries([after, setup], [one('after')])).toEqual(['setup', 'after']);
  });

  it('plans what comes before a partition that runs, also where the next one is fresh', async () => {
    const setup = on('raw', { mapping: { kind: 'all' }, ordering: true });
    const after = asset('after', { scheme: daily, dependencies: [setup] });
    for (const key of DAYS.slice(1)) facts.materialize(after, key, 'x');
    expect(await entries([raw, after], [{ asset: 'after', partitions: 'all' }])).toEqual([
      ...DAYS.map((key) => `raw[${key.slice(-2)}]`),
      'after[01]',
    ]);
  });

  it('never plans in what is optional or external', async () => {
    const using = asset('using', { dependencies: [on('extra', { optional: true }), on('feed')] });
    const assets = [asset('feed', { external: true }), asset('extra'), using];
    expect(await entries(assets, [one('using')])).toEqual(['using']);
    expect(await entries(assets, [one('using')], { upstream: 'all' })).toEqual(['using']);
    expect(await entries(assets, [one('extra'), one('using')])).toEqual(['extra', 'using']);
    const made = await plan(assets, [one('feed')], { force: true });
    expect([...made.omitted()]).toEqual([
      { asset: 'feed', partition: '', why: 'external', message: 'external: computed elsewhere' },
    ]);
  });

  it('may turn out different through an optional upstream that is a target, too', async () => {
    const extra = asset('extra');
    const using = asset('using', { dependencies: [on('extra', { optional: true })] });
    facts.materialize(extra, '', 'x');
    facts.materialize(using, '', 'y', [facts.version('extra', '')!]);
    facts.change('extra', '', { invalidated: true });
    expect(await entries([extra, using], [one('extra'), one('using')])).toEqual(['extra', 'using?']);
    expect(await entries([extra, using], [one('using')])).toEqual([]);
  });

  it('orders a running total by its past', async () => {
    const previous = on('total', { mapping: { kind: 'previous', start: -1, end: -1 } });
    const total = asset('total', { scheme: daily, dependencies: [on('raw'), previous] });
    const made = await plan([total, raw], [one('total', DAYS[2])]);
    expect(made.size).toBe(6);
    expect([3, 4, 5].map((index) => made.partitionAt(index))).toEqual(DAYS.slice(0, 3));
    expect([...made.edges.upstreams.subarray(made.edges.starts[5], made.edges.starts[6])].sort()).toEqual([2, 4]);
  });

  it('orders two assets that look back at each other between their partitions', async () => {
    const back = { kind: 'window', start: -1, end: -1, allowMissing: true } as const;
    const plans = asset('plans', { scheme: daily, dependencies: [on('sales', { mapping: back })] });
    const sales = asset('sales', { scheme: daily, dependencies: [on('plans')] });
    expect(await entries([plans, sales], [one('sales', second)])).toEqual([
      'plans[01]',
      'sales[01]',
      'plans[02]',
      'sales[02]',
    ]);
  });

  it('refuses partitions that depend on each other in a circle', async () => {
    const keys = Partitions.static(['a', 'b', 'c']);
    const next: Record<string, string> = { a: 'b', b: 'c', c: 'b' };
    const circular = on('tree', {
      mapping: { kind: 'mapped', mapping: mapping.one({ upstream: (key) => next[key]! }) },
    });
    const tree = asset('tree', { scheme: keys, dependencies: [circular] });
    await expect(plan([tree], [one('tree', 'a')])).rejects.toMatchObject({
      code: 'FLOWSTONE_GRAPH_CYCLE',
      context: { cycle: ['tree[b]', 'tree[c]', 'tree[b]'] },
    });
  });

  it('blocks what consumes partitions that do not exist', async () => {
    const longer = { ...daily, end: '2001-01-10' };
    const later = asset('later', { scheme: longer, dependencies: [on('raw')] });
    const lenient = asset('lenient', {
      scheme: longer,
      dependencies: [on('raw', { mapping: { kind: 'same', allowMissing: true } })],
    });
    const targets = [one('later', '2001-01-08'), one('lenient', '2001-01-08')];
    const made = await plan([raw, later, lenient], targets);
    const blocked = [...made.entries()].map((entry) => [entry.asset, entry.blocked?.code]);
    expect(blocked).toEqual([
      ['later', 'FLOWSTONE_PLAN_UPSTREAM_PARTITION_MISSING'],
      ['lenient', undefined],
    ]);
    expect(made.blockedAt(0)!.message).toContain('later[2001-01-08] consumes raw[2001-01-08], which does not exist');
    expect(made.counts().get('later')).toMatchObject({ blocked: 1 });
  });
});

describe('a plan that is too large', () => {
  const hourly = asset('hourly', { scheme: Partitions.hourly({ start: '0001-01-01', end: '2001-01-01' }) });

  it('is refused at once, however many partitions are asked for', async () => {
    await expect(plan([hourly], [{ asset: 'hourly', partitions: 'all' }])).rejects.toMatchObject({
      code: 'FLOWSTONE_PLAN_TOO_LARGE',
      message: expect.stringContaining('asset hourly'),
    });
  });

  it('is refused by the limit of the request', async () => {
    const request = plan(all, [one('report')], { maxEntries: 10 });
    await expect(request).rejects.toMatchObject({
      code: 'FLOWSTONE_PLAN_TOO_LARGE',
      message: expect.stringContaining('the plan has 11 entries, at most 10'),
    });
  });

  it('does not grow with partitions nobody asked for', async () => {
    expect(await entries([hourly], [one('hourly', '1999-12-31T23')])).toHaveLength(1);
  });
});
