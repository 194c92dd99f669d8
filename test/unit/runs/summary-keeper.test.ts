import { beforeEach, describe, expect, it } from '@jest/globals';
import { Partitions } from '../../../lib/partitions/partitions.js';
import type { PlanningAsset, PlanningFacts } from '../../../lib/planning/planning.port.js';
import { buildPlanningModel } from '../../../lib/planning/planning-model.js';
import { SummaryKeeper } from '../../../lib/runs/summary.keeper.js';
import { RecordedFacts } from '../planning/recorded-facts.js';

const asset = (key: string, end: string): PlanningAsset => ({
  ...{ key, external: false, codeVersion: undefined, dependencies: [] },
  scheme: Partitions.hourly({ start: '2001-01-01T00', end }),
});
const LARGE = asset('large', '2002-06-01T00');
const SMALL = asset('small', '2001-02-01T00');

describe('the keeper of summaries', () => {
  let recorded: RecordedFacts;
  let keeper: SummaryKeeper;

  beforeEach(() => {
    recorded = new RecordedFacts();
    const facts: PlanningFacts = {
      heads: (queries) => recorded.heads(queries),
      headsFrom: (...page) => recorded.headsFrom(...page),
      consumed: (ids) => recorded.consumed(ids),
      breath: async () => {},
      waits: async () => [],
      summaries: recorded.store,
    };
    const moment = { now: new Date('2020-01-01'), dynamicKeys: () => [], customKeys: () => [] };
    const model = async () => buildPlanningModel([LARGE, SMALL], moment);
    keeper = new SummaryKeeper({ facts, model, failed: () => {} });
  });

  const kept = async (key: string) => {
    const [summary] = await recorded.store.kept([{ asset: key, versions: false, inputs: false }]);
    return summary && { version: summary.version, changed: summary.changed, chunks: summary.chunks.length };
  };

  it('makes those of large assets at its first look', async () => {
    recorded.materialize(LARGE, '2001-01-01T05', '1');
    await keeper.look();
    expect(await kept('large')).toEqual({ version: 1, changed: 0, chunks: 1 });
    expect(await kept('small')).toBeUndefined();
  });

  it('renews one once nothing has changed between two looks', async () => {
    await keeper.look();
    recorded.materialize(LARGE, '2001-01-01T05', '1');
    await keeper.look();
    recorded.materialize(LARGE, '2002-03-01T05', '1');
    await keeper.look();
    expect(await kept('large')).toEqual({ version: 1, changed: 2, chunks: 0 });
    await keeper.look();
    expect(await kept('large')).toEqual({ version: 2, changed: 0, chunks: 2 });
    await keeper.look();
    expect(await kept('large')).toEqual({ version: 2, changed: 0, chunks: 2 });
  });

  it('forgets those of assets that are not large any more', async () => {
    await recorded.store.watch('small');
    await recorded.store.watch('gone');
    await keeper.look();
    expect(await recorded.store.watched()).toEqual(['large']);
  });

  it('begins nothing more once it is closed', async () => {
    await keeper.close();
    await keeper.look();
    expect(await kept('large')).toBeUndefined();
  });
});
