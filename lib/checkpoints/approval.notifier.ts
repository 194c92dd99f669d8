// Telling people of approvals: whoever does that, and the one that is there without anybody's doing, which writes a log.
import type { ContextLogger } from '../assets/asset.context.js';
import type { ApprovalRecord, Audience } from '../ledger/approval.records.js';
import type { ApprovalActKind, JsonObject } from '../ledger/records.js';

/** Something happened to an approval. */
export interface ApprovalNotice {
  /** The same at every attempt to tell it, and of no other notice: by it repetitions are told. */
  readonly id: string;
  readonly kind: ApprovalActKind;
  readonly at: Date;
  /** Who did it; null: nobody, it happened by time or by what else changed. */
  readonly actor: string | null;
  /** Reason, comment, what was there before and after. */
  readonly detail: JsonObject | null;
  /** Of an escalation, the addresses that its step names. */
  readonly notify: readonly string[];
  /** As it is now, which may be later. */
  readonly approval: ApprovalRecord;
}

/**
 * Tells people of approvals. Provide classes that extend it in any module: each is told of every notice at least once, in a
 * process that works. Where none is provided, a log is written.
 */
export abstract class ApprovalNotifier {
  /** Its own among all notifiers, and the same in every process. Default: the name of its class. */
  get name(): string {
    return this.constructor.name;
  }

  /**
   * Resolves once people are told. What it throws has it tell again later, unless that has a property `retryable: false`. It
   * gives up when `signal` says so.
   */
  abstract notify(notice: ApprovalNotice, signal: AbortSignal): Promise<void>;
}

/** What is worth a line: who is to do something, and what of that was in vain. */
const TOLD: Partial<Record<ApprovalActKind, string>> = {
  requested: 'waits for',
  escalated: 'was escalated, and waits for',
  superseded: 'is void, since an input has another version. It was for',
  timed_out: 'was not decided in time by',
};

/** Writes a log of what waits for whom. */
export class LogNotifier extends ApprovalNotifier {
  constructor(private readonly logger: Pick<ContextLogger, 'log'>) {
    super();
  }

  override get name(): string {
    return 'log';
  }

  async notify({ kind, approval }: ApprovalNotice): Promise<void> {
    const what = TOLD[kind];
    if (what === undefined) return;
    const { id, asset, partition, audience, message, deadline, run } = approval;
    const until = deadline && approval.status === 'open' ? ` until ${deadline.toISOString()}` : '';
    const place = partition === '' ? asset : `${asset}[${partition}]`;
    this.logger.log(`Approval ${id} of ${place} (run ${run}) ${what} ${inWords(audience)}${until}: ${message}`);
  }
}

function inWords({ users, roles }: Audience): string {
  const names = [...users, ...roles.map((role) => `role ${role}`)];
  return names.length === 0 ? 'a decision by anybody' : names.join(', ');
}
