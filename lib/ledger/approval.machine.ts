// How an approval changes, as a pure function of what it is and what happens to it (semantics, Checkpoints). Both ledgers
// carry its answer out in the transaction in which they locked the approval. No clock: the ledger's time is passed in.
import { isDeepStrictEqual } from 'node:util';
import type { FlowStoneErrorCode } from '../flowstone.errors.js';
import {
  isEverybody,
  type ApprovalDecision,
  type ApprovalRecord,
  type ApprovalStatus,
  type Audience,
} from './approval.records.js';
import type { ApprovalActKind, JsonObject, JsonValue } from './records.js';

/** Somebody, in these roles, for a reason. */
interface Acting {
  readonly by: string;
  readonly roles: readonly string[];
  readonly reason: string | null;
}

/** What may happen to an approval: what people do, and what the ledger sees. */
export type ApprovalCommand =
  /** `proposal`: the number of the one that was seen; null: there was none. */
  | (Acting & { readonly kind: 'approve'; readonly proposal: number | null })
  | (Acting & { readonly kind: 'modify'; readonly value: JsonValue })
  | (Acting & { readonly kind: 'reject' })
  /** `to` null: to the next step of the chain. */
  | (Acting & { readonly kind: 'escalate'; readonly to: Audience | null })
  /** `for` ms; null: the declared timeout. */
  | (Acting & { readonly kind: 'extend'; readonly for: number | null })
  | (Acting & { readonly kind: 'comment'; readonly text: string })
  /** A signal has come, with this. */
  | { readonly kind: 'receive'; readonly value: JsonValue }
  /** A timer of its deadline, or of the next step of its chain, has come. */
  | { readonly kind: 'deadline' | 'escalation' }
  /** An input has another data version than was shown. */
  | { readonly kind: 'moved' }
  | { readonly kind: 'cancel' };

/** What an approval becomes. */
export type ApprovalAnswer =
  | { readonly kind: 'changed'; readonly approval: ApprovalRecord; readonly act: NewApprovalAct }
  /** It is as the command wants it already, or it is not time yet. */
  | { readonly kind: 'unchanged' }
  | {
      readonly kind: 'refused';
      readonly code: FlowStoneErrorCode;
      readonly message: string;
      readonly context: JsonObject;
    };

/** An act that is about to be recorded. */
export interface NewApprovalAct {
  readonly kind: ApprovalActKind;
  readonly actor: string | null;
  readonly detail: JsonObject | null;
  /** Addresses for notifiers, of a step of the chain. */
  readonly notify: readonly string[];
}

/** When something happens to an approval by itself. */
export interface ApprovalTimers {
  readonly deadline: Date | null;
  readonly escalation: Date | null;
}

const DECIDED: ReadonlySet<ApprovalStatus> = new Set([
  ...(['approved', 'modified', 'rejected', 'received', 'timed_out'] as const),
]);

/** What is decided by these is about the inputs. */
const ABOUT_INPUTS: ReadonlySet<ApprovalCommand['kind']> = new Set([
  ...(['approve', 'modify', 'reject', 'receive', 'deadline', 'moved'] as const),
]);

/** Whether it matters to a command that an input has moved: then the approval is superseded, and the command in vain. */
export function looksAtInputs({ status, rule }: ApprovalRecord, { kind }: ApprovalCommand): boolean {
  return status === 'open' && rule.pinInputs && ABOUT_INPUTS.has(kind);
}

/** Whether its checkpoint is to act upon it: it was decided, or its deadline passed. */
export function isDecided({ status }: Pick<ApprovalRecord, 'status'>): boolean {
  return DECIDED.has(status);
}

/** The timers it has; none once it is closed. */
export function timersOf(approval: ApprovalRecord): ApprovalTimers {
  if (approval.status !== 'open') return { deadline: null, escalation: null };
  const step = approval.rule.escalation[approval.escalations];
  return { deadline: approval.deadline, escalation: step?.after == null ? null : after(approval.openedAt, step.after) };
}

