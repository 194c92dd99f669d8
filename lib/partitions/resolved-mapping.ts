// What a resolved mapping answers, and the resolved mappings between two sets without dimensions: arithmetic or look-ups.
// Products of dimensions are in product-mapping.ts, mapping functions in function-mapping.ts.
import type { Cardinality } from './mapping-spec.js';
import type { PartitionSet } from './partition-set.type.js';
import { timeKeyNear } from './time-key.js';
import type { TimeSet } from './time-set.js';

/** Is told a run of ordinals [from, to); of one answer, runs never overlap. */
export type Visit = (from: number, to: number) => void;

/** A mapping between the partitions that exist at one moment, by their ordinals. Both directions agree. */
export interface ResolvedMapping {
  readonly cardinality: Cardinality;
  /** The upstream partitions that downstream partition `down` consumes. */
  upstreamOf(down: number, visit: Visit): void;
  /** The downstream partitions that consume upstream partition `up`. */
  downstreamOf(up: number, visit: Visit): void;
  /**
   * What the mapping names and the upstream has not, for messages: keys, or in words where nothing names them. Empty where
   * that is allowed. With anything in it, `down` cannot be computed.
   */
  missingOf(down: number): readonly string[];
}

/** Longest list of missing keys; what is beyond is counted. */
const MISSING_SHOWN = 20;

/** Cuts a list of missing keys to what a message can show. */
export function capMissing(keys: readonly string[]): readonly string[] {
  if (keys.length <= MISSING_SHOWN) return keys;
  return [...keys.slice(0, MISSING_SHOWN), `and ${keys.length - MISSING_SHOWN} more`];
}

/** Every downstream partition consumes the same upstream ones. */
export class ConstantMapping implements ResolvedMapping {
  constructor(
    readonly cardinality: Cardinality,
    private readonly runs: readonly (readonly [from: number, to: number])[],
    private readonly downSize: number,
    private readonly missing: readonly string[],
  ) {}

  upstreamOf(_down: number, visit: Visit): void {
    for (const [from, to] of this.runs) visit(from, to);
  }

  downstreamOf(up: number, visit: Visit): void {
    if (this.downSize > 0 && this.runs.some(([from, to]) => from <= up && up < to)) visit(0, this.downSize);
  }

  missingOf(): readonly string[] {
    return this.missing;
  }
}

/** Ordinals at fixed offsets: the same windows, or those some windows before or after, of sets that may begin elsewhere. */
export class ShiftMapping implements ResolvedMapping {
  /** `shift`: how far the upstream's ordinals are ahead of those of the same windows here; `start`, `end`: offsets, inclusive. */
  constructor(
    readonly cardinality: Cardinality,
    private readonly downSize: number,
    private readonly upSize: number,
    private readonly offsets: { readonly shift: number; readonly start: number; readonly end: number },
    private readonly missingKey: ((down: number, offset: number) => string) | undefined,
  ) {}

  /** Whether each partition consumes that of its own ordinal, and no other. */
  get isSame(): boolean {
    const { shift, start, end } = this.offsets;
    return shift === 0 && start === 0 && end === 0;
  }

  upstreamOf(down: number, visit: Visit): void {
    const { shift, start, end } = this.offsets;
    const from = Math.max(0, down + shift + start);
    const to = Math.min(this.upSize, down + shift + end + 1);
    if (from < to) visit(from, to);
  }

  downstreamOf(up: number, visit: Visit): void {
    const { shift, start, end } = this.offsets;
    const from = Math.max(0, up - shift - end);
    const to = Math.min(this.downSize, up - shift - start + 1);
    if (from < to) visit(from, to);
  }

  missingOf(down: number): readonly string[] {
    const { shift, start, end } = this.offsets;
    const origin = down + shift;
    if (!this.missingKey || (origin + start >= 0 && origin + end < this.upSize)) return [];
    const keys: string[] = [];
    const before = Math.min(end, -origin - 1);
    for (let offset = start; offset <= before && keys.length < MISSING_SHOWN; offset++) {
      keys.push(this.missingKey(down, offset));
    }
    const after = Math.max(start, this.upSize - origin);
    for (let offset = after; offset <= end && keys.length < MISSING_SHOWN; offset++) {
      keys.push(this.missingKey(down, offset));
    }
    const count = Math.max(0, before - start + 1) + Math.max(0, end - after + 1);
    return count > keys.length ? [...keys, `and ${count - keys.length} more`] : keys;
  }
}

/** The key of the window at an offset from a window of the set, whether or not it exists. */
export function windowKeyNear(set: TimeSet, ordinal: number, offset: number): string {
  return timeKeyNear(set.scheme, set.startAt(ordinal), offset) ?? `${set.keyAt(ordinal)} ${offset} windows on`;
}

/** The same key in two lists. */
export class LookupMapping implements ResolvedMapping {
  readonly cardinality = 'one';
  readonly #up: Int32Array;
  readonly #down: Int32Array;

  constructor(
    private readonly down: PartitionSet,
    up: PartitionSet,
    private readonly allowMissing: boolean,
  ) {
    this.#up = new Int32Array(down.size);
    this.#down = new Int32Array(up.size).fill(-1);
    for (let ordinal = 0; ordinal < down.size; ordinal++) {
      const found = up.ordinalOf(down.keyAt(ordinal));
      this.#up[ordinal] = found;
      if (found >= 0) this.#down[found] = ordinal;
    }
  }

  upstreamOf(down: number, visit: Visit): void {
    const up = this.#up[down]!;
    if (up >= 0) visit(up, up + 1);
  }

  downstreamOf(up: number, visit: Visit): void {
    const down = this.#down[up]!;
    if (down >= 0) visit(down, down + 1);
  }

  missingOf(down: number): readonly string[] {
    return this.allowMissing || this.#up[down]! >= 0 ? [] : [this.down.keyAt(down)];
  }
}

/** The windows that overlap. */
export class OverlapMapping implements ResolvedMapping {
  readonly cardinality = 'many';

  constructor(
    private readonly down: TimeSet,
    private readonly up: TimeSet,
    private readonly allowMissing: boolean,
  ) {}

  upstreamOf(down: number, visit: Visit): void {
    visitOverlap(this.down, down, this.up, visit);
  }

  downstreamOf(up: number, visit: Visit): void {
    visitOverlap(this.up, up, this.down, visit);
  }

  missingOf(down: number): readonly string[] {
    if (this.allowMissing) return [];
    let isNone = true;
    visitOverlap(this.down, down, this.up, () => (isNone = false));
    if (!isNone) return [];
    const { start, end } = this.down.windowAt(down);
    return [`any window that overlaps ${start.toISOString()} to ${end.toISOString()}`];
  }
}

function visitOverlap(set: TimeSet, ordinal: number, other: TimeSet, visit: Visit): void {
  const start = set.startAt(ordinal);
  const to = other.countBefore(set.endAt(ordinal));
  // The last window that begins by `start` overlaps too, unless it is the newest and has ended before.
  let from = Math.max(0, other.countBefore(start + 1) - 1);
  if (from < to && other.endAt(from) <= start) from++;
  if (from < to) visit(from, to);
}
