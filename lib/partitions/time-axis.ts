// The windows of a time scheme in order: a grid of wall-clock times laid over the stretches of constant offset of a zone.
// It knows ordinals, instants and keys, but neither the present nor where the scheme ends (timed-set.ts).
import type { CivilGrid } from './civil-grid.js';
import { formatCivil, formatOffset, type Precision, parseZonedCivil } from './civil-time.js';
import { firstShown, ZONE_MARGIN, zoneSegments } from './zone-clock.js';

/** What makes the windows of a scheme, beside where they begin and end. */
export interface AxisRules {
  readonly grid: CivilGrid;
  readonly zone: string;
  /** Whether a tick in an hour the clock shows twice occurs twice, instead of the first time only. */
  readonly repeats: boolean;
  readonly precision: Precision;
}

/** The ticks of one zone segment. Those of rank firstRank up to firstRank + count begin windows. */
interface Piece {
  readonly from: number;
  readonly to: number;
  readonly offset: number;
  readonly firstRank: number;
  readonly count: number;
  /** Ordinal of its first tick. */
  readonly base: number;
  /** Wall-clock times below this one, and from `repeatedFrom` on, are shown by another segment too. */
  readonly repeatedBelow: number;
  readonly repeatedFrom: number;
}

/**
 * Windows from the wall-clock time `start` on, known up to `horizon` (an instant) and a few days further. A window
 * begins the first instant at which the clock shows its tick or later, so a tick the clock skips begins with the end of the
 * gap; of several ticks in one gap only the last is a window, the others would be empty. A window ends where the next begins.
 */
export class TimeAxis {
  readonly #rules: AxisRules;
  readonly #pieces: readonly Piece[];
  /** How many ticks are known. */
  readonly count: number;

  constructor(rules: AxisRules, start: number, horizon: number) {
    this.#rules = rules;
    this.#pieces = layPieces(rules, start, horizon);
    const last = this.#pieces[this.#pieces.length - 1]!;
    this.count = last.base + last.count;
  }

  /** The instant at which window `ordinal` begins. Throws RangeError outside [0, count). */
  startAt(ordinal: number): number {
    const piece = this.#pieceOf(ordinal);
    return Math.max(piece.from, this.#civilAt(piece, ordinal) - piece.offset);
  }

  /** The key of window `ordinal`, with the offset where the clock shows its time twice and both are windows. */
  keyAt(ordinal: number): string {
    const piece = this.#pieceOf(ordinal);
    const civil = this.#civilAt(piece, ordinal);
    const key = formatCivil(civil, this.#rules.precision);
    const repeated = this.#rules.repeats && (civil < piece.repeatedBelow || civil >= piece.repeatedFrom);
    return repeated ? key + formatOffset(piece.offset) : key;
  }

  /** How many windows begin before this instant. */
  countBefore(instant: number): number {
    let low = 0;
    let high = this.#pieces.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.#pieces[middle]!.from < instant) low = middle;
      else high = middle;
    }
    const piece = this.#pieces[low]!;
    if (instant <= piece.from) return piece.base;
    const within = this.#rules.grid.rankOf(instant + piece.offset) - piece.firstRank;
    return piece.base + Math.min(piece.count, Math.max(0, within));
  }

  /** The first instant at which the clock shows this wall-clock time or later. */
  firstShown(civil: number): number {
    return firstShown(this.#pieces, civil);
  }

  /** The ordinal of a key, or -1 where no known window has it. */
  ordinalOf(key: string): number {
    const parsed = parseZonedCivil(key);
    if (!parsed) return -1;
    const { civil, offset } = parsed;
    const ordinal = this.countBefore(offset === undefined ? this.#shownAfter(civil) : civil - offset);
    return ordinal < this.count && this.keyAt(ordinal) === key ? ordinal : -1;
  }

  /** The keys of the windows that begin at this wall-clock time, where the clock shows it twice. */
  keysAtRepeated(key: string): string[] {
    const keys = this.#pieces.map((piece) => key + formatOffset(piece.offset));
    return [...new Set(keys)].filter((each) => this.ordinalOf(each) >= 0);
  }

  #shownAfter(civil: number): number {
    // Only segments from a day before on can show it; starting there keeps this logarithmic.
    let low = 0;
    let high = this.#pieces.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.#pieces[middle]!.from < civil - ZONE_MARGIN) low = middle;
      else high = middle;
    }
    return firstShown(low === 0 ? this.#pieces : this.#pieces.slice(low, low + 8), civil);
  }

  #pieceOf(ordinal: number): Piece {
    if (!(ordinal >= 0 && ordinal < this.count)) throw new RangeError(`window ${ordinal} of ${this.count}`);
    let low = 0;
    let high = this.#pieces.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.#pieces[middle]!.base <= ordinal) low = middle;
      else high = middle;
    }
    return this.#pieces[low]!;
  }

  #civilAt(piece: Piece, ordinal: number): number {
    return this.#rules.grid.civilAt(piece.firstRank + ordinal - piece.base);
  }
}

function layPieces({ grid, zone, repeats }: AxisRules, start: number, horizon: number): Piece[] {
  const segments = zoneSegments(zone, start - ZONE_MARGIN, Math.max(start, horizon) + ZONE_MARGIN);
  const first = firstShown(segments, start);
  const pieces: Piece[] = [];
  let base = 0;
  let nextRank = grid.rankOf(start);
  let shownUntil = start;
  for (const [index, segment] of segments.entries()) {
    if (segment.to <= first) continue;
    const { to, offset } = segment;
    const from = Math.max(segment.from, first);
    let firstRank = grid.rankOf(from + offset);
    const isAligned = grid.civilAt(firstRank) === from + offset;
    const isInGap = firstRank > grid.rankOf(shownUntil) && from + offset > shownUntil;
    // The last tick the clock skipped begins with the segment, unless another begins there anyway.
    if (isInGap && !isAligned) firstRank--;
    if (!repeats) firstRank = Math.max(firstRank, nextRank);
    const count = Math.max(0, grid.rankOf(to + offset) - firstRank);
    const before = segments[index - 1];
    const after = segments[index + 1];
    const repeatedBelow = before ? before.to + before.offset : -Infinity;
    const repeatedFrom = after ? after.from + after.offset : Infinity;
    pieces.push({ from, to, offset, firstRank, count, base, repeatedBelow, repeatedFrom });
    base += count;
    nextRank = Math.max(nextRank, firstRank + count);
    shownUntil = to + offset;
  }
  return pieces;
}
