// Summaries of more partitions than one chunk has; small ones: test/properties/planning.test.ts.
import { beforeEach, describe, expect, it } from '@jest/globals';
import { Partitions, type PartitionScheme } from '../../../lib/partitions/partitions.js';
import type { MappingSpec } from '../../../lib/partitions/mapping.js';
import type { InputVersion, PlanningAsset, PlanningFacts } from '../../../lib/planning/planning.port.js';
import { buildPlanningModel } from '../../../lib/planning/planning-model.js';
import { makePlan } from '../../../lib/planning/plan.js';
import { readQuickStates } from '../../../lib/planning/quick-status.js';
import { summarizeStatus } from '../../../lib/planning/status.js';
import { SUMMARIZED_FROM } from '../../../lib/planning/summary-upkeep.js';
import { RecordedFacts } from './recorded-facts.js';

const HOURS = 9000;
const start = '2001-01-01T00';
const hours = (count: number): PartitionScheme => {
  const end = new Date(Date.UTC(2001, 0, 1) + count * 3_600_000).toISOString().slice(0, 13);
  return Partitions.hourly({ start, end });
};

const on = (upstream: string, mapping: MappingSpec = { kind: 'same' }) => ({
  ...{ alias: upstream, upstream, mapping },
  ...{ optional: false, ordering: false },
});

const asset = (key: string, scheme: PartitionScheme | undefined, ...dependencies: PlanningAsset['dependencies']) => ({
  ...{ key, scheme, dependencies, external: false, codeVersion: '1' as string | undefined },
});

