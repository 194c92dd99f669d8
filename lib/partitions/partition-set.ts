// From a scheme and a moment to the partitions that exist, and from a range users name to ordinals.
// What a set answers is in partition-set.type.ts; each kind of set has its own file.
import { FlowStoneError } from '../flowstone.errors.js';
import { canonicalKey } from './canonical-key.js';
import { ListSet, WHOLE_SET } from './list-set.js';
import type { PartitionKeyInput } from './partition-key.js';
import type { PartitionScheme, SingleScheme } from './partition-scheme.js';
import type { PartitionMoment, PartitionSet } from './partition-set.type.js';
import { ProductSet } from './product-set.js';
import { TimeSet } from './time-set.js';

export { canonicalKey, customKeys } from './canonical-key.js';
export type { PartitionMoment, PartitionSet, PartitionWindow } from './partition-set.type.js';

/**
 * The partitions of a scheme that exist at a moment; without a scheme exactly one, whose key is `WHOLE`.
 * Throws FLOWSTONE_PARTITION_SCHEME_INVALID for a scheme the boot check refuses and FLOWSTONE_PARTITION_TOO_MANY.
 */
export function resolvePartitions(scheme: PartitionScheme | undefined, moment: PartitionMoment): PartitionSet {
  if (scheme === undefined) return WHOLE_SET;
  if (scheme.kind !== 'multi') return resolveSingle(scheme, moment);
  return new ProductSet(
    Object.entries(scheme.dimensions).map(([name, dimension]) => [name, resolveSingle(dimension, moment)] as const),
  );
}

function resolveSingle(scheme: SingleScheme, moment: PartitionMoment): PartitionSet {
  switch (scheme.kind) {
    case 'static':
      return new ListSet(scheme.keys);
    case 'dynamic':
      return new ListSet(moment.dynamicKeys(scheme.name));
    case 'custom':
      return new ListSet(moment.customKeys(scheme), scheme.dimensions);
    default:
      return new TimeSet(scheme, moment.now);
  }
}

/**
 * The ordinals [from, to) of a range users name by its first and last key, both inclusive; a bound left out is the first or the last
 * partition that exists. Throws FLOWSTONE_PARTITION_KEY_INVALID, FLOWSTONE_PARTITION_UNKNOWN (a bound that does not
 * exist) or FLOWSTONE_PARTITION_RANGE_INVALID (the bounds are the wrong way round).
 */
export function ordinalRange(
  set: PartitionSet,
  scheme: PartitionScheme | undefined,
  range: { readonly from?: PartitionKeyInput | undefined; readonly to?: PartitionKeyInput | undefined },
): { from: number; to: number } {
  const from = range.from === undefined ? 0 : requireOrdinal(set, scheme, range.from);
  const to = range.to === undefined ? set.size : requireOrdinal(set, scheme, range.to) + 1;
  if (from >= to && set.size > 0) {
    const [first, last] = [set.keyAt(from), set.keyAt(to - 1)];
    throw new FlowStoneError(
      'FLOWSTONE_PARTITION_RANGE_INVALID',
      `the range from '${first}' to '${last}' ends before it begins; swap its bounds`,
      { context: { from: first, to: last } },
    );
  }
  return { from, to };
}

/** The ordinal of a partition users name. Throws FLOWSTONE_PARTITION_KEY_INVALID or FLOWSTONE_PARTITION_UNKNOWN. */
export function requireOrdinal(
  set: PartitionSet,
  scheme: PartitionScheme | undefined,
  input: PartitionKeyInput,
): number {
  const key = canonicalKey(scheme, input);
  const ordinal = set.ordinalOf(key);
  if (ordinal >= 0) return ordinal;
  const existing = set.size === 0 ? 'none exist yet' : `they go from '${set.keyAt(0)}' to '${set.keyAt(set.size - 1)}'`;
  throw new FlowStoneError(
    'FLOWSTONE_PARTITION_UNKNOWN',
    `there is no partition '${key}': of ${set.size} partitions ${existing}; name one that exists`,
    { context: { partition: key, size: set.size } },
  );
}
