// Sets of ordinals kept as ranges: a million days of an asset are two numbers.

/** A set of ordinals as ranges `[starts[i], ends[i])`, ascending, neither overlapping nor touching. */
export class OrdinalRanges {
  static readonly empty = new OrdinalRanges([], []);

  /** How many ordinals stand before each range. */
  readonly #before: readonly number[];
  readonly size: number;

  private constructor(
    readonly starts: readonly number[],
    readonly ends: readonly number[],
  ) {
    const before: number[] = [];
    let size = 0;
    for (let at = 0; at < starts.length; at++) {
      before.push(size);
      size += ends[at]! - starts[at]!;
    }
    this.#before = before;
    this.size = size;
  }

  /** The set of all ordinals in any of the pairs `[from, to, from, to, ...]`, in any order. */
  static of(pairs: readonly number[]): OrdinalRanges {
    const byStart = Array.from({ length: pairs.length / 2 }, (_, at) => at * 2);
    byStart.sort((a, b) => pairs[a]! - pairs[b]!);
    const starts: number[] = [];
    const ends: number[] = [];
    for (const at of byStart) {
      const from = pairs[at]!;
      const to = pairs[at + 1]!;
      if (from >= to) continue;
      const last = ends.length - 1;
      if (last >= 0 && from <= ends[last]!) ends[last] = Math.max(ends[last]!, to);
      else {
        starts.push(from);
        ends.push(to);
      }
    }
    return new OrdinalRanges(starts, ends);
  }

  union(other: OrdinalRanges): OrdinalRanges {
    return OrdinalRanges.of([...this.pairs(), ...other.pairs()]);
  }

  minus(other: OrdinalRanges): OrdinalRanges {
    const pairs: number[] = [];
    let at = 0;
    for (let range = 0; range < this.starts.length; range++) {
      let from = this.starts[range]!;
      const to = this.ends[range]!;
      while (at < other.starts.length && other.ends[at]! <= from) at++;
      for (let hole = at; hole < other.starts.length && other.starts[hole]! < to; hole++) {
        pairs.push(from, other.starts[hole]!);
        from = other.ends[hole]!;
      }
      pairs.push(from, to);
    }
    return OrdinalRanges.of(pairs);
  }

  /** The place of an ordinal among all in the set, -1 when it is not in it. */
  positionOf(ordinal: number): number {
    const range = lastNotAbove(this.starts, ordinal);
    if (range === -1 || ordinal >= this.ends[range]!) return -1;
    return this.#before[range]! + ordinal - this.starts[range]!;
  }

  ordinalAt(position: number): number {
    const range = lastNotAbove(this.#before, position);
    return this.starts[range]! + position - this.#before[range]!;
  }

  /** The ordinals at the positions from .. to (exclusive), in their order. */
  eachAt(from: number, to: number, visit: (ordinal: number) => void): void {
    let left = to - from;
    for (let range = lastNotAbove(this.#before, from); left > 0; range++) {
      const start = Math.max(this.starts[range]!, this.starts[range]! + from - this.#before[range]!);
      const end = Math.min(this.ends[range]!, start + left);
      for (let ordinal = start; ordinal < end; ordinal++) visit(ordinal);
      left -= end - start;
    }
  }

  /** The ranges as `[from, to, from, to, ...]`. */
  pairs(): number[] {
    return this.starts.flatMap((start, range) => [start, this.ends[range]!]);
  }
}

/** Pairs kept before they are merged, at least. */
const fewestBeforeMerge = 8192;

/** Collects ranges in any order, repetitions included, in little memory. */
export class RangeCollector {
  #pairs: number[] = [];
  #mergeAt = fewestBeforeMerge;

  add(from: number, to: number): void {
    const pairs = this.#pairs;
    const last = pairs.length - 2;
    // Neighbours mostly name the same range or the next one: these cost no memory.
    if (last >= 0 && from >= pairs[last]! && from <= pairs[last + 1]!) {
      if (to > pairs[last + 1]!) pairs[last + 1] = to;
      return;
    }
    pairs.push(from, to);
    if (pairs.length < this.#mergeAt) return;
    this.#pairs = OrdinalRanges.of(pairs).pairs();
    this.#mergeAt = Math.max(fewestBeforeMerge, this.#pairs.length * 2);
  }

  /** All that was collected since the last call. */
  take(): OrdinalRanges {
    const ranges = OrdinalRanges.of(this.#pairs);
    this.#pairs = [];
    this.#mergeAt = fewestBeforeMerge;
    return ranges;
  }
}

/** Index of the last of ascending `values` that is not above `limit`, -1 when all are. */
function lastNotAbove(values: readonly number[], limit: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (values[middle]! <= limit) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
