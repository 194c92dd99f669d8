// The part of the ledger's port by which results of checks are kept.
import type { CheckResult, CheckStatus, NewCheckResult } from './check.records.js';
import type { Page, PageRequest } from './page.js';

export interface CheckFilter {
  readonly asset: string;
  readonly partition?: string | undefined;
  readonly check?: string | undefined;
  readonly status?: CheckStatus | undefined;
  readonly materialization?: number | undefined;
}

export interface CheckLedger {
  /**
   * Keeps results of materializations that are there, each with its event in one transaction, and returns their ids. What nobody asked for
   * is kept once for each check and materialization, and attempt: a repetition is not kept.
   */
  record(results: readonly NewCheckResult[]): Promise<readonly number[]>;
  /** Newest first. */
  results(filter: CheckFilter, page: PageRequest): Promise<Page<CheckResult>>;
  /** Of the value that is the head of each of these partitions now: the newest result of each check. */
  latest(asset: string, partitions: readonly string[]): Promise<readonly CheckResult[]>;
}
