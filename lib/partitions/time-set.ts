// The partitions of a time scheme at one moment.
// The arithmetic is in time-axis.ts, the keys of windows that may not exist in time-key.ts, other kinds of sets in partition-set.ts.
import { LAST_CIVIL } from './civil-time.js';
import type { TimeScheme } from './partition-scheme.js';
import type { PartitionSet } from './partition-set.type.js';
import type { TimeAxis } from './time-axis.js';
import { timeAxis, timeRules } from './time-rules.js';

/** The windows of a time scheme that exist at `now`, oldest first. */
export class TimeSet implements PartitionSet {
  readonly size: number;
  readonly scheme: TimeScheme;
  readonly #axis: TimeAxis;

  constructor(scheme: TimeScheme, now: Date) {
    this.scheme = scheme;
    const rules = timeRules(scheme);
    const present = Math.min(now.getTime(), LAST_CIVIL);
    this.#axis = timeAxis(rules, Math.min(present, rules.end));
    const begun = this.#axis.countBefore(present + 1);
    // Windows follow each other: the last one that has begun is the only one that has not ended.
    const existing = rules.includeCurrent ? begun : Math.max(0, begun - 1);
    const declared = rules.end === Infinity ? existing : this.#axis.countBefore(this.#axis.firstShown(rules.end));
    this.size = Math.min(existing, declared);
  }

  keyAt(ordinal: number): string {
    this.#require(ordinal);
    return this.#axis.keyAt(ordinal);
  }

  ordinalOf(key: string): number {
    const ordinal = this.#axis.ordinalOf(key);
    return ordinal < this.size ? ordinal : -1;
  }

  windowAt(ordinal: number): { start: Date; end: Date } {
    return { start: new Date(this.startAt(ordinal)), end: new Date(this.endAt(ordinal)) };
  }

  dimensionsAt(): undefined {
    return undefined;
  }

  /** The instant in ms at which window `ordinal` begins. */
  startAt(ordinal: number): number {
    this.#require(ordinal);
    return this.#axis.startAt(ordinal);
  }

  /** The instant in ms at which window `ordinal` ends. */
  endAt(ordinal: number): number {
    this.#require(ordinal);
    return this.#axis.startAt(ordinal + 1);
  }

  /** How many partitions begin before this instant. */
  countBefore(instant: number): number {
    return Math.min(this.size, this.#axis.countBefore(instant));
  }

  /**
   * How far the ordinals of `other`, whose windows are the same but may begin and end elsewhere, are ahead of these:
   * the window of ordinal n here is ordinal n + shift there.
   */
  shiftTo(other: TimeSet): number {
    const rules = timeRules(this.scheme);
    const otherRules = timeRules(other.scheme);
    if (rules.start === otherRules.start) return 0;
    const first = this.#axis.firstShown(rules.start);
    const otherFirst = other.#axis.firstShown(otherRules.start);
    // Either set may have ended before the other begins, so both are counted on an axis that holds both beginnings.
    const axis = timeAxis(rules, Math.max(first, otherFirst), Math.min(rules.start, otherRules.start));
    return axis.countBefore(first) - axis.countBefore(otherFirst);
  }

  #require(ordinal: number): void {
    if (!(ordinal >= 0 && ordinal < this.size)) throw new RangeError(`partition ${ordinal} of ${this.size}`);
  }
}
