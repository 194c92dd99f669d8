// Which partitions follow from some that change: by what is declared, through the mappings, whether or not they ever ran.
import type { PartitionSelection } from '../ledger/records.js';
import type { PartitionKeyInput } from '../partitions/partition-key.js';
import { ordinalRange, requireOrdinal } from '../partitions/partition-set.js';
import { inAsset } from '../planning/asset-error.js';
import { OrdinalRanges } from '../planning/ordinal-ranges.js';
import type { Pace } from '../planning/pace.js';
import type { PlanningModel } from '../planning/planning-model.js';
import { withDownstream, type Extent } from '../planning/scope-extent.js';
import { FlowStoneError } from '../flowstone.errors.js';
import type { PartitionsOfLineage } from './lineage.requests.js';

/** Partitions of one asset that change. */
export interface ChangedPartitions {
  /** Its index in the model. */
  readonly asset: number;
  readonly partitions: OrdinalRanges;
}

/**
 * The partitions that a caller names.
 * @throws FlowStoneError FLOWSTONE_PLAN_ASSET_UNKNOWN, FLOWSTONE_PARTITION_* for keys and ranges
 */
export function namedPartitions(
  model: PlanningModel,
  asset: string,
  { partition, partitions }: PartitionsOfLineage,
): ChangedPartitions {
  if (partition !== undefined && partitions !== undefined) {
    const message = 'Pass either `partition` or `partitions`, not both.';
    throw new FlowStoneError('FLOWSTONE_REQUEST_INVALID', message, { context: { asset } });
  }
  const index = model.requireIndex(asset);
  const set = model.setOf(index);
  const { scheme } = model.assets[index]!;
  const ordinalOf = (key: PartitionKeyInput): number => requireOrdinal(set, scheme, key);
  const read = (): OrdinalRanges => {
    if (partition !== undefined) return OrdinalRanges.of([ordinalOf(partition), ordinalOf(partition) + 1]);
    if (partitions === undefined || partitions === 'all') return OrdinalRanges.of([0, set.size]);
    if ('from' in partitions) {
      const { from, to } = ordinalRange(set, scheme, partitions);
      return OrdinalRanges.of([from, to]);
    }
    return OrdinalRanges.of(partitions.map(ordinalOf).flatMap((ordinal) => [ordinal, ordinal + 1]));
  };
  return { asset: index, partitions: inAsset(asset, read) };
}

/** The partitions themselves and all that consumes them, directly or not. @throws FlowStoneError FLOWSTONE_PLAN_TOO_LARGE */
export function affectedBy(model: PlanningModel, changed: ChangedPartitions, pace: Pace): Promise<Extent> {
  return withDownstream(model, new Map([[changed.asset, changed.partitions]]), pace);
}

/** As a request names what is stale of these partitions: of all there are when it is planned, where these are all now. */
export function staleOf(model: PlanningModel, asset: number, ranges: OrdinalRanges): readonly PartitionSelection[] {
  const set = model.setOf(asset);
  if (ranges.size === set.size) return ['stale'];
  const single: string[] = [];
  const selections: PartitionSelection[] = [];
  ranges.starts.forEach((start, at) => {
    const last = ranges.ends[at]! - 1;
    if (last === start) single.push(set.keyAt(start));
    else selections.push({ from: set.keyAt(start), to: set.keyAt(last), only: 'stale' });
  });
  return single.length > 0 ? [{ keys: single, only: 'stale' }, ...selections] : selections;
}
