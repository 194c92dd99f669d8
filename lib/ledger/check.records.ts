// What checks found of values.
import type { JsonObject } from './json.js';

/**
 * - `passed`, `failed`: what the check says of the value.
 * - `errored`: it could not say anything, since it threw or took too long.
 * - `skipped`: the value was replaced or removed before it was looked at.
 */
export type CheckStatus = 'passed' | 'failed' | 'errored' | 'skipped';

/** How bad it is that a check fails: for people, and for what is decided by checks. */
export type CheckSeverity = 'warn' | 'error';

/** What a check found of the value of a materialization. */
export interface NewCheckResult {
  readonly asset: string;
  readonly partition: string;
  readonly materialization: number;
  /** Of the attempt, where the check decides whether it may commit; null: it was run after the commit. */
  readonly epoch: number | null;
  readonly check: string;
  readonly severity: CheckSeverity;
  readonly status: CheckStatus;
  readonly message: string | null;
  readonly metadata: JsonObject | null;
  /** What the check took, ms. */
  readonly duration: number;
  /** Whether somebody has asked for it, and who. */
  readonly onDemand: boolean;
  readonly by: string | null;
}

export interface CheckResult extends NewCheckResult {
  readonly id: number;
  /** The ledger's time at which it was kept. */
  readonly at: Date;
}
