// Conditions under which automation computes an asset, as plain data: any process can judge them, without the asset's code.
// How one is judged stands in automation/truth.ts; what `automation` takes beside them, in automation.options.ts.
import { cronProblem, zoneProblem } from '../partitions/clock-problems.js';
import { parseDuration, readDuration, type Duration } from './duration.js';
import { isRecord, shown, wholeFrom } from './expectations.js';

/**
 * The state of a partition; `failed`: its newest materialization failed or could not run; `checked`: all checks of its asset, but for those
 * that only warn, have passed of the value that is there.
 */
export type ConditionStatus = 'missing' | 'stale' | 'fresh' | 'failed' | 'checked';

export type Weekday = 'mon' | 'tue' | 'wed' | 'thu' | 'fri' | 'sat' | 'sun';

/** A condition. Make one by the functions of this file; two are equal where their JSON is. */
export type Condition =
  | { readonly kind: 'status'; readonly is: ConditionStatus }
  | {
      readonly kind: 'upstream';
      readonly which: 'any' | 'all';
      readonly is: ConditionStatus;
      /** Only these, by alias; undefined: all that are consumed. */
      readonly of?: readonly string[];
    }
  /** The head was committed more than so many ms ago, or there is none. */
  | { readonly kind: 'older'; readonly than: number }
  /** A tick of the clock that has not been attended to. */
  | { readonly kind: 'tick'; readonly cron: string; readonly timeZone: string }
  /** The time of day is in [from, to), minutes since midnight; a window that ends before it begins goes over midnight. */
  | {
      readonly kind: 'during';
      readonly from: number;
      readonly to: number;
      readonly days?: readonly Weekday[];
      readonly timeZone: string;
    }
  /** One of the newest so many partitions. */
  | { readonly kind: 'newest'; readonly count: number }
  | { readonly kind: 'never' }
  | { readonly kind: 'and' | 'or'; readonly of: readonly Condition[] }
  | { readonly kind: 'not'; readonly of: Condition };

const DAYS: readonly Weekday[] = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
const STATUSES: readonly ConditionStatus[] = ['missing', 'stale', 'fresh', 'failed', 'checked'];
const MINUTES_OF_DAY = 24 * 60;
const TIME = /^([01]\d|2[0-4]):([0-5]\d)$/;

/**
 * Computes what is missing or stale as soon as its upstreams are ready. The same as `or(status('missing'), status('stale'))`.
 */
export function eager(): Condition {
  return or(status('missing'), status('stale'));
}

/** Computes what has never been computed; what was computed once is left as it is, though it be stale. */
export function onMissing(): Condition {
  return status('missing');
}

/**
 * At each tick of the cron expression (of the wall clock of `timeZone`, default UTC), marks what is missing or stale as due,
 * and computes that once its upstreams are ready. What becomes stale after that waits for the next tick. For a run at each tick whatever the
 * state, see `@Schedule`.
 */
export function onCron(cron: string, options: { readonly timeZone?: string } = {}): Condition {
  return and({ kind: 'tick', cron, timeZone: options.timeZone ?? 'UTC' }, eager());
}

/** Never: it is computed on request only, and what depends on it waits until it has been. */
export function never(): Condition {
  return { kind: 'never' };
}

/** All of them hold. */
export function and(...of: readonly Condition[]): Condition {
  return { kind: 'and', of };
}

/** At least one of them holds. */
export function or(...of: readonly Condition[]): Condition {
  return { kind: 'or', of };
}

export function not(of: Condition): Condition {
  return { kind: 'not', of };
}

/** The partition is so ({@link ConditionStatus}). */
export function status(is: ConditionStatus): Condition {
  return { kind: 'status', is };
}

/** Of the upstream partitions that are consumed (of the dependencies with these aliases), at least one is so. */
export function anyUpstream(is: ConditionStatus, ...aliases: readonly string[]): Condition {
  return { kind: 'upstream', which: 'any', is, ...(aliases.length > 0 && { of: aliases }) };
}

/** Of the upstream partitions that are consumed (of the dependencies with these aliases), all are so. */
export function allUpstreams(is: ConditionStatus, ...aliases: readonly string[]): Condition {
  return { kind: 'upstream', which: 'all', is, ...(aliases.length > 0 && { of: aliases }) };
}

/** The value was committed more than so long ago. This alone makes automation compute again what is fresh. */
export function olderThan(age: Duration): Condition {
  return { kind: 'older', than: parseDuration(age) };
}

