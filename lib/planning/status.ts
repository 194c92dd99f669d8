// The status of one partition, and of an asset as a whole. Computed on read, never stored.

import { requireOrdinal } from '../partitions/partition-set.js';
import { inAsset } from './asset-error.js';
import { explainNode } from './explanation.js';
import type { AssetState } from './node-states.js';
import { NodeStates, STATE_NAMES } from './node-states.js';
import { OrdinalRanges } from './ordinal-ranges.js';
import { Pace } from './pace.js';
import { eachRunOf, readLargeStates, type QuickStates } from './quick-status.js';
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
  const { states, failed } = (await readLargeStates(model, facts, index)) ?? (await bySearch(model, facts, index));
  const counts = { missing: 0, stale: 0, fresh: 0 };
  const ranges: StateRange[] = [];
  eachRunOf(states, (number, from, to) => {
    const state = STATE_NAMES[number]!;
    const count = to - from;
    const key = set.keyAt(from);
    counts[state] += count;
    ranges.push({ state, from: key, to: count === 1 ? key : set.keyAt(to - 1), count });
  });
  return { partitions: set.size, ...counts, failed, ranges };
}

/** The states of all partitions from their heads. */
async function bySearch(model: PlanningModel, facts: PlanningFacts, index: number): Promise<QuickStates> {
  const { size } = model.setOf(index);
  const pace = new Pace(facts);
  const scope = await openScope(model, new Map([[index, OrdinalRanges.of([0, size])]]), pace);
  const read = await NodeStates.read(scope, facts, pace);
  const states = new Uint8Array(size);
  let failed = 0;
  for (let ordinal = 0; ordinal < size; ordinal++) {
    const node = scope.nodeOf(index, ordinal);
    states[ordinal] = STATE_NAMES.indexOf(read.stateOf(node));
    if (read.hasFailed(node)) failed++;
  }
  return { states, failed };
}
