// What becomes of an attempt whose timeout has passed. No ledger, no thread: who finds it out carries it out.
import type { DeclaredAsset } from '../assets/asset.definition.js';
import { FlowStoneError } from '../flowstone.errors.js';
import type { DueDeadline, Outcome } from '../ledger/work.js';
import { decideAfterFailure, NO_RETRY, type RetryRule } from './attempt.machine.js';
import { errorRecord, placeName, type Failure, type FailurePlace } from './failure.js';

/** What an asset declares of its attempts; plain data. */
export interface AttemptLimits {
  readonly partitioned: boolean;
  /** In ms. */
  readonly timeout: number | undefined;
  readonly retry: RetryRule | undefined;
}

export function limitsOf({ scheme, timeout, retry }: DeclaredAsset): AttemptLimits {
  return { partitioned: scheme !== undefined, timeout, retry };
}

/** The outcome of an attempt whose timeout passed without a word from it, and how that is told. `random` is in [0, 1). */
export function timedOut(
  deadline: DueDeadline,
  limits: AttemptLimits | undefined,
  random: number,
): { readonly outcome: Outcome; readonly failure: Failure } {
  const { id, epoch, attempt } = deadline;
  const failure = timeoutFailure(deadline, limits, false);
  const record = errorRecord(failure.error);
  const rule = limits?.retry ?? NO_RETRY;
  const decision = decideAfterFailure({ error: record, attempt, rescues: 0, rule, random });
  if (decision.kind === 'retry') {
    return { failure: { ...failure, retrying: true }, outcome: { ...decision, id, epoch, error: record } };
  }
  return { failure, outcome: { kind: 'failed', id, epoch, error: record, startedAt: null } };
}

/** How it is told. */
export function timeoutFailure(
  { run, asset, partition, attempt }: DueDeadline,
  limits: AttemptLimits | undefined,
  retrying: boolean,
): Failure {
  const place = { run, asset, partition: limits?.partitioned ? partition : undefined, attempt };
  return { ...place, error: timeoutError(place, limits?.timeout), retrying };
}

/** The error of an attempt whose timeout passed. */
export function timeoutError(place: FailurePlace, timeout: number | undefined): FlowStoneError {
  return new FlowStoneError(
    'FLOWSTONE_EXECUTE_TIMEOUT',
    `${placeName(place)} took longer than its timeout${timeout === undefined ? '' : ` of ${timeout} ms`}. Raise \`timeout\` on @Asset, or let execute() heed context.signal and do less.`,
    { context: { ...place } },
  );
}
