// What an approval is, said once more and as simply as can be, for the properties of approvals to compare with. It shares
// no rule with lib/ledger/approval.machine.ts.
import type { ApprovalCommand } from '../../lib/ledger/approval.machine.js';
import type { ApprovalRecord, ApprovalRule, Audience } from '../../lib/ledger/approval.records.js';

/** What is told of a command: its effect, or the end of the error's code. */
export type Told = 'done' | 'CONFLICT' | 'FORBIDDEN' | 'INVALID';

const CLOSING = new Set(['approved', 'modified', 'rejected', 'timed_out', 'superseded', 'cancelled']);

/** Times are ms of the world's clock. */
export class ModelApproval {
  status: ApprovalRecord['status'] = 'open';
  audience: Audience;
  deadline: number | null;
  steps = 0;
  extensions = 0;
  votes: string[] = [];
  proposal: { number: number; by: string; value: unknown } | null = null;
  winner: string | null = null;
  /** `kind actor`, in order. */
  acts: string[];

  constructor(
    readonly rule: ApprovalRule,
    readonly requestedBy: string,
    readonly openedAt: number,
    /** Of each input when it was opened. */
    readonly versions: string,
  ) {
    this.audience = rule.assignees;
    this.deadline = rule.timeout === null ? null : openedAt + rule.timeout;
    this.acts = [`requested ${requestedBy}`];
  }

  copy(): ModelApproval {
    const made = new ModelApproval(this.rule, this.requestedBy, this.openedAt, this.versions);
    return Object.assign(made, this, { votes: [...this.votes], acts: [...this.acts] });
  }

  get isDecided(): boolean {
    return ['approved', 'modified', 'rejected', 'timed_out'].includes(this.status);
  }

  /** What others see of it, for comparing. */
  get seen(): object {
    const { status, audience, steps, extensions, votes, proposal, winner } = this;
    return { status, audience, escalations: steps, extensions, votes, proposal: proposal?.number ?? null, winner };
  }

  /** What a person does. `moved`: an input is another one by now. */
  command(command: Extract<ApprovalCommand, { by: string }>, now: number, moved: boolean): Told {
    const { by, roles, kind } = command;
    if (kind === 'comment') return this.#act('commented', by);
    if (this.status !== 'open') return this.#late(command);
    const decides = kind === 'approve' || kind === 'modify' || kind === 'reject';
    if (decides && moved && this.rule.pinInputs) {
      this.#end('superseded', null);
      return 'CONFLICT';
    }
    const { users, roles: named } = this.audience;
    const everybody = users.length + named.length === 0;
    if (!everybody && !users.includes(by) && !roles.some((role) => named.includes(role))) return 'FORBIDDEN';
    const own = this.rule.separationOfDuties && by === this.requestedBy;
    if (own && (kind === 'approve' || kind === 'modify')) return 'FORBIDDEN';
    if (kind === 'reject') return this.#end('rejected', by);
    if (kind === 'approve') return this.#approve(by, command.proposal);
    if (kind === 'modify') return this.#modify(by, command.value);
    if (kind === 'extend') return this.#extend(by, command.for, now);
    if (command.to === null) return this.steps < this.rule.escalation.length ? this.#step(by) : 'INVALID';
    if (command.to.users.length + command.to.roles.length === 0) return 'INVALID';
    this.#open(command.to);
    return this.#act('escalated', by);
  }

  /** Every state in which it may be once all is fired that is due; which of several comes first is open. */
  *fired(now: number, moved: boolean): Generator<ModelApproval> {
    const due = this.status === 'open' ? this.#due(now, moved) : [];
    if (due.length === 0) yield this;
    for (const fire of due) {
      const next = this.copy();
      fire(next);
      yield* next.fired(now, moved);
    }
  }

  cancel(): void {
    if (this.status === 'open') this.#end('cancelled', null);
  }

  /** The versions that were decided upon are gone. */
  forsake(): void {
    this.status = 'superseded';
    this.acts.push('superseded -');
  }

