// What becomes of a claimed materialization and of a failed attempt, as pure decisions. No clock, no randomness:
// the caller passes them in and carries the decision out.
import type { Claim, Outcome } from '../ledger/work.js';
import type { ErrorRecord } from '../ledger/records.js';
import { RESCUE_CAP } from '../ledger/transitions.js';

/** When and how often an asset is attempted again; delays in ms, `jitter` as a share of the delay (0 to 1). */
export interface RetryRule {
  readonly attempts: number;
  readonly delay: number;
  readonly factor: number;
  readonly max: number;
  readonly jitter: number;
}

/** Without a declared policy: one attempt. */
export const NO_RETRY: RetryRule = { attempts: 1, delay: 0, factor: 1, max: 0, jitter: 0 };

/**
 * After how long an attempt begins anew since an input moved on while it was read, ms, by how often that happened. At
 * first at once: a newer version was committed. A table in another database than the ledger's may be ahead of its record
 * though, until a process that was lost between the two is replaced.
 */
const REPIN_AFTER: readonly (number | null)[] = [null, null, 200, 2000, 20_000];
export const MOST_REPINS = REPIN_AFTER.length;

/** Infrastructure comes back when it comes back: 1 s, 2 s, ... up to half a minute. */
const INFRASTRUCTURE: RetryRule = { attempts: RESCUE_CAP + 1, delay: 1000, factor: 2, max: 30_000, jitter: 0.2 };

/** Milliseconds before the attempt that follows attempt number `attempt` (1 for the first). `random` is in [0, 1). */
export function retryDelay(rule: RetryRule, attempt: number, random: number): number {
  const delay = Math.min(rule.delay * rule.factor ** (attempt - 1), rule.max);
  return Math.round(delay * (1 + rule.jitter * (2 * random - 1)));
}

/** What the look-again found about a claimed materialization. */
export interface Seen {
  readonly claim: Pick<Claim, 'forced' | 'joined'>;
  /** Whether something it would consume or declare differs from what its head recorded, or it has no head. */
  readonly differs: boolean;
  /** A required input that has no value: it cannot run. */
  readonly missing: ErrorRecord | undefined;
}

export type AfterClaim =
  | { readonly kind: 'execute' }
  | { readonly kind: 'skip'; readonly reason: 'fresh' | 'joined'; readonly joined: number | null }
  | { readonly kind: 'fail'; readonly error: ErrorRecord };

/**
 * Whether a claimed materialization executes (semantics, Planning and running 2 and 10): a holder it waited for that
 * failed for good fails it too, unless it is forced; if nothing differs and it is not forced, it is skipped.
 */
export function decideAfterClaim({ claim: { forced, joined }, differs, missing }: Seen): AfterClaim {
  if (joined?.status === 'failed' && joined.error && !forced) {
    const error = { ...joined.error, context: { ...joined.error.context, joinedFailure: joined.id } };
    return { kind: 'fail', error };
  }
  if (!forced && !differs) {
    const met = joined?.status === 'success' || joined?.status === 'skipped';
    return { kind: 'skip', reason: met ? 'joined' : 'fresh', joined: met ? joined.id : null };
  }
  return missing ? { kind: 'fail', error: missing } : { kind: 'execute' };
}

/** A failed attempt, and what counts for trying again. */
export interface Failed {
  readonly error: ErrorRecord;
  readonly attempt: number;
  readonly rescues: number;
  readonly rule: RetryRule;
  /** In [0, 1). */
  readonly random: number;
}

/** Whether an attempt of which an input moved on begins anew, and after how long (semantics, I/O managers). */
export function decideAfterMove(
  repins: number,
): Pick<Extract<Outcome, { kind: 'repinned' }>, 'kind' | 'delay'> | { readonly kind: 'failed' } {
  const delay = REPIN_AFTER[repins];
  return delay === undefined ? { kind: 'failed' } : { kind: 'repinned', delay };
}

/** Whether a failed attempt is followed by another, and after how long (semantics, Planning and running 7). */
export function decideAfterFailure({
  error,
  attempt,
  rescues,
  rule,
  random,
}: Failed):
  Pick<Extract<Outcome, { kind: 'retry' }>, 'kind' | 'delay' | 'infrastructure'> | { readonly kind: 'failed' } {
  if (!error.retryable) return { kind: 'failed' };
  if (error.family === 'infrastructure') {
    if (rescues >= RESCUE_CAP) return { kind: 'failed' };
    return { kind: 'retry', delay: retryDelay(INFRASTRUCTURE, rescues + 1, random), infrastructure: true };
  }
  if (attempt >= rule.attempts) return { kind: 'failed' };
  return { kind: 'retry', delay: retryDelay(rule, attempt, random), infrastructure: false };
}
