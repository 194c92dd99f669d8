// Whether a condition holds of a partition, and why, from what is known of the partition at a moment.
import type { Condition, ConditionStatus, Leaf, Weekday } from '../../assets/condition.js';
import type { AssetState } from '../../planning/node-states.js';

/** The state of a partition, as conditions ask for it. */
export interface Standing {
  readonly state: AssetState;
  /** Its newest materialization failed or could not run. */
  readonly failed: boolean;
  /** Its checks have passed of the value that is there. */
  readonly checked: boolean;
}

/** A partition that is judged. */
export interface Subject extends Standing {
  /** How long ago its head was committed, ms; undefined: it has none. */
  readonly age: number | undefined;
  /** The upstream partitions that it consumes, by alias. */
  upstreams(): Iterable<Standing & { readonly alias: string }>;
  /** Whether a tick is due that has not been attended to. */
  isDue(cron: string, timeZone: string): boolean;
  /** Whether it is one of the newest so many. */
  isNewest(count: number): boolean;
}

/** The wall clock of a zone: minutes since midnight, and the day of the week. */
export interface WallClock {
  readonly minutes: number;
  readonly day: Weekday;
}

/** What the clocks of zones show now. */
export type Clocks = (timeZone: string) => WallClock;

/** A condition with whether it holds, and its parts likewise. */
export interface Truth {
  readonly holds: boolean;
  /** In words. */
  readonly message: string;
  readonly parts: readonly Truth[];
}

/** @param ageless olderThan() does not hold whatever the age: whether it is by age alone is seen by comparing */
export function holds(condition: Condition, subject: Subject, clocks: Clocks, ageless = false): boolean {
  switch (condition.kind) {
    case 'and':
      return condition.of.every((part) => holds(part, subject, clocks, ageless));
    case 'or':
      return condition.of.some((part) => holds(part, subject, clocks, ageless));
    case 'not':
      return !holds(condition.of, subject, clocks, ageless);
    default:
      return leafHolds(condition, subject, clocks, ageless);
  }
}

/** The same with all its parts, for people. */
export function explainTruth(condition: Condition, subject: Subject, clocks: Clocks): Truth {
  const parts =
    condition.kind === 'and' || condition.kind === 'or' ? condition.of : condition.kind === 'not' ? [condition.of] : [];
  return {
    holds: holds(condition, subject, clocks),
    message: describeCondition(condition),
    parts: parts.map((part) => explainTruth(part, subject, clocks)),
  };
}

function leafHolds(leaf: Leaf, subject: Subject, clocks: Clocks, ageless: boolean): boolean {
  switch (leaf.kind) {
    case 'status':
      return isSo(subject, leaf.is);
    case 'upstream': {
      const { of, is, which } = leaf;
      let some = false;
      for (const upstream of subject.upstreams()) {
        if (of && !of.includes(upstream.alias)) continue;
        some = true;
        if (isSo(upstream, is) === (which === 'any')) return which === 'any';
      }
      return some && which === 'all';
    }
    case 'older':
      return !ageless && (subject.age === undefined || subject.age > leaf.than);
    case 'tick':
      return subject.isDue(leaf.cron, leaf.timeZone);
    case 'during':
      return isDuring(leaf, clocks(leaf.timeZone));
    case 'newest':
      return subject.isNewest(leaf.count);
    case 'never':
      return false;
  }
}

function isSo({ state, failed, checked }: Standing, is: ConditionStatus): boolean {
  if (is === 'checked') return checked;
  return is === 'failed' ? failed : state === is;
}

const DAYS: readonly Weekday[] = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

function isDuring({ from, to, days }: Leaf & { readonly kind: 'during' }, { minutes, day }: WallClock): boolean {
  const overMidnight = to < from;
  const after = overMidnight && minutes < to;
  if (overMidnight ? minutes < from && !after : minutes < from || minutes >= to) return false;
  // After midnight it is the window of the day before.
  const begun = after ? DAYS[(DAYS.indexOf(day) + 6) % 7]! : day;
  return days === undefined || days.includes(begun);
}

/** The clocks of zones at an instant; each zone is asked once. */
export function clocksAt(now: Date): Clocks {
  const known = new Map<string, WallClock>();
  return (timeZone) => {
    let clock = known.get(timeZone);
    if (!clock) {
      const parts = new Intl.DateTimeFormat('en-US', {
        timeZone,
        weekday: 'short',
        hour: '2-digit',
        minute: '2-digit',
        hourCycle: 'h23',
      }).formatToParts(now);
      const part = (type: string): string => parts.find((each) => each.type === type)!.value;
      const minutes = Number(part('hour')) * 60 + Number(part('minute'));
      known.set(timeZone, (clock = { minutes, day: part('weekday').toLowerCase() as Weekday }));
    }
    return clock;
  };
}

const STATUS_WORDS = {
  missing: 'is missing',
  stale: 'is stale',
  fresh: 'is fresh',
  failed: 'failed at the last try',
  checked: 'has passed its checks',
} as const;

/** A condition in words. */
export function describeCondition(condition: Condition): string {
  switch (condition.kind) {
    case 'and':
    case 'or':
      return condition.of.length === 1
        ? describeCondition(condition.of[0]!)
        : condition.of.map((part) => inBrackets(part, condition.kind)).join(` ${condition.kind} `);
    case 'not':
      return `not (${describeCondition(condition.of)})`;
    case 'status':
      return `it ${STATUS_WORDS[condition.is]}`;
    case 'upstream': {
      const names = condition.of ? ` of ${condition.of.join(', ')}` : '';
      return `${condition.which === 'any' ? 'an' : 'each'} upstream${names} ${STATUS_WORDS[condition.is]}`;
    }
    case 'older':
      return `its value is older than ${lengthOf(condition.than)}`;
    case 'tick':
      return `a tick of '${condition.cron}' (${condition.timeZone}) is due`;
    case 'during': {
      const days = condition.days ? ` on ${condition.days.join(', ')}` : '';
      return `it is between ${timeOf(condition.from)} and ${timeOf(condition.to)}${days} (${condition.timeZone})`;
    }
    case 'newest':
      return condition.count === 1
        ? 'it is the newest partition'
        : `it is one of the newest ${condition.count} partitions`;
    case 'never':
      return 'never';
  }
}

function inBrackets(part: Condition, within: 'and' | 'or'): string {
  const text = describeCondition(part);
  const mixed = (part.kind === 'and' || part.kind === 'or') && part.kind !== within && part.of.length > 1;
  return mixed ? `(${text})` : text;
}

function timeOf(minutes: number): string {
  return `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`;
}

function lengthOf(milliseconds: number): string {
  for (const [unit, length] of [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
  ] as const) {
    if (milliseconds >= length && milliseconds % length === 0) return `${milliseconds / length}${unit}`;
  }
  return `${milliseconds}ms`;
}
