// The status of one partition, and of an asset as a whole. Computed on read, never stored.

import { requireOrdinal } from '../partitions/partition-set.js';
import { inAsset } from './asset-error.js';
import { explainNode } from './explanation.js';
import type { AssetState } from './node-states.js';
import { NodeStates } from './node-states.js';
import { OrdinalRanges } from './ordinal-ranges.js';
import { Pace } from './pace.js';
import type { PlanningFacts } from './planning.port.js';
import type { PlanningModel } from './planning-model.js';
import { openScope } from './planning-scope.js';
import type { StaleReason } from './reasons.js';

/** The state of one partition. `reasons` is empty exactly when it is fresh. */
export interface PartitionStatus {
  readonly state: AssetState;
  readonly reasons: readonly StaleReason[];
}

/** Partitions next to each other in one state; `from` and `to` are keys, both included. */
export interface StateRange {
  readonly state: AssetState;
  readonly from: string;
  readonly to: string;
  readonly count: number;
}

/** The states of all partitions of an asset that exist. */
export interface AssetStatus {
  readonly partitions: number;
  readonly missing: number;
  readonly stale: number;
  readonly fresh: number;
  /** How many of them failed, or could not run, at the last try, whatever their state. */
  readonly failed: number;
  /** All partitions, in their order. */
  readonly ranges: readonly StateRange[];
}

/**
 * The status of one partition (`''` where the asset has none). An external asset is always fresh.
 * Throws FLOWSTONE_PLAN_ASSET_UNKNOWN, FLOWSTONE_PARTITION_UNKNOWN (also for a retired partition), and
 * FLOWSTONE_PLAN_TOO_LARGE.
 */
export async function readStatus(
  model: PlanningModel,
  facts: PlanningFacts,
  asset: string,
  partition: string,
): Promise<PartitionStatus> {
  const index = model.requireIndex(asset);
  const ordinal = inAsset(asset, () => requireOrdinal(model.setOf(index), model.assets[index]!.scheme, partition));
  const pace = new Pace(facts);
  const scope = await openScope(model, new Map([[index, OrdinalRanges.of([ordinal, ordinal + 1])]]), pace);
  const states = await NodeStates.read(scope, facts, pace);
  const node = scope.nodeOf(index, ordinal);
  return { state: states.stateOf(node), reasons: await explainNode(scope, states, facts, node) };
}

/** The status of all partitions of an asset. Throws like {@link readStatus}. */
export async function summarizeStatus(model: PlanningModel, facts: PlanningFacts, asset: string): Promise<AssetStatus> {
  const index = model.requireIndex(asset);
  const set = model.setOf(index);
  const pace = new Pace(facts);
  const scope = await openScope(model, new Map([[index, OrdinalRanges.of([0, set.size])]]), pace);
  const states = await NodeStates.read(scope, facts, pace);
  const counts = { missing: 0, stale: 0, fresh: 0, failed: 0 };
  const ranges: StateRange[] = [];
  let from = 0;
  for (let ordinal = 0; ordinal < set.size; ordinal++) {
    const node = scope.nodeOf(index, ordinal);
    const state = states.stateOf(node);
    counts[state]++;
    if (states.hasFailed(node)) counts.failed++;
    const isLast = ordinal + 1 === set.size;
    if (isLast || states.stateOf(scope.nodeOf(index, ordinal + 1)) !== state) {
      ranges.push({ state, from: set.keyAt(from), to: set.keyAt(ordinal), count: ordinal + 1 - from });
      from = ordinal + 1;
    }
  }
  return { partitions: set.size, ...counts, ranges };
}