/** Exactly one command closes an approval; to a closed one nothing happens but comments. */
export function decideApproval(approval: ApprovalRecord, command: ApprovalCommand, now: Date): ApprovalAnswer {
  if (command.kind === 'comment') return comment(approval, command);
  if (approval.status !== 'open') return tooLate(approval, command);
  const ofSignal = command.kind === 'receive';
  if (('by' in command || ofSignal) && (approval.kind === 'signal') !== ofSignal) return ofAnotherKind(approval);
  switch (command.kind) {
    case 'approve':
      return forbidden(approval, command, true) ?? approve(approval, command, now);
    case 'modify':
      return forbidden(approval, command, true) ?? modify(approval, command, now);
    case 'reject':
      return forbidden(approval, command, false) ?? decide(approval, 'rejected', byWhom(command, 'reject', now));
    case 'escalate':
      return forbidden(approval, command, false) ?? escalate(approval, command);
    case 'extend':
      return forbidden(approval, command, false) ?? extend(approval, command, now);
    case 'receive':
      return receive(approval, command, now);
    case 'deadline':
      return passDeadline(approval, now);
    case 'escalation': {
      const due = timersOf(approval).escalation;
      return due && due <= now ? takeStep(approval, null, null) : { kind: 'unchanged' };
    }
    case 'moved':
      return close(approval, 'superseded', now);
    case 'cancel':
      return close(approval, 'cancelled', now);
  }
}

type Command<K extends ApprovalCommand['kind']> = Extract<ApprovalCommand, { kind: K }>;

function comment(approval: ApprovalRecord, { by, text }: Command<'comment'>): ApprovalAnswer {
  return changed(approval, {}, act('commented', by, { text }));
}

function approve(approval: ApprovalRecord, command: Command<'approve'>, now: Date): ApprovalAnswer {
  const { proposal, rule } = approval;
  if ((proposal?.number ?? null) !== command.proposal) return otherProposal(approval);
  if (approval.votes.some(({ by }) => by === command.by)) return { kind: 'unchanged' };
  const { by, reason } = command;
  const votes = [...approval.votes, { by, at: now, reason }];
  const detail: JsonObject = { reason, votes: votes.length, quorum: rule.quorum };
  if (votes.length < rule.quorum) return changed(approval, { votes }, act('voted', by, detail));
  const [status, action] = proposal ? (['modified', 'modify'] as const) : (['approved', 'approve'] as const);
  return decide({ ...approval, votes }, status, byWhom(command, action, now));
}

function modify(approval: ApprovalRecord, command: Command<'modify'>, now: Date): ApprovalAnswer {
  const { rule } = approval;
  if (!rule.modifiable) {
    return refused(
      approval,
      'FLOWSTONE_APPROVAL_INVALID',
      `${nameOf(approval)} takes no other value: its checkpoint declares no modification. Approve or reject it.`,
    );
  }
  const { by, value, reason } = command;
  // As after a lost answer: who agreed to it meanwhile is not asked again.
  if (isProposed(approval, command)) return { kind: 'unchanged' };
  const proposal = { number: (approval.proposal?.number ?? 0) + 1, by, at: now, value };
  // Who agreed before did so to something else.
  const votes = [{ by, at: now, reason }];
  if (rule.quorum === 1) return decide({ ...approval, proposal, votes }, 'modified', byWhom(command, 'modify', now));
  const detail: JsonObject = {
    reason,
    before: approval.proposal?.value ?? null,
    after: value,
    proposal: proposal.number,
  };
  return changed(approval, { proposal, votes }, act('proposed', by, detail));
}

function escalate(approval: ApprovalRecord, { by, to, reason }: Command<'escalate'>): ApprovalAnswer {
  if (to && isEverybody(to)) {
    return refused(
      approval,
      'FLOWSTONE_APPROVAL_INVALID',
      `${nameOf(approval)} cannot be escalated to nobody. Name users or roles.`,
    );
  }
  if (!to) {
    if (approval.rule.escalation[approval.escalations]) return takeStep(approval, by, reason);
    const message = `${nameOf(approval)} has no further step in its escalation chain. Say to whom: { to: { users: ['...'] } }.`;
    return refused(approval, 'FLOWSTONE_APPROVAL_INVALID', message);
  }
  const audience = joined(approval.audience, to);
  return changed(approval, { audience }, act('escalated', by, { reason, to: plain(to) }));
}

function receive(approval: ApprovalRecord, { value }: Command<'receive'>, at: Date): ApprovalAnswer {
  const proposal = { number: 1, by: 'signal', at, value };
  return decide({ ...approval, proposal }, 'received', { action: 'receive', by: null, at, reason: null });
}

