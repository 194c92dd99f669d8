// The part of the ledger's port by which notices leave the system. Each is written in the transaction that it tells of;
// who sends them stands in lib/outbox.
import type { ErrorRecord, JsonObject, MaterializationStatus } from './records.js';

/** Topic of {@link AttemptNotice}. */
export const ATTEMPTS = 'attempts';

/**
 * Attempts that began and ended in one transaction, where the application wants to know (ProcessRegistration): the id of each
 * materialization and the number of the attempt, 1 for the first, those counted that were lost with their worker. What is
 * given back untouched goes on later by the same attempt, which then begins once more. Only what will not be found in the
 * record of the materialization stands here: why an attempt failed that is followed by another.
 */
export interface AttemptNotice {
  readonly began: readonly (readonly [materialization: number, attempt: number])[];
  readonly ended: readonly (readonly [
    materialization: number,
    attempt: number,
    how: Exclude<MaterializationStatus, 'pending' | 'running'> | 'materialization.retrying' | 'materialization.rescued',
    error: ErrorRecord | null,
  ])[];
}

/** What is to leave the system. */
export interface Notice {
  /** Of this ledger; never used again. */
  readonly id: number;
  readonly topic: string;
  readonly payload: JsonObject;
  /** 1 for the first attempt to send it. */
  readonly attempt: number;
  /** Names of the receivers that have it already. */
  readonly delivered: readonly string[];
  /** The ledger's time of the transaction that it tells of. */
  readonly createdAt: Date;
}

/** A notice that nobody could be given. */
export type DroppedNotice = Pick<Notice, 'id' | 'topic' | 'payload' | 'createdAt'>;

export interface OutboxLedger {
  /**
   * Takes what is due of these topics, the longest due first, for `lease` ms: a sender that dies meanwhile has lost it, and
   * it is due again. `next`: in how many ms the next one is due that was not taken; null: there is none.
   */
  claimDue(
    topics: readonly string[],
    limit: number,
    lease: number,
  ): Promise<{ readonly notices: readonly Notice[]; readonly next: number | null }>;
  /** Every receiver has it: it is removed. */
  sent(id: number): Promise<void>;
  /** This receiver has it, others not yet. */
  deliveredTo(id: number, receiver: string): Promise<void>;
  /** An attempt failed: due again in `delay` ms, unless somebody else has taken it since. */
  failed(notice: Pick<Notice, 'id' | 'attempt'>, delay: number): Promise<void>;
  /**
   * Removes notices of any topic that are older than `age` ms, and records an event (`notice.dropped`) of each. At most so
   * many; fewer: there are no more.
   */
  drop(age: number, limit: number): Promise<readonly DroppedNotice[]>;
}