/**
 * The time of day is between these two, `'22:00'` to `'06:00'` over midnight; with `days`, on days of the week on which the
 * window begins. `timeZone`: default UTC.
 */
export function during(
  from: string,
  to: string,
  options: { readonly days?: readonly Weekday[]; readonly timeZone?: string } = {},
): Condition {
  const { days, timeZone = 'UTC' } = options;
  return { kind: 'during', from: minutesOf(from), to: minutesOf(to), ...(days && { days }), timeZone };
}

/** The partition is one of the newest so many: of a time scheme the last windows, else the last keys. */
export function newest(count: number): Condition {
  return { kind: 'newest', count };
}

/** NaN for what is no time of day; found at boot (conditionProblem). */
function minutesOf(time: string): number {
  const [, hours, minutes] = TIME.exec(time) ?? [];
  const sum = Number(hours) * 60 + Number(minutes);
  return sum <= MINUTES_OF_DAY ? sum : Number.NaN;
}

/** What is wrong with a condition, or nothing. `aliases`: those of the dependencies of its asset that are consumed. */
export function conditionProblem(condition: unknown, aliases: readonly string[]): string | undefined {
  if (!isRecord(condition))
    return `${shown(condition)} is no condition: use eager(), onCron(...), onMissing() and the like`;
  const { kind, of } = condition as Record<string, unknown> & Partial<Condition>;
  switch (kind) {
    case 'and':
    case 'or': {
      if (!Array.isArray(of) || of.length === 0) return `${kind}() needs at least one condition`;
      for (const part of of) {
        const problem = conditionProblem(part, aliases);
        if (problem !== undefined) return problem;
      }
      return undefined;
    }
    case 'not':
      if (mentions(of, 'tick')) return 'not() around a tick never ends: leave the cron out of not()';
      return conditionProblem(of, aliases);
    default:
      return leafProblem(condition as Leaf, aliases);
  }
}

/** A condition that is not made of others. */
export type Leaf = Exclude<Condition, { readonly of: readonly Condition[] } | { readonly kind: 'not' }>;

function leafProblem(leaf: Leaf, aliases: readonly string[]): string | undefined {
  switch (leaf.kind) {
    case 'status':
      return STATUSES.includes(leaf.is) ? undefined : `${shown(leaf.is)} is no status: ${STATUSES.join(', ')} are`;
    case 'upstream': {
      if (!STATUSES.includes(leaf.is)) return `${shown(leaf.is)} is no status: ${STATUSES.join(', ')} are`;
      const unknown = leaf.of?.find((alias) => !aliases.includes(alias));
      if (unknown !== undefined)
        return `it consumes nothing as '${unknown}': its dependencies are ${aliases.join(', ')}`;
      return aliases.length > 0 ? undefined : 'it asks about upstreams and consumes nothing';
    }
    case 'older':
      return readDuration(leaf.than) ? undefined : 'olderThan() needs a duration of more than 0';
    case 'tick':
      return cronProblem(leaf.cron) ?? zoneProblem(leaf.timeZone);
    case 'during': {
      const { from, to, days, timeZone } = leaf;
      if (!Number.isInteger(from) || !Number.isInteger(to)) return `during() needs two times of day such as '22:00'`;
      if (from === to) return 'during() ends when it begins: leave it out, or name another time';
      const unknown = days?.find((day) => !DAYS.includes(day));
      if (unknown !== undefined || days?.length === 0) return `during() takes days out of ${DAYS.join(', ')}`;
      return zoneProblem(timeZone);
    }
    case 'newest': {
      const expected = wholeFrom(1)(leaf.count);
      return expected && `newest() needs ${expected}`;
    }
    case 'never':
      return undefined;
    default:
      return `${shown(leaf)} is no condition: use eager(), onCron(...), onMissing() and the like`;
  }
}

/** Whether such a condition is anywhere in it. */
function mentions(condition: unknown, kind: Condition['kind']): boolean {
  return leavesOf(condition as Condition).some((leaf) => leaf.kind === kind);
}

/** All conditions of which it is made, in their order. */
export function leavesOf(condition: Condition): readonly Leaf[] {
  switch (condition.kind) {
    case 'and':
    case 'or':
      return condition.of.flatMap(leavesOf);
    case 'not':
      return leavesOf(condition.of);
    default:
      return [condition];
  }
}
