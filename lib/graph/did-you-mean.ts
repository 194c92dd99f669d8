// The nearest known name to a mistyped one, for error messages everywhere. Not here: the messages themselves.

/** Longer names are not compared: an edit distance costs the product of both lengths. */
const longestCompared = 200;

/**
 * The candidate that was most likely meant by `name`, or undefined when none is near (more than a third of the
 * name's letters differ). A swap of two neighbours counts as one mistake; letter case does not count. Among equally near ones
 * the first wins, so that the answer depends on nothing but the arguments.
 */
export function closest(name: string, candidates: Iterable<string>): string | undefined {
  if (name.length > longestCompared) return undefined;
  const wanted = name.toLowerCase();
  let nearest: string | undefined;
  let allowed = Math.max(1, Math.floor(wanted.length / 3));
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - wanted.length) > allowed) continue;
    const distance = editDistance(wanted, candidate.toLowerCase(), allowed);
    if (distance > allowed) continue;
    nearest = candidate;
    if (distance === 0) break;
    allowed = distance - 1;
  }
  return nearest;
}

/** A phrase to end a message with: ` (did you mean "x"?)`, or nothing when no candidate is near. */
export function didYouMean(name: string, candidates: Iterable<string>): string {
  const nearest = closest(name, candidates);
  return nearest === undefined ? '' : ` (did you mean "${nearest}"?)`;
}

/** The same where no bracket fits: `, did you mean "x"?`, or nothing. */
export function suggestion(name: string, candidates: Iterable<string>): string {
  const nearest = closest(name, candidates);
  return nearest === undefined ? '' : `, did you mean "${nearest}"?`;
}

/** The first name in `given` that is none of `known`, with what was most likely meant: `ues (did you mean "use"?)`. */
export function unknownName(given: object, known: readonly string[]): string | undefined {
  const unknown = Object.keys(given).find((name) => !known.includes(name));
  return unknown === undefined ? undefined : `${unknown}${didYouMean(unknown, known)}`;
}

/** Optimal string alignment distance; gives up with `limit + 1` as soon as the limit is out of reach. */
function editDistance(a: string, b: string, limit: number): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    let best = row;
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let cost = Math.min(last[column]! + 1, current[column - 1]! + 1, last[column - 1]! + (same ? 0 : 1));
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (swapped) cost = Math.min(cost, beforeLast[column - 2]! + 1);
      current[column] = cost;
      if (cost < best) best = cost;
    }
    if (best > limit + 1) return limit + 1;
    beforeLast = last;
    last = current;
  }
  return last[b.length]!;
}
