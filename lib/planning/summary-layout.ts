// Which partition has which place in the summary of an asset: its ordinal, as long as those of the partitions before it
// stay what they are. A text says what that depends on; where it changes, the summary is made anew.
import { createHash } from 'node:crypto';
import { ProductSet } from '../partitions/product-set.js';
import type { PartitionSet } from '../partitions/partition-set.js';
import { schemeFingerprint, type PartitionScheme } from '../partitions/partitions.js';
import { TimeSet } from '../partitions/time-set.js';
import type { PlanningAsset } from './planning.port.js';
import type { PlanningModel } from './planning-model.js';

/**
 * The layout of an asset's summary. Windows that come to be go to the end, so that they change nothing: of a product only
 * where time is its first dimension, since the last counts fastest. The key of the asset is in the hashes of its versions.
 */
export function layoutOf({ key, scheme }: PlanningAsset, set: PartitionSet): string {
  return createHash('sha256')
    .update(JSON.stringify([key, ...(scheme === undefined ? [] : placesIn(scheme, set))]))
    .digest('hex');
}

const places = new WeakMap<PlanningModel, Map<number, PartitionSet>>();

/**
 * The set whose ordinals are the places of heads. A renewal may take a while, and what came to be in it has a place as well:
 * who has taken in that it changed forgets the note of that.
 */
export function placesOf(model: PlanningModel, index: number): PartitionSet {
  const known = places.get(model) ?? new Map<number, PartitionSet>();
  places.set(model, known);
  let set = known.get(index);
  if (set === undefined) {
    const asset = model.assets[index]!;
    const [now, soon] = [model.setOf(index), model.setSoonOf(index)];
    set = layoutOf(asset, soon) === layoutOf(asset, now) ? soon : now;
    known.set(index, set);
  }
  return set;
}

function placesIn(scheme: PartitionScheme, set: PartitionSet): readonly unknown[] {
  if (!(set instanceof ProductSet)) return [schemeFingerprint(scheme), keysOf(set)];
  return [
    schemeFingerprint(scheme),
    ...set.dimensions.map((dimension, at) => [at === 0 ? null : dimension.set.size, keysOf(dimension.set)]),
  ];
}

/** Those that are not arithmetic. */
function keysOf(set: PartitionSet): readonly string[] | null {
  return set instanceof TimeSet ? null : Array.from({ length: set.size }, (_, ordinal) => set.keyAt(ordinal));
}
