// Work on its way through the ledger: planned, claimed, ended. The operations stand in ledger.port.ts.
import type { FlowStoneError } from '../flowstone.errors.js';
import type { Combination } from './automation.records.js';
import type {
  ErrorRecord,
  HeadRecord,
  JsonObject,
  MaterializationStatus,
  RunRecord,
  ValueColumn,
  ValueRecord,
} from './records.js';

/**
 * The rows of a plan, in topological order, entry i depending on `edges.upstreams[edges.starts[i] .. starts[i + 1])`,
 * which are indices of earlier entries.
 */
export interface PlanRows {
  readonly size: number;
  assetAt(index: number): string;
  partitionAt(index: number): string;
  /** The number of its head, where the planner has read it (HeadRecord.id). Absent, or undefined: it is looked up. */
  headAt?(index: number): number | undefined;
  forcedAt(index: number): boolean;
  /** Priority of the run and of the asset together. */
  priorityAt(index: number): number;
  /** Whether any entry cannot run. */
  readonly hasBlocked: boolean;
  isBlockedAt(index: number): boolean;
  /**
   * Why this entry cannot run: it is recorded as failed, and what depends on it as upstream_failed. Made when asked for,
   * which takes a while for many.
   */
  blockedAt(index: number): ErrorRecord | undefined;
  readonly edges: {
    readonly starts: Int32Array;
    readonly upstreams: Int32Array;
    /** Parallel to `upstreams`: 1 where it only orders and nothing is consumed. Absent: none does. */
    readonly ordering?: Uint8Array;
  };
}

/** A process and what it may take on. */
export interface Claimant {
  readonly process: string;
  /** Only these assets: what the process declares and whose definition is current. */
  readonly assets: readonly string[];
}

/** What a process asks for when it claims work. */
export interface ClaimRequest extends Claimant {
  /** Places; each is taken by one claim, or by a batch. */
  readonly limit: number;
  /** Of assets that are computed in batches: so many claims of one run share a place at most. */
  readonly batchSizes?: ReadonlyMap<string, number> | undefined;
}

/** A materialization this process may execute: the fence of its attempt is `epoch`. */
export interface Claim {
  readonly id: number;
  readonly run: number;
  readonly asset: string;
  readonly partition: string;
  readonly epoch: number;
  /** 1 for the first. */
  readonly attempt: number;
  /** How often infrastructure failed it (lost worker, outage). */
  readonly rescues: number;
  /** How often an input moved on while it was read, and other versions had to be pinned. */
  readonly repins: number;
  readonly forced: boolean;
  /** Number of the batch with which it shares its place; null: it has one of its own. */
  readonly batch: number | null;
  /** Of the request (RunRequest.forceMaxAge). */
  readonly forceMaxAge: number | null;
  readonly priority: number;
  readonly requestedBy: string | null;
  readonly tags: Readonly<Record<string, string>>;
  /** The materialization it waited for, if it did, and how that ended (null error unless it failed). */
  readonly joined: {
    readonly id: number;
    readonly status: MaterializationStatus;
    readonly error: ErrorRecord | null;
  } | null;
  /** The head at the time of the claim. */
  readonly head: HeadRecord;
  /** The ledger's time of the claim. */
  readonly claimedAt: Date;
}

/** An attempt. */
export interface Fenced {
  readonly id: number;
  /** The epoch of the attempt that speaks. The outcome counts only if the row is `running` at this epoch. */
  readonly epoch: number;
}

/** How an attempt ended. */
export type Outcome =
  | (Fenced & {
      readonly kind: 'success';
      readonly value: ValueRecord | null;
      /** Of the value, as DescribedValue has them. */
      readonly format?: string | undefined;
      readonly schema?: readonly ValueColumn[] | undefined;
      /** The value itself as JSON, where it is small and is kept in the ledger's own database. */
      readonly document?: string | undefined;
      readonly dataVersion: string;
      readonly codeVersion: string | null;
      readonly inputs: string;
      readonly upstreams: string;
      /** Ids of the materializations consumed: they become its lineage, replacing the edges known at plan time. */
      readonly consumed: readonly number[];
      readonly metadata: JsonObject | null;
      readonly startedAt: Date;
    })
  | (Fenced & { readonly kind: 'skipped'; readonly reason: 'fresh' | 'joined'; readonly joined: number | null })
  | (Fenced & {
      readonly kind: 'failed';
      readonly error: ErrorRecord;
      readonly startedAt: Date | null;
      /** What it failed with, where that is known: automation does not request the same again. */
      readonly combination?: Combination;
    })
  /** Another attempt after `delay` ms. `infrastructure`: counts as a rescue, not as an attempt of the asset. */
  | (Fenced & {
      readonly kind: 'retry';
      readonly error: ErrorRecord;
      readonly delay: number;
      readonly infrastructure: boolean;
    })
  /** Given back untouched (shutdown): ready at once, no attempt used. */
  | (Fenced & { readonly kind: 'handed_back' })
  /**
   * An input that is kept only while it is the newest moved on: ready at once, or after `delay` ms, to be pinned anew, no
   * attempt used.
   */
  | (Fenced & { readonly kind: 'repinned'; readonly delay: number | null })
  | (Fenced & { readonly kind: 'cancelled' });

/**
 * `committed`; `fenced`: another attempt or a cancel won, nothing was written; `expired`: past its deadline; `refused`: it
 * can never be written, so that it was recorded as failed with this error instead.
 */
export type Verdict = 'committed' | 'fenced' | 'expired' | { readonly refused: FlowStoneError };

/** What settling outcomes brought about. */
export interface Settled {
  /** One per outcome, in its order. */
  readonly verdicts: readonly Verdict[];
  /** Runs that ended in this transaction. */
  readonly endedRuns: readonly number[];
  /** Whether there may be work to claim: something became ready, or a run with `maxConcurrency` has a free place. */
  readonly released: boolean;
}

/** What one beat brought about: settled outcomes, and claims. */
export interface Beat extends Settled {
  /** Whether what became ready by the outcomes, or a place that they gave back, may be left to others. */
  readonly fresh: boolean;
  readonly claims: readonly Claim[];
  /** In how many ms there may be more to claim without anybody ringing for it (a rate); null: nothing is known. */
  readonly again: number | null;
  /**
   * Nothing was claimed, since a worker has entered that declares something otherwise, or something more: the process has
   * to ask which definitions count now (currentDefinitions), then may claim again.
   */
  readonly outdated: boolean;
  /** Pools in which other processes may find something now: of assets that this one has no part in, or a place. */
  readonly rings: readonly string[];
}

/** A run whose planning this process holds. */
export interface PlanningClaim {
  readonly run: RunRecord;
  readonly epoch: number;
}

/** An attempt whose deadline (timeout, or grace after a cancel) has passed: the caller settles it, or leaves it to another process. */
export interface DueDeadline {
  readonly kind: 'timeout' | 'cancel';
  readonly id: number;
  readonly epoch: number;
  readonly run: number;
  readonly asset: string;
  readonly partition: string;
  readonly attempt: number;
}
