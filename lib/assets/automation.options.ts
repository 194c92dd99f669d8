// What the option `automation` of an asset takes, what is wrong with it, and the definition that follows.
import type { AutomationDefinition } from './asset.definition.js';
import { conditionProblem, type Condition } from './condition.js';
import { parseDuration, readDuration, type Duration } from './duration.js';
import { duration, isRecord, shown, text, whole, wholeFrom, type Expectation } from './expectations.js';

/** A condition, with what else is to hold when automation computes an asset. */
export interface AutomationOptions {
  /** When. */
  readonly when: Condition;
  /**
   * What failed, was rejected or was cancelled is requested again after so long though nothing has changed. Default: never;
   * only once an input, the code or the definition has changed, or a person has asked for it.
   */
  readonly retryAfter?: Duration;
  /**
   * Waits until nothing has changed for so long; `{ quiet, atMost }`: no longer than `atMost` after the first change. Each key
   * by itself. Default: not at all.
   */
  readonly debounce?: Duration | { readonly quiet: Duration; readonly atMost: Duration };
  /** At most one request in so long, for each key. Default: any number. */
  readonly throttle?: Duration;
  /** At most so many partitions that automation requested are open at once, for each key. Default: any number. */
  readonly concurrency?: number;
  /** The partition dimension whose values are the keys of `debounce`, `throttle` and `concurrency`. Default: one key for all. */
  readonly key?: string;
  /** Of the runs it requests. Default 0. */
  readonly priority?: number;
}

const positive: Expectation = (value) => (readDuration(value) === 0 ? 'a duration of more than 0' : duration(value));

const EXPECTATIONS: Readonly<Record<Exclude<keyof AutomationOptions, 'when'>, Expectation>> = {
  retryAfter: positive,
  debounce: (value) => {
    if (!isRecord(value)) return positive(value);
    const { quiet, atMost, ...others } = value;
    if (Object.keys(others).length > 0) return 'a duration, or { quiet, atMost }';
    return positive(quiet) ?? positive(atMost);
  },
  throttle: positive,
  concurrency: wholeFrom(1),
  key: text,
  priority: whole,
};

/** Whether it is given as options, and not as a condition alone. */
function isOptions(given: unknown): given is AutomationOptions {
  return isRecord(given) && !('kind' in given);
}

/** What is wrong with the value of the option, or nothing. `aliases`: of dependencies that are consumed. */
export function automationProblem(given: unknown, aliases: readonly string[]): string | undefined {
  if (!isOptions(given)) return conditionProblem(given, aliases);
  const { when, ...others } = given;
  const names = Object.keys(EXPECTATIONS);
  const unknown = Object.keys(others).find((name) => !names.includes(name));
  if (unknown !== undefined) return `automation has no option '${unknown}': it has when, ${names.join(', ')}`;
  for (const [name, value] of Object.entries(others)) {
    const expected = value === undefined ? undefined : EXPECTATIONS[name as keyof typeof EXPECTATIONS](value);
    if (expected !== undefined) return `automation.${name} is ${shown(value)}: give it ${expected}`;
  }
  if (given.key !== undefined && !(given.debounce ?? given.throttle ?? given.concurrency)) {
    return 'automation.key is the key of nothing: add debounce, throttle or concurrency';
  }
  return conditionProblem(when, aliases);
}

/** The definition; the option is without mistakes. */
export function automationDefinition(given: Condition | AutomationOptions): AutomationDefinition {
  const { when, retryAfter, debounce, throttle, concurrency, key, priority }: AutomationOptions = isOptions(given)
    ? given
    : { when: given };
  const quiet = isRecord(debounce) ? debounce.quiet : debounce;
  const atMost = isRecord(debounce) ? debounce.atMost : undefined;
  return {
    when,
    ...(retryAfter !== undefined && { retryAfter: parseDuration(retryAfter) }),
    ...(quiet !== undefined && {
      debounce: { quiet: parseDuration(quiet), atMost: atMost === undefined ? null : parseDuration(atMost) },
    }),
    ...(throttle !== undefined && { throttle: parseDuration(throttle) }),
    ...(concurrency !== undefined && { concurrency }),
    ...(key !== undefined && { key }),
    priority: priority ?? 0,
  };
}