/** The next step of the chain. */
function takeStep(
  approval: ApprovalRecord,
  by: string | null,
  reason: string | null,
  deadline = approval.deadline,
): ApprovalAnswer {
  const step = approval.rule.escalation[approval.escalations]!;
  const escalations = approval.escalations + 1;
  const detail: JsonObject = { reason, to: plain(step.to), step: escalations };
  const next = { escalations, deadline, audience: joined(approval.audience, step.to) };
  return changed(approval, next, { ...act('escalated', by, detail), notify: step.notify });
}

function extend(approval: ApprovalRecord, command: Command<'extend'>, now: Date): ApprovalAnswer {
  const { by, reason } = command;
  const { deadline: before } = approval;
  const milliseconds = command.for ?? approval.rule.timeout;
  if (milliseconds === null) {
    const message = `${nameOf(approval)} has no timeout of its own. Say by how much to extend it: { for: '2h' }.`;
    return refused(approval, 'FLOWSTONE_APPROVAL_INVALID', message);
  }
  const deadline = after(before && before > now ? before : now, milliseconds);
  return changed(approval, { deadline }, act('extended', by, { reason, ...moved(before, deadline) }));
}

/** What is declared for it; where that is used up, code of the checkpoint decides, or it fails. */
function passDeadline(approval: ApprovalRecord, now: Date): ApprovalAnswer {
  const { deadline, rule, extensions, escalations } = approval;
  if (!deadline || deadline > now) return { kind: 'unchanged' };
  const decision = (action: ApprovalDecision['action']): ApprovalDecision => ({
    action,
    by: null,
    at: now,
    reason: null,
  });
  if (rule.timeoutAction === 'approve') return decide({ ...approval, proposal: null }, 'approved', decision('approve'));
  if (rule.timeoutAction === 'reject') return decide(approval, 'rejected', decision('reject'));
  const next = after(now, rule.timeout ?? 0);
  if (rule.timeoutAction === 'extend' && extensions < rule.extensions) {
    const detail: JsonObject = { reason: null, ...moved(deadline, next) };
    return changed(approval, { deadline: next, extensions: extensions + 1 }, act('extended', null, detail));
  }
  if (rule.timeoutAction === 'escalate' && rule.escalation[escalations]) return takeStep(approval, null, null, next);
  return decide(approval, 'timed_out', decision('timeout'));
}

function decide(
  approval: ApprovalRecord,
  status: Extract<ApprovalStatus, 'approved' | 'modified' | 'rejected' | 'received' | 'timed_out'>,
  decision: ApprovalDecision,
): ApprovalAnswer {
  const { reason } = decision;
  const detail: JsonObject =
    status === 'modified' ? { reason, before: null, after: approval.proposal!.value } : { reason };
  return changed(approval, { status, decision, closedAt: decision.at }, act(status, decision.by, detail));
}

function close(approval: ApprovalRecord, status: 'superseded' | 'cancelled', now: Date): ApprovalAnswer {
  return changed(approval, { status, closedAt: now }, act(status, null, null));
}

function isProposed({ proposal }: ApprovalRecord, { by, value }: Command<'modify'>): boolean {
  return proposal !== null && proposal.by === by && isDeepStrictEqual(proposal.value, value);
}

/** Whether it has come before, as after a lost answer, and was decided so. */
function wasHeard(approval: ApprovalRecord, command: ApprovalCommand): boolean {
  const { decision, proposal, status, votes } = approval;
  switch (command.kind) {
    case 'approve':
      return (status === 'approved' || status === 'modified') && votes.some(({ by }) => by === command.by);
    case 'modify':
      return status === 'modified' && isProposed(approval, command);
    case 'reject':
      return status === 'rejected' && decision?.by === command.by;
    case 'receive':
      return status === 'received' && isDeepStrictEqual(proposal?.value, command.value);
    default:
      return false;
  }
}

/** What has been heard is no news; any other decision learns who was first. */
function tooLate(approval: ApprovalRecord, command: ApprovalCommand): ApprovalAnswer {
  const isDecision = 'by' in command || command.kind === 'receive';
  return !isDecision || wasHeard(approval, command) ? { kind: 'unchanged' } : conflict(approval);
}

