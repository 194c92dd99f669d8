// What is declared of a check: its options, what is wrong with them, what it is given and what it answers.
import type { ContextLogger, ContextPartition } from '../assets/asset.context.js';
import { isAssetKey } from '../assets/asset.key.js';
import { readDuration, type Duration } from '../assets/duration.js';
import { duration, flag, isRecord, oneOf, shown, text, type Expectation } from '../assets/expectations.js';
import { unknownName } from '../graph/did-you-mean.js';
import type { CheckSeverity } from '../ledger/check.records.js';

export interface CheckOptions {
  /** Its own among the checks of the asset: segments of `a-z0-9_`, joined by `.`. Default: method or class in snake case. */
  readonly name?: string;
  readonly description?: string;
  /**
   * Runs before the value is committed, and fails the materialization (`FLOWSTONE_CHECK_FAILED`) where it fails: nothing becomes
   * the head, no table changes. Default `false`: runs after the commit, and tells.
   */
  readonly blocking?: boolean;
  /** Default `'error'`. A warning blocks nothing. */
  readonly severity?: CheckSeverity;
  /** How long it may take; then it could not say anything. Default `'1m'`; of a blocking one the asset's `timeout` holds as well. */
  readonly timeout?: Duration;
  /** Looks at the destination by itself, and is given no value: only after the commit. Default `false`. */
  readonly destination?: boolean;
}

/** The first argument of a check. */
export interface CheckContext {
  /** Name of the check. */
  readonly check: string;
  readonly asset: string;
  readonly partition: ContextPartition;
  readonly materialization: number;
  /** Null: the version was reported, or its run was removed. */
  readonly run: number | null;
  readonly logger: ContextLogger;
  /** Aborted by its timeout, and with the attempt of a blocking check. */
  readonly signal: AbortSignal;
}

/** What a check says: whether the value is as it should be, why (not), and what was measured; `metadata` is plain JSON. */
export type CheckAnswer =
  | boolean
  | { readonly passed: boolean; readonly message?: string; readonly metadata?: Readonly<Record<string, unknown>> };

/** Rows that were yielded are `Rows`: they can be read several times. */
export type CheckFunction<V> = (context: CheckContext, value: V) => CheckAnswer | Promise<CheckAnswer>;

export const DEFAULT_TIMEOUT = 60_000;
/** So long a check may take at most, ms: what is told meanwhile waits. */
const LONGEST_TIMEOUT = 24 * 3_600_000;

const EXPECTATIONS: Readonly<Record<keyof CheckOptions, Expectation>> = {
  name: (value) =>
    typeof value === 'string' && isAssetKey(value) ? undefined : 'segments of a-z, 0-9 and _ joined by dots',
  description: text,
  blocking: flag,
  severity: oneOf('warn', 'error'),
  timeout: (value) => {
    const milliseconds = readDuration(value);
    if (milliseconds === undefined) return duration(value);
    return milliseconds > 0 && milliseconds <= LONGEST_TIMEOUT ? undefined : 'a duration of more than 0 and at most 1d';
  },
  destination: flag,
};

/** What is wrong with them; each says what is expected. */
export function checkProblems(given: unknown): readonly string[] {
  if (!isRecord(given)) return [`takes its options as an object, not ${shown(given)}`];
  const names = Object.keys(EXPECTATIONS);
  const unknown = unknownName(given, names);
  if (unknown !== undefined) return [`has no option ${unknown}: it has ${names.join(', ')}`];
  const wrong = Object.entries(EXPECTATIONS).flatMap(([name, expectation]) => {
    const value = given[name];
    const problem = value === undefined ? undefined : expectation(value);
    return problem === undefined ? [] : [`has a wrong ${name}: it must be ${problem}, not ${shown(value)}`];
  });
  const { blocking, destination, severity } = given as CheckOptions;
  if (blocking && destination)
    wrong.push('is blocking and looks at the destination, where nothing is before the commit: choose one');
  if (blocking && severity === 'warn')
    wrong.push("is blocking and only warns: choose severity 'error', or do not block");
  return wrong;
}
