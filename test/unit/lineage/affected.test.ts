import { describe, expect, it } from '@jest/globals';
import { affectedBy, namedPartitions, staleOf } from '../../../lib/lineage/affected.js';
import { OrdinalRanges } from '../../../lib/planning/ordinal-ranges.js';
import { Pace } from '../../../lib/planning/pace.js';
import { buildPlanningModel } from '../../../lib/planning/planning-model.js';
import { asset, daily, DAYS, moment, on } from '../planning/planning-assets.js';
import { RecordedFacts } from '../planning/recorded-facts.js';

const model = buildPlanningModel(
  [
    asset('raw', { scheme: daily }),
    asset('clean', { scheme: daily, dependencies: [on('raw')] }),
    asset('late', { scheme: daily, dependencies: [on('raw', { ordering: true })] }),
    asset('some', { scheme: daily, dependencies: [on('raw', { optional: true })] }),
  ],
  moment,
);
const named = (partitions: Parameters<typeof namedPartitions>[2]) =>
  namedPartitions(model, 'raw', partitions).partitions.pairs();

describe('the partitions a caller names', () => {
  it('are one, some, a range with both ends, or all', () => {
    const [first, second] = DAYS;
    expect(named({ partition: second })).toEqual([1, 2]);
    expect(named({ partitions: [second, first] })).toEqual([0, 2]);
    expect(named({ partitions: { from: first, to: second } })).toEqual([0, 2]);
    expect(named({ partitions: 'all' })).toEqual([0, DAYS.length]);
    expect(named({})).toEqual([0, DAYS.length]);
    expect(named({ partitions: [] })).toEqual([]);
  });

  it('are refused with the name of the asset', () => {
    expect(() => named({ partition: '1999-01-01' })).toThrow(/^asset raw: /);
    expect(() => named({ partition: DAYS[0], partitions: 'all' })).toThrow('not both');
    expect(() => namedPartitions(model, 'row', {})).toThrow('did you mean "raw"');
  });
});

describe('what is affected', () => {
  it('consumes it, optional or not, and does not merely come after it', async () => {
    const extent = await affectedBy(
      model,
      namedPartitions(model, 'raw', { partition: DAYS[0] }),
      new Pace(new RecordedFacts()),
    );
    expect([...extent.keys()].map((index) => model.assets[index]!.key).toSorted()).toEqual(['clean', 'raw', 'some']);
  });

  it('is named by ranges in a request of what is stale of it, and as a whole where it is that', () => {
    const [first, second, third] = DAYS;
    expect(staleOf(model, 0, OrdinalRanges.of([0, DAYS.length]))).toEqual(['stale']);
    expect(staleOf(model, 0, OrdinalRanges.of([0, 2]))).toEqual([{ from: first, to: second, only: 'stale' }]);
    expect(staleOf(model, 0, OrdinalRanges.of([0, 1, 2, 3]))).toEqual([{ keys: [first, third], only: 'stale' }]);
    expect(staleOf(model, 0, OrdinalRanges.empty)).toEqual([]);
  });
});
