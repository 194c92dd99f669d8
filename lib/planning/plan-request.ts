// What a plan is asked for, and the partitions its targets name.

import type { PartitionSelection } from '../ledger/records.js';
import { ordinalRange, requireOrdinal } from '../partitions/partition-set.js';
import { inAsset } from './asset-error.js';
import type { NodeStates } from './node-states.js';
import { OrdinalRanges } from './ordinal-ranges.js';
import type { PlanningFacts } from './planning.port.js';
import type { PlanningModel } from './planning-model.js';
import { eachRunOf, readLargeStates, STATE } from './quick-status.js';
import type { Extent } from './scope-extent.js';
import { SUMMARIZED_FROM } from './summary-upkeep.js';

/** Where what is meant stands in more pieces, the heads of all candidates are read instead. */
const MOST_PIECES = 50_000;

export interface PlanTarget {
  readonly asset: string;
  readonly partitions: PartitionSelection;
}

/** See semantics, Planning and running 1. */
export interface PlanRequest {
  readonly targets: readonly PlanTarget[];
  /**
   * Upstream of the targets: `stale` plans in what is not fresh, `all` forces everything, `none` adds nothing and
   * blocks entries whose required upstream has no value.
   */
  readonly upstream: 'stale' | 'all' | 'none';
  /** Also plan what follows downstream of the planned partitions of the targets. */
  readonly downstream: boolean;
  /** Run the targets even where they are fresh. */
  readonly force: boolean;
  /** A larger plan is refused with FLOWSTONE_PLAN_TOO_LARGE; 5,000,000 when left out. */
  readonly maxEntries?: number;
}

/** A target with the ordinals its request may mean. */
export interface ResolvedTarget {
  readonly asset: number;
  readonly candidates: OrdinalRanges;
  /** Only those of the candidates are meant that are in this state. */
  readonly state: 'missing' | 'stale' | undefined;
  /** Which of the candidates are meant, where that depends on their state. */
  readonly isMeant: (states: NodeStates, node: number) => boolean;
}

/**
 * Looks up what the targets name. Throws FLOWSTONE_PLAN_ASSET_UNKNOWN, and for keys and ranges what `requireOrdinal`
 * and `ordinalRange` throw, with the asset's name.
 */
export function resolveTargets(model: PlanningModel, targets: readonly PlanTarget[]): ResolvedTarget[] {
  return targets.map(({ asset, partitions }) => {
    const index = model.requireIndex(asset);
    const candidates = inAsset(asset, () => candidatesOf(model, index, partitions));
    const named = typeof partitions === 'string' ? partitions : partitions.only;
    const state = named === 'missing' || named === 'stale' ? named : undefined;
    return { asset: index, candidates, state, isMeant: meaningOf(named) };
  });
}

/**
 * Of large assets, whose states are told all at once, only what is in the state that is meant remains a candidate: the heads of
 * all others need not be read.
 */
export function narrowTargets(
  model: PlanningModel,
  facts: PlanningFacts,
  targets: readonly ResolvedTarget[],
): Promise<readonly ResolvedTarget[]> {
  const told = new Map<number, ReturnType<typeof readLargeStates>>();
  return Promise.all(
    targets.map(async (target) => {
      const { asset, candidates, state: meant } = target;
      if (meant === undefined || candidates.size < SUMMARIZED_FROM) return target;
      if (!told.has(asset)) told.set(asset, readLargeStates(model, facts, asset));
      const large = await told.get(asset);
      if (large === undefined) return target;
      const others: number[] = [];
      eachRunOf(large.states, (state, from, to) => {
        if (state !== STATE[meant]) others.push(from, to);
      });
      if (others.length > 2 * MOST_PIECES) return target;
      return { ...target, candidates: candidates.minus(OrdinalRanges.of(others)) };
    }),
  );
}

/** All partitions the targets may mean. */
export function extentOf(targets: readonly ResolvedTarget[]): Extent {
  const extent = new Map<number, OrdinalRanges>();
  for (const { asset, candidates } of targets) {
    extent.set(asset, candidates.union(extent.get(asset) ?? OrdinalRanges.empty));
  }
  return extent;
}

function candidatesOf(model: PlanningModel, index: number, partitions: PartitionSelection): OrdinalRanges {
  const set = model.setOf(index);
  const { scheme } = model.assets[index]!;
  if (typeof partitions === 'string') return OrdinalRanges.of([0, set.size]);
  if ('keys' in partitions) {
    const ordinals = partitions.keys.map((key) => requireOrdinal(set, scheme, key));
    return OrdinalRanges.of(ordinals.flatMap((ordinal) => [ordinal, ordinal + 1]));
  }
  const { from, to } = ordinalRange(set, scheme, partitions);
  return OrdinalRanges.of([from, to]);
}

function meaningOf(named: 'all' | 'missing' | 'stale' | 'failed' | undefined): ResolvedTarget['isMeant'] {
  if (named === 'missing' || named === 'stale') return (states, node) => states.stateOf(node) === named;
  if (named === 'failed') return (states, node) => states.hasFailed(node);
  return () => true;
}
