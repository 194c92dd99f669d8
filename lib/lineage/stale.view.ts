// What of some partitions, and of all that consumes them, is not fresh: by ranges, so that none is looked at by itself where
// the status of an asset can be told otherwise.
import { Pace } from '../planning/pace.js';
import type { PlanningFacts } from '../planning/planning.port.js';
import type { PlanningModel } from '../planning/planning-model.js';
import { summarizeStatus, type AssetStatus, type StateRange } from '../planning/status.js';
import { affectedBy, type ChangedPartitions } from './affected.js';

/** How the partitions of one asset stand that follow from those asked about. */
export interface StaleAsset {
  readonly asset: string;
  /** How many of them are meant. */
  readonly partitions: number;
  readonly missing: number;
  readonly stale: number;
  readonly fresh: number;
  /** Those that are not fresh, in their order. */
  readonly ranges: readonly StateRange[];
}

/** The asset itself and all that consumes it, each after its upstreams; without what is computed elsewhere. */
export async function staleOfAll(
  model: PlanningModel,
  facts: PlanningFacts,
  changed: ChangedPartitions,
): Promise<readonly StaleAsset[]> {
  const found: StaleAsset[] = [];
  for (const [index, { starts, ends }] of await affectedBy(model, changed, new Pace(facts))) {
    const { key, external } = model.assets[index]!;
    if (external) continue;
    const set = model.setOf(index);
    const status = await summarizeStatus(model, facts, key);
    const counts = { missing: 0, stale: 0, fresh: 0 };
    const ranges: StateRange[] = [];
    for (const { state, from, to } of within(status, starts, ends)) {
      counts[state] += to - from;
      if (state !== 'fresh') ranges.push({ state, from: set.keyAt(from), to: set.keyAt(to - 1), count: to - from });
    }
    found.push({ asset: key, partitions: counts.missing + counts.stale + counts.fresh, ...counts, ranges });
  }
  return found;
}

/** The parts of ranges of states, which are all partitions in their order, that lie within these ordinals. */
function* within(
  { ranges }: AssetStatus,
  starts: readonly number[],
  ends: readonly number[],
): Generator<{ readonly state: StateRange['state']; readonly from: number; readonly to: number }> {
  let begin = 0;
  let at = 0;
  for (const { state, count } of ranges) {
    const end = begin + count;
    while (at < starts.length && ends[at]! <= begin) at++;
    for (let next = at; next < starts.length && starts[next]! < end; next++) {
      yield { state, from: Math.max(begin, starts[next]!), to: Math.min(end, ends[next]!) };
    }
    begin = end;
  }
}
