// The part of the ledger's port by which automation works: who decides, what was noted, what is known of partitions, and
// the one transaction by which a decision takes effect. What is decided stands in lib/automation.
import type { AutomationFacts, AutomationRequest, AutomationState } from './automation.records.js';
import type { Page, PageRequest } from './page.js';
import type { Act, JsonObject, NewRun, RunRecord } from './records.js';
import type { PlanRows } from './work.js';

/** A partition of an asset. */
export interface PlaceOfAsset {
  readonly asset: string;
  readonly partition: string;
}

/** When automation requested something of a key of an asset last. */
export interface AutomationFlow {
  readonly asset: string;
  readonly key: string;
  readonly requestedAt: Date;
}

/** What was decided about an asset at a time; kept when it differs from what was decided before. */
export interface AutomationDecision {
  readonly id: number;
  readonly asset: string;
  readonly at: Date;
  /** The run that was requested, if one was. */
  readonly run: number | null;
  /** How many partitions by kind of decision, and some of them by name with the reason. */
  readonly detail: JsonObject;
}

/** What a decision brings about, all or nothing. */
export interface AutomationStep {
  /** Who decides: only if it still leads at this epoch. */
  readonly process: string;
  readonly epoch: number;
  /** Planned at once, or left to whoever plans. */
  readonly runs: readonly { readonly run: NewRun; readonly plan?: PlanRows }[];
  /** `run`: the place of its run in `runs`; null: none, the tick is noted. */
  readonly requested: readonly (PlaceOfAsset &
    Omit<AutomationRequest, 'run' | 'at'> & { readonly run: number | null })[];
  /** Of these nothing need be kept any more. */
  readonly settled: readonly PlaceOfAsset[];
  readonly ticks: readonly { readonly asset: string; readonly name: string; readonly tick: Date }[];
  /** Keys of which something is requested. */
  readonly flows: readonly { readonly asset: string; readonly key: string }[];
  readonly decisions: readonly { readonly asset: string; readonly run: number | null; readonly detail: JsonObject }[];
}

export interface AutomationLedger {
  /**
   * Makes a process the one that decides, unless another one that lives is. Its epoch; undefined: another one decides.
   * Asked again by who decides already, the same epoch.
   */
  lead(process: string): Promise<number | undefined>;
  /** Leaves it to others. */
  resign(process: string): Promise<void>;
  /** Of all assets of which something is noted. */
  states(): Promise<readonly AutomationState[]>;
  /** What is known of partitions, in their order. */
  facts(of: readonly PlaceOfAsset[]): Promise<readonly AutomationFacts[]>;
  flows(assets: readonly string[]): Promise<readonly AutomationFlow[]>;
  /** What automation requested of these assets and is open. */
  openRequests(assets: readonly string[]): Promise<readonly PlaceOfAsset[]>;
  /** Takes the step, if its process still leads; undefined, and nothing happens, if not. The runs in the order of the step. */
  take(step: AutomationStep): Promise<readonly RunRecord[] | undefined>;
  /** Pauses the automation of an asset, or resumes it. Whether that changed anything. */
  pause(asset: string, paused: boolean, act: Act): Promise<boolean>;
  /** Newest first; of one asset, or of all. */
  decisions(filter: { readonly asset?: string }, page: PageRequest): Promise<Page<AutomationDecision>>;
}
