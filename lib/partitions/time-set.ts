// The partitions of a time scheme at one moment, and the canonical keys of its windows at any.
// The arithmetic is in time-axis.ts; other kinds of sets are in partition-set.ts.
import { DAY, LAST_CIVIL, parseZonedCivil } from './civil-time.js';
import type { TimeScheme } from './partition-scheme.js';
import type { PartitionSet } from './partition-set.type.js';
import type { TimeAxis } from './time-axis.js';
import { timeAxis, timeRules } from './time-rules.js';
import { ZONE_MARGIN } from './zone-clock.js';

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

/** The key of the window that holds the instant, whether or not the scheme's bounds do. */
export function timeKeyOf(scheme: TimeScheme, instant: Date): string {
  return timeKeyNear(scheme, instant.getTime(), 0);
}

/** The key `steps` windows after (before, where negative) the one that holds the instant in ms, whatever the scheme's bounds. */
export function timeKeyNear(scheme: TimeScheme, instant: number, steps: number): string {
  const rules = timeRules(scheme);
  // Cron ticks can lie far apart, so look further away until there are enough of them.
  for (let margin = 40 * DAY; ; margin *= 8) {
    const first = Math.max(instant - margin, EARLIEST);
    const axis = timeAxis(rules, steps > 0 ? Math.min(instant + margin, LAST_CIVIL) : instant, first);
    const ordinal = axis.countBefore(instant + 1) - 1 + steps;
    if (axis.countBefore(instant + 1) > 0 && ordinal >= 0 && ordinal < axis.count) return axis.keyAt(ordinal);
    if (first === EARLIEST && (steps <= 0 || instant + margin >= LAST_CIVIL)) {
      throw new RangeError(`no window ${steps} steps from ${instant}`);
    }
  }
}

const EARLIEST = new Date(0).setUTCFullYear(1, 0, 1);

/** Why no window of the scheme, whatever its bounds, has this key; undefined where one has. */
export function timeKeyProblem(scheme: TimeScheme, key: string): string | undefined {
  const parsed = parseZonedCivil(key);
  if (!parsed || parsed.civil < EARLIEST || parsed.civil > LAST_CIVIL) return 'it is not of that form';
  const rules = timeRules(scheme);
  const { civil } = parsed;
  const axis = timeAxis(rules, civil, Math.max(EARLIEST, civil - ZONE_MARGIN));
  if (axis.ordinalOf(key) >= 0) return undefined;
  const twice = axis.keysAtRepeated(key);
  if (twice.length > 0)
    return `the clock shows this time twice: write ${twice.map((each) => `'${each}'`).join(' or ')}`;
  const near = timeKeyNear(scheme, axis.firstShown(civil), 0);
  return near === key ? 'it is not of that form' : `no window begins then; the one it falls into is '${near}'`;
}

/** What the keys of a time scheme look like, for messages. */
export function timeKeyForm(scheme: TimeScheme): string {
  return `${KEY_FORMS[scheme.kind]} (${timeRules(scheme).zone})`;
}

const KEY_FORMS: Readonly<Record<TimeScheme['kind'], string>> = {
  hourly: "an hour such as '2001-03-04T05'",
  daily: "a day such as '2001-03-04'",
  weekly: "a week by its Monday such as '2001-03-05'",
  monthly: "a month such as '2001-03'",
  cron: "the start of a window such as '2001-03-04T05:30'",
};
