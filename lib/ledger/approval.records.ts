// What the ledger keeps of approvals: requests for a decision that materializations wait for, as plain data. What waits for
// a signal from outside is kept likewise.
// The rules by which they change stand in approval.machine.ts, the operations in approvals.port.ts.
import type { ApprovalActKind, JsonObject, JsonValue, ValueRecord } from './records.js';

/** People and roles. Both empty: everybody. */
export interface Audience {
  readonly users: readonly string[];
  readonly roles: readonly string[];
}

/** A step of an escalation chain. */
export interface EscalationStep {
  /** ms after the approval was opened; null: when its deadline passes (`timeoutAction: 'escalate'`). */
  readonly after: number | null;
  readonly to: Audience;
  /** Addresses for notifiers beside those of the audience, in their own words. */
  readonly notify: readonly string[];
}

/** What becomes of an approval whose deadline passes; `handle`: code of the checkpoint decides. */
export type TimeoutAction = 'escalate' | 'approve' | 'reject' | 'extend' | 'handle';

/** What is declared of how a decision is made. */
export interface ApprovalRule {
  readonly assignees: Audience;
  /** How many different people have to agree. */
  readonly quorum: number;
  /** Who requested the run may not agree. */
  readonly separationOfDuties: boolean;
  /** ms; null: it has no deadline. */
  readonly timeout: number | null;
  readonly timeoutAction: TimeoutAction | null;
  /** How often the deadline is moved on by `extend`. */
  readonly extensions: number;
  readonly escalation: readonly EscalationStep[];
  /** Whether another data version of an input makes the request void. */
  readonly pinInputs: boolean;
  /** Whether a reviewer may give a value. */
  readonly modifiable: boolean;
}

/** `open` until it is decided, or its deadline passes, or it has become void, or its run is cancelled; then for ever. */
export type ApprovalStatus =
  'open' | 'approved' | 'modified' | 'rejected' | 'received' | 'timed_out' | 'superseded' | 'cancelled';

/** Somebody agrees. */
export interface ApprovalVote {
  readonly by: string;
  readonly at: Date;
  readonly reason: string | null;
}

/** A value that a reviewer wants instead; what others agree to from then on. Of a signal, what came with it. */
export interface ApprovalProposal {
  /** 1 for the first of an approval. */
  readonly number: number;
  readonly by: string;
  readonly at: Date;
  readonly value: JsonValue;
}

/** How an approval was decided. */
export interface ApprovalDecision {
  readonly action: 'approve' | 'modify' | 'reject' | 'receive' | 'timeout';
  /** Null: nobody, its deadline passed, or a signal came. */
  readonly by: string | null;
  readonly at: Date;
  readonly reason: string | null;
}

/** A request for a decision, and what became of it. */
export interface ApprovalRecord {
  readonly id: number;
  /** Whether people are asked, or a signal from outside is waited for. */
  readonly kind: 'checkpoint' | 'signal';
  readonly run: number;
  readonly materialization: number;
  /** Of the attempt that asked. */
  readonly epoch: number;
  readonly asset: string;
  /** `''` for an unpartitioned asset. */
  readonly partition: string;
  readonly status: ApprovalStatus;
  readonly message: string;
  /** Who requested the run. */
  readonly requestedBy: string | null;
  readonly rule: ApprovalRule;
  /** Whom it is open to now: the assignees, and those it was escalated to. */
  readonly audience: Audience;
  readonly openedAt: Date;
  readonly deadline: Date | null;
  /** How many steps of the escalation chain were taken, and how often its deadline was moved on by itself. */
  readonly escalations: number;
  readonly extensions: number;
  readonly votes: readonly ApprovalVote[];
  readonly proposal: ApprovalProposal | null;
  readonly decision: ApprovalDecision | null;
  readonly closedAt: Date | null;
  /** The approval of the same materialization before this one, which was superseded. */
  readonly previous: number | null;
}

/** Something that happened to an approval: who, when, why, before and after. */
export interface ApprovalAct {
  readonly id: number;
  readonly approval: number;
  readonly kind: ApprovalActKind;
  readonly at: Date;
  /** Null: nobody, it happened by time or by what else changed. */
  readonly actor: string | null;
  readonly detail: JsonObject | null;
}

/** One version that an approval is about. */
export interface ApprovalInput {
  readonly alias: string;
  readonly asset: string;
  readonly partition: string;
  /** Null: it had none (optional). */
  readonly materialization: number | null;
  readonly dataVersion: string | null;
  readonly value: ValueRecord | null;
  readonly completedAt: Date | null;
}

/** Whether an audience names nobody, which means everybody. */
export function isEverybody({ users, roles }: Audience): boolean {
  return users.length === 0 && roles.length === 0;
}
