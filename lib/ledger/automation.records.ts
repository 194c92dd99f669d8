// What the ledger keeps for automation, as plain data. How it decides by that stands in lib/automation.
import type { Act, MaterializationStatus, RunRecord } from './records.js';

/** What a materialization would be computed from: what failed with the same is not requested again. */
export interface Combination {
  /** Fingerprint of what is consumed (planning: inputsFingerprint). */
  readonly inputs: string;
  readonly codeVersion: string | null;
  /** Hash of the definition. */
  readonly definition: string;
}

/** What is recorded of one (asset, partition), as automation looks at it. */
export interface AutomationFacts {
  /** The newest materialization that has not ended; null: there is none. */
  readonly open: {
    readonly materialization: number;
    readonly run: number;
    readonly status: MaterializationStatus;
  } | null;
  /** The newest one that has ended, by itself or with its run. */
  readonly ended: {
    readonly materialization: number;
    readonly run: number | null;
    readonly status: MaterializationStatus;
    readonly code: string | null;
    readonly at: Date;
    /** What it failed with, where that is known. */
    readonly combination: Combination | null;
  } | null;
  readonly head: { readonly materialization: number; readonly at: Date; readonly invalidated: boolean } | null;
  /** What automation did for it last, until it was seen to be fresh, and what became of that run; null: it has no record any more. */
  readonly request: (AutomationRequest & { readonly runStatus: RunRecord['status'] | null }) | null;
}

/** What automation did for a partition. */
export interface AutomationRequest {
  /** The run that it requested; null: it only noted the tick. */
  readonly run: number | null;
  /** What it would have been computed from then. */
  readonly combination: Combination;
  /** The tick for which it is due; null: of no tick. */
  readonly tick: Date | null;
  readonly at: Date;
}

/** What is noted of the automation of an asset. */
export interface AutomationState {
  readonly asset: string;
  /** Who paused it, when and why; null: it is not paused. */
  readonly paused: (Act & { readonly at: Date }) | null;
  /** The newest tick that was attended to, by cron expression with zone. */
  readonly ticks: ReadonlyMap<string, Date>;
}