  #due(now: number, moved: boolean): ((approval: ModelApproval) => void)[] {
    const due: ((approval: ModelApproval) => void)[] = [];
    const isMoved = moved && this.rule.pinInputs;
    const wait = this.rule.escalation[this.steps]?.after ?? null;
    if (isMoved) due.push((one) => void one.#end('superseded', null));
    if (wait !== null && this.openedAt + wait <= now) due.push((one) => void one.#step(null));
    // What is about other data is not decided by time either.
    if (!isMoved && this.deadline !== null && this.deadline <= now) due.push((one) => one.#passDeadline(now));
    return due;
  }

  #passDeadline(now: number): void {
    const { timeoutAction, extensions, escalation, timeout } = this.rule;
    if (timeoutAction === 'approve') {
      this.proposal = null;
      this.#end('approved', null);
    } else if (timeoutAction === 'reject') this.#end('rejected', null);
    else if (timeoutAction === 'extend' && this.extensions < extensions) {
      this.extensions++;
      this.deadline = now + timeout!;
      this.#act('extended', null);
    } else if (timeoutAction === 'escalate' && this.steps < escalation.length) {
      this.deadline = now + timeout!;
      this.#step(null);
    } else this.#end('timed_out', null);
  }

  #approve(by: string, proposal: number | null): Told {
    if (proposal !== (this.proposal?.number ?? null)) return 'CONFLICT';
    if (this.votes.includes(by)) return 'done';
    this.votes.push(by);
    if (this.votes.length < this.rule.quorum) return this.#act('voted', by);
    return this.#end(this.proposal ? 'modified' : 'approved', by);
  }

  #modify(by: string, value: unknown): Told {
    if (!this.rule.modifiable) return 'INVALID';
    if (this.proposal?.by === by && this.proposal.value === value) return 'done';
    this.proposal = { number: (this.proposal?.number ?? 0) + 1, by, value };
    this.votes = [by];
    return this.rule.quorum === 1 ? this.#end('modified', by) : this.#act('proposed', by);
  }

  #extend(by: string, duration: number | null, now: number): Told {
    const added = duration ?? this.rule.timeout;
    if (added === null) return 'INVALID';
    this.deadline = Math.max(this.deadline ?? now, now) + added;
    return this.#act('extended', by);
  }

  #step(by: string | null): Told {
    this.#open(this.rule.escalation[this.steps++]!.to);
    return this.#act('escalated', by);
  }

  #open(more: Audience): void {
    if (this.audience.users.length + this.audience.roles.length === 0) return;
    const joined = (a: readonly string[], b: readonly string[]) => [...a, ...b.filter((one) => !a.includes(one))];
    this.audience = { users: joined(this.audience.users, more.users), roles: joined(this.audience.roles, more.roles) };
  }

  /** Said again, it was heard; but only if that is how it ended. */
  #late(command: Extract<ApprovalCommand, { by: string }>): Told {
    const { kind, by } = command;
    const agreed = this.status === 'approved' || this.status === 'modified';
    const heard =
      (kind === 'approve' && agreed && this.votes.includes(by)) ||
      (kind === 'reject' && this.status === 'rejected' && this.winner === by) ||
      (kind === 'modify' &&
        this.status === 'modified' &&
        this.proposal!.by === by &&
        this.proposal!.value === command.value);
    return heard ? 'done' : 'CONFLICT';
  }

  #end(status: ApprovalRecord['status'], winner: string | null): Told {
    this.status = status;
    this.winner = winner;
    return this.#act(status, winner);
  }

  #act(kind: string, actor: string | null): Told {
    this.acts.push(`${kind} ${actor ?? '-'}`);
    return 'done';
  }
}

/** Acts of these that close an approval, or take a decision back. */
export function closings(acts: readonly string[]): string[] {
  return acts.filter((act) => CLOSING.has(act.slice(0, act.indexOf(' '))));
}