function conflict(approval: ApprovalRecord): ApprovalAnswer {
  const { decision, status } = approval;
  const winner = decision?.by ?? null;
  const ending: Readonly<Record<ApprovalStatus, string>> = {
    open: '',
    approved: `was approved ${whose(decision)}`,
    modified: `was modified ${whose(decision)}`,
    rejected: `was rejected ${whose(decision)}`,
    received: `was answered at ${decision?.at.toISOString()}, by other data`,
    timed_out: `timed out at ${decision?.at.toISOString()}`,
    superseded: 'was superseded, since one of its inputs has another version: look for the approval that follows it',
    cancelled: 'was cancelled with its run',
  };
  return {
    kind: 'refused',
    code: 'FLOWSTONE_APPROVAL_CONFLICT',
    message: `${nameOf(approval)} ${ending[status]}. Nothing was changed.`,
    context: { approval: approval.id, status, winner },
  };
}

function ofAnotherKind(approval: ApprovalRecord): ApprovalAnswer {
  const message =
    approval.kind === 'signal'
      ? `${nameOf(approval)} waits for a signal, which nobody can decide. Deliver it, or cancel the run.`
      : `${nameOf(approval)} waits for people, not for a signal.`;
  return refused(approval, 'FLOWSTONE_APPROVAL_INVALID', message);
}

function whose(decision: ApprovalDecision | null): string {
  return `by ${decision?.by ?? 'its timeout'} at ${decision?.at.toISOString()}`;
}

function otherProposal(approval: ApprovalRecord): ApprovalAnswer {
  const { proposal } = approval;
  const message = proposal
    ? `${nameOf(approval)} is about a modification by ${proposal.by} now. Look at it, then approve { proposal: ${proposal.number} }.`
    : `${nameOf(approval)} has no such modification. Approve it without \`proposal\`.`;
  return {
    kind: 'refused',
    code: 'FLOWSTONE_APPROVAL_CONFLICT',
    message,
    context: { approval: approval.id, status: approval.status, proposal: proposal?.number ?? null },
  };
}

/** Undefined: they may. */
function forbidden(approval: ApprovalRecord, { by, roles }: Acting, agreeing: boolean): ApprovalAnswer | undefined {
  const { audience, rule, requestedBy } = approval;
  const named =
    isEverybody(audience) || audience.users.includes(by) || roles.some((role) => audience.roles.includes(role));
  if (!named) {
    const whom = [...audience.users, ...audience.roles.map((role) => `role ${role}`)].join(', ');
    return refused(
      approval,
      'FLOWSTONE_APPROVAL_FORBIDDEN',
      `${by} may not decide ${nameOf(approval)}: it is for ${whom}.`,
    );
  }
  if (agreeing && rule.separationOfDuties && requestedBy === by) {
    const message = `${by} requested the run and may not approve ${nameOf(approval)} too (separationOfDuties). Let another person decide.`;
    return refused(approval, 'FLOWSTONE_APPROVAL_FORBIDDEN', message);
  }
  return undefined;
}

function refused(approval: ApprovalRecord, code: FlowStoneErrorCode, message: string): ApprovalAnswer {
  return { kind: 'refused', code, message, context: { approval: approval.id } };
}

/** `approval 7 of report[2024-01]`. */
export function nameOf({ id, asset, partition }: Pick<ApprovalRecord, 'id' | 'asset' | 'partition'>): string {
  return `Approval ${id} of ${asset}${partition && `[${partition}]`}`;
}

function changed(approval: ApprovalRecord, next: Partial<ApprovalRecord>, made: NewApprovalAct): ApprovalAnswer {
  return { kind: 'changed', approval: { ...approval, ...next }, act: made };
}

function act(kind: ApprovalActKind, actor: string | null, detail: JsonObject | null): NewApprovalAct {
  return { kind, actor, detail, notify: [] };
}

function byWhom({ by, reason }: Acting, action: ApprovalDecision['action'], at: Date): ApprovalDecision {
  return { action, by, at, reason };
}

function moved(before: Date | null, deadline: Date): JsonObject {
  return { before: before?.toISOString() ?? null, after: deadline.toISOString() };
}

function after(time: Date, milliseconds: number): Date {
  return new Date(time.getTime() + milliseconds);
}

/** Everybody stays everybody. */
function joined(audience: Audience, more: Audience): Audience {
  if (isEverybody(audience)) return audience;
  return {
    users: [...new Set([...audience.users, ...more.users])],
    roles: [...new Set([...audience.roles, ...more.roles])],
  };
}

function plain({ users, roles }: Audience): JsonObject {
  return { users: [...users], roles: [...roles] };
}