describe('the status of an asset of 9,000 hours', () => {
  let facts: RecordedFacts;
  let assets: PlanningAsset[];
  const moment = { now: new Date('2020-01-01'), dynamicKeys: () => [], customKeys: () => [] };
  const model = () => buildPlanningModel(assets, moment);
  const keyAt = (ordinal: number): string => model().setOf(0).keyAt(ordinal);

  const materialize = (key: string, ordinals: Iterable<number>, version: string): void => {
    const declared = model();
    const index = declared.requireIndex(key);
    for (const ordinal of ordinals) {
      const inputs: InputVersion[] = [];
      for (const { declared: of, upstream, mapping } of declared.dependenciesOf(index)) {
        mapping.upstreamOf(ordinal, (from, to) => {
          for (let at = from; at < to; at++) {
            const found = facts.version(of.upstream, declared.setOf(upstream).keyAt(at));
            if (found) inputs.push(found);
          }
        });
      }
      facts.materialize(declared.assets[index]!, declared.setOf(index).keyAt(ordinal), version, inputs);
    }
  };
  const all = (size = HOURS): number[] => Array.from({ length: size }, (_, ordinal) => ordinal);

  const withoutSummaries = (): PlanningFacts => ({
    heads: (queries) => facts.heads(queries),
    headsFrom: (...page) => facts.headsFrom(...page),
    consumed: (ids) => facts.consumed(ids),
    breath: async () => {},
    waits: async () => [],
  });

  /** The quick answer, which has to be that from all heads, as `state: count` of each range. */
  const status = async (key: string): Promise<string[]> => {
    const plain = withoutSummaries();
    const declared = model();
    const { ranges, failed } = await summarizeStatus(declared, plain, key);
    const names = ['missing', 'stale', 'fresh'];
    const summarized = { ...plain, summaries: facts.store };
    const quick = (await readQuickStates(declared, summarized, declared.requireIndex(key), 1000))!;
    const states = ranges.flatMap(({ state, count }) => Array<number>(count).fill(names.indexOf(state)));
    expect(Buffer.compare(quick.states, Uint8Array.from(states))).toBe(0);
    expect(quick.failed).toBe(failed);
    return ranges.map(({ state, count }) => `${state}: ${count}`);
  };

  beforeEach(() => {
    facts = new RecordedFacts();
    assets = [
      asset('source', hours(HOURS)),
      asset('whole', undefined),
      asset('derived', hours(HOURS), on('source'), on('whole')),
    ];
    materialize('source', all(), '1');
    materialize('whole', [0], '1');
    materialize('derived', all(), '1');
  });

  it('is fresh, and is again when what changed is as it was', async () => {
    expect(await status('derived')).toEqual(['fresh: 9000']);
    materialize('source', [3, 5000, 5001, 8999], '2');
    expect(await status('derived')).toEqual([
      ...['fresh: 3', 'stale: 1', 'fresh: 4996', 'stale: 2', 'fresh: 3997', 'stale: 1'],
    ]);
    materialize('derived', [5000], '1');
    materialize('source', [3], '1');
    expect(await status('derived')).toEqual(['fresh: 5001', 'stale: 1', 'fresh: 3997', 'stale: 1']);
  });

  it('finds what is scattered, stands together, is missing, failed or invalidated', async () => {
    await status('derived');
    materialize(
      'source',
      all().filter((at) => (at * 7919) % 100 === 0),
      '2',
    );
    await status('derived');
    materialize('source', all().slice(4000, 5000), '3');
    await status('derived');
    for (const at of [70, 71, 4095, 4096]) facts.delete('derived', keyAt(at));
    for (const at of all().slice(300, 340)) facts.delete('source', keyAt(at));
    for (const at of [64, 8191]) facts.change('derived', keyAt(at), { failed: true });
    for (const at of [128, 6000]) facts.change('derived', keyAt(at), { invalidated: true });
    for (const at of [129, 6001]) facts.change('source', keyAt(at), { invalidated: true });
    facts.change('derived', keyAt(7000), { inputs: 'not ours' });
    facts.change('derived', keyAt(7001), { upstreams: null });
    expect((await status('derived')).length).toBeGreaterThan(100);
  });

  it('is stale everywhere, by code, by the whole, by what is above it', async () => {
    await status('derived');
    assets[2] = { ...assets[2]!, codeVersion: '2' };
    expect(await status('derived')).toEqual(['stale: 9000']);
    assets[2] = { ...assets[2], codeVersion: undefined };
    expect(await status('derived')).toEqual(['fresh: 9000']);
    materialize('whole', [0], '2');
    expect(await status('derived')).toEqual(['stale: 9000']);
    materialize('derived', all().slice(0, 10), '1');
    expect(await status('derived')).toEqual(['fresh: 10', 'stale: 8990']);
    assets[0] = { ...assets[0]!, codeVersion: '2' };
    expect(await status('derived')).toEqual(['stale: 9000']);
  });

  it('does not take several that differ by the same for one that differs by their sum', async () => {
    materialize('whole', [0], '2');
    materialize(
      'derived',
      all().filter((at) => at !== 1 && at !== 3),
      '1',
    );
    expect(await status('derived')).toEqual(['fresh: 1', 'stale: 1', 'fresh: 1', 'stale: 1', 'fresh: 8996']);
    for (const at of [1, 2, 3, 5]) facts.delete('derived', keyAt(at));
    for (const at of [0, 1, 4, 5]) facts.delete('source', keyAt(at));
    await status('derived');
  });

  it('is that of other hours when the scheme changes', async () => {
    await status('derived');
    assets = assets.map((each) => (each.scheme ? { ...each, scheme: hours(HOURS + 200) } : each));
    expect(await status('derived')).toEqual(['fresh: 9000', 'missing: 200']);
    const late = Partitions.hourly({ start: '2001-01-03T00', end: '2001-02-01T00' });
    assets = assets.map((each) => (each.scheme ? { ...each, scheme: late } : each));
    expect(await status('derived')).toEqual(['fresh: 696']);
  });

  it('may consume all of a large one', async () => {
    assets.push(
      asset('total', hours(HOURS), on('source', { kind: 'all' })),
      asset('newest', hours(HOURS), on('source', { kind: 'latest' })),
    );
    materialize('newest', all(), '1');
    materialize('total', [5], '1');
    expect(await status('newest')).toEqual(['fresh: 9000']);
    expect(await status('total')).toEqual(['missing: 5', 'fresh: 1', 'missing: 8994']);
    materialize('source', [17], '2');
    expect(await status('newest')).toEqual(['fresh: 9000']);
    expect(await status('total')).toEqual(['missing: 5', 'stale: 1', 'missing: 8994']);
    materialize('source', [8999], '2');
    expect(await status('newest')).toEqual(['stale: 9000']);
  });

  it('has a plan of what is stale or missing read no other heads', async () => {
    const size = SUMMARIZED_FROM + 100;
    assets = assets.map((each) => (each.scheme ? { ...each, scheme: hours(size) } : each));
    for (const key of ['source', 'derived']) materialize(key, all(size).slice(HOURS), '1');
    materialize('source', [3, 5000, size - 1], '2');
    facts.delete('derived', keyAt(7));
    const plain = withoutSummaries();
    const summarized = { ...plain, summaries: facts.store };
    await summarizeStatus(model(), summarized, 'derived');
    const most = { from: keyAt(0), to: keyAt(size - 2), only: 'stale' } as const;
    const found = { stale: 3, missing: 1, most: 2 };
    for (const [name, partitions] of Object.entries({ stale: 'stale', missing: 'missing', most } as const)) {
      const targets = [{ asset: 'derived', partitions }];
      const request = { targets, upstream: 'stale', downstream: true, force: false } as const;
      const planned = async (from: PlanningFacts) => {
        facts.headsRead = 0;
        const plan = await makePlan(model(), from, request);
        return { entries: [...plan.entries()], omitted: [...plan.omitted()], read: facts.headsRead };
      };
      const quick = await planned(summarized);
      const slow = await planned(plain);
      expect(quick.entries).toHaveLength(found[name as keyof typeof found]);
      expect([quick.entries, quick.omitted]).toEqual([slow.entries, slow.omitted]);
      expect(slow.read).toBeGreaterThan(SUMMARIZED_FROM);
      expect(quick.read).toBeLessThan(10);
    }
  });
});
