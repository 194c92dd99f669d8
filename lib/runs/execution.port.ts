// What the coordinator knows of claims: who looks at them, what is executed of them, and what came of it.
// Implementations: claim.desk.ts; attempt.ts and batch.ts.
import type { FlowStoneError } from '../flowstone.errors.js';
import type { Claim, DueDeadline, Outcome } from '../ledger/work.js';
import type { Abort } from './abort.js';
import type { Failure } from './failure.js';

/** A claim that is to be executed. It aborts by itself when its timeout passes. */
export interface Execution {
  readonly claim: Claim;
  /** So many of its asset are executed together at most, in one place; 1: it is executed alone. */
  readonly batchSize: number;
  /**
   * Resolves when the place is free, and never rejects. `ended` is told each outcome, its own and those of its `fellows`:
   * others of its asset that are executed with it.
   */
  run(abort: Abort, fellows: readonly ToExecute[], ended: Ended): Promise<unknown>;
}

/** An execution, and how it is told to stop. */
export interface ToExecute {
  readonly execution: Execution;
  readonly abort: Abort;
}

/**
 * Hears how an execution ended, and of the failure if that is how. Without an outcome: that was committed already, or lost
 * the race for it. Does not throw.
 */
export type Ended = (claim: Claim, outcome: Outcome | undefined, failure?: Failure) => void;

/** An outcome on its way to the ledger, and whose run is to be told of it. */
export interface Finished {
  readonly outcome: Outcome;
  readonly run: number;
  /** What was executed, if it was here. */
  readonly claim?: Claim;
  /** Told once the outcome is committed: where another one was, who committed that tells. */
  readonly failure?: Failure | undefined;
}

/** What is done with claims: those to execute, and outcomes for those that need not be. */
export interface Examined {
  readonly executions: readonly Execution[];
  readonly settled: readonly Finished[];
}

export interface ClaimDesk {
  /** The claims in groups that are to be examined each by itself: one may have to wait for what does not concern others. */
  apart(claims: readonly Claim[]): readonly (readonly Claim[])[];
  examine(claims: readonly Claim[]): Promise<Examined>;
  /** Its outcome is recorded: it has a value now. */
  succeeded(claim: Claim): void;
  /** How it is told that the ledger cannot record what came of it; undefined: where it was is not known. */
  refused(finished: Finished, error: FlowStoneError): Failure | undefined;
  /**
   * What becomes of an attempt whose timeout passed without a word from it. Undefined: no definition of its asset is known
   * here, by which to decide. That is left to others: the process that holds it has one, and is live or will be rescued.
   */
  afterTimeout(due: DueDeadline): Finished | undefined;
}
