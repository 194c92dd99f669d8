// In what two values differ, for people: places and what was and is there, bounded.
import diff from 'microdiff';
import type { JsonValue } from '../ledger/records.js';

/** Differences told at most. */
const MOST_DIFFERENCES = 200;

/** One place in which two values differ. Left out: it was not there, or is not any more. */
export interface ValueDifference {
  /** Names and indices from the outside in; empty: the value itself. */
  readonly path: readonly (string | number)[];
  readonly before?: JsonValue;
  readonly after?: JsonValue;
}

/** The differences, in the order of the values; the first so many. */
export function differencesOf(before: JsonValue, after: JsonValue): readonly ValueDifference[] {
  // Neither of the two can be compared by its parts.
  if (!isCompound(before) || !isCompound(after) || Array.isArray(before) !== Array.isArray(after)) {
    return before === after ? [] : [{ path: [], before, after }];
  }
  return diff(before as object, after as object, { cyclesFix: false })
    .slice(0, MOST_DIFFERENCES)
    .map((difference): ValueDifference => {
      const { path } = difference;
      if (difference.type === 'CREATE') return { path, after: difference.value as JsonValue };
      if (difference.type === 'REMOVE') return { path, before: difference.oldValue as JsonValue };
      return { path, before: difference.oldValue as JsonValue, after: difference.value as JsonValue };
    });
}

function isCompound(value: JsonValue): boolean {
  return typeof value === 'object' && value !== null;
}
