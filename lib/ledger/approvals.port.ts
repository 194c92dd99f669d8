// The port of the ledger for approvals: materializations that wait for a decision, and the decisions.
import type {
  ApprovalAct,
  ApprovalInput,
  ApprovalRecord,
  ApprovalRule,
  ApprovalStatus,
  Audience,
} from './approval.records.js';
import type { ApprovalCommand } from './approval.machine.js';
import type { Page, PageRequest } from './page.js';
import type { JsonValue } from './records.js';
import type { Fenced } from './work.js';

/** What an attempt asks people. */
export interface ApprovalRequest {
  readonly message: string;
  readonly rule: ApprovalRule;
  /** Fingerprint of what it consumes, and the upstreams declared, as a success would record them. */
  readonly inputs: string;
  readonly upstreams: string;
  readonly pins: readonly ApprovalPin[];
  /** Where a signal is waited for: SHA-256 (hex) of the token that it comes with. */
  readonly signal?: string;
}

/** A signal that has come. */
export interface DeliveredSignal {
  /** SHA-256 (hex) of its token, and what that says: of which materialization, and how often that had asked before. */
  readonly token: string;
  readonly materialization: number;
  readonly round: number;
  readonly value: JsonValue;
}

/** A version that an attempt consumes: of which dependency, and of what. */
export interface ApprovalPin {
  readonly alias: string;
  readonly asset: string;
  readonly partition: string;
  /** Null: there is none. */
  readonly materialization: number | null;
  readonly dataVersion: string | null;
}

/**
 * `waiting`; `fenced`: another attempt or a cancel won; `cancelled`: it is to stop; `moved`: an input has another data version
 * by now. But for the first, nothing was changed.
 */
export type Asked =
  | { readonly kind: 'waiting'; readonly approval: number; readonly rings: readonly string[] }
  | { readonly kind: 'fenced' | 'cancelled' | 'moved' };

/** A decision that its materialization is to carry out, with the versions it is about. */
export interface DecidedApproval {
  readonly approval: ApprovalRecord;
  readonly inputs: string;
  readonly upstreams: string;
  readonly pins: readonly ApprovalInput[];
}

export interface ApprovalFilter {
  readonly kind?: ApprovalRecord['kind'];
  readonly status?: readonly ApprovalStatus[];
  readonly asset?: string;
  readonly run?: number;
  readonly materialization?: number;
  /** Those that this person, or somebody in one of these roles, may decide. */
  readonly audience?: Audience;
}

export interface ApprovalPage extends PageRequest {
  readonly order: 'newest' | 'deadline';
}

/** What came of a command. */
export interface CommandedApproval {
  readonly approval: ApprovalRecord;
  /** Pools in which there may be work now. */
  readonly rings: readonly string[];
}

export interface ApprovalLedger {
  /**
   * Pauses an attempt: its materialization is `waiting_approval`, its place is free, an approval is open, all or nothing.
   * One that is superseded is followed by this one, which links to it.
   */
  ask(attempt: Fenced, request: ApprovalRequest): Promise<Asked>;
  /**
   * Carries a command out, by the rules of approval.machine.ts, under the lock of the materialization. Where an input has
   * moved before a decision, the approval is superseded instead, and the command refused.
   * @throws FlowStoneError FLOWSTONE_APPROVAL_UNKNOWN, and what the machine refuses with
   */
  command(approval: number, command: ApprovalCommand): Promise<CommandedApproval>;
  /** Carries out what is due: deadlines, escalations, inputs that moved; each once over any number of processes. */
  fireDue(): Promise<{
    readonly rings: readonly string[];
    /** Whether anything was. */
    readonly fired: boolean;
    readonly more: boolean;
  }>;
  /** Decisions that these materializations are to carry out. */
  decided(materializations: readonly number[]): Promise<ReadonlyMap<number, DecidedApproval>>;
  /** A decision cannot be carried out, since what it is about is gone: the attempt holds, people are asked again. */
  supersede(attempt: Fenced, approval: number): Promise<boolean>;
  /** How often these have asked before: the round that their next one is. */
  rounds(materializations: readonly number[]): Promise<ReadonlyMap<number, number>>;
  /**
   * A signal has come. One for which nobody waits yet, since its attempt is just about to, is kept until it does. The same
   * may come again. Undefined: nobody waits for it, or not any more.
   * @throws FlowStoneError FLOWSTONE_APPROVAL_CONFLICT where another one came before
   */
  receive(signal: DeliveredSignal): Promise<{ readonly run: number; readonly rings: readonly string[] } | undefined>;
  approval(id: number): Promise<ApprovalRecord | undefined>;
  /** Newest first, or by deadline, those without one last. */
  approvals(filter: ApprovalFilter, page: ApprovalPage): Promise<Page<ApprovalRecord>>;
  /** What it is about, in the order in which it was recorded. */
  inputs(approval: number): Promise<readonly ApprovalInput[]>;
  /** What happened to it, oldest first. */
  acts(approval: number): Promise<readonly ApprovalAct[]>;
}
