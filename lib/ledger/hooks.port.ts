// The part of the ledger's port by which events reach those who must not miss any: each such hook has a place in the log of
// its own, kept here, and is told through the outbox. Who reads on and who is told stands in lib/events.
import type { EventCursor } from './event-log.port.js';
import type { JsonObject } from './records.js';

/** What a hook is to be told: one notice for each payload. */
export interface HookNotices {
  readonly hook: string;
  /** Of the outbox. */
  readonly topic: string;
  readonly payloads: readonly JsonObject[];
}

/** A hook that did not take an event, and is not given it any more. */
export interface HookFailure {
  readonly hook: string;
  readonly attempts: number;
  readonly error: string;
  /** The event it was given. */
  readonly event: {
    readonly id: number;
    readonly kind: string;
    readonly run: number | null;
    readonly asset: string | null;
    readonly partition: string | null;
  };
}

export interface HookLedger {
  /** Where each of these hooks reads on. One that is not known yet begins at the end of the log. */
  places(hooks: readonly string[]): Promise<ReadonlyMap<string, EventCursor>>;
  /**
   * Moves hooks on that are still at `from`, and writes what they are to be told into the outbox, all or nothing. Returns
   * those it moved: the others somebody else has moved meanwhile.
   */
  move(from: EventCursor, to: EventCursor, notices: readonly HookNotices[]): Promise<readonly string[]>;
  /** Records that a hook missed events (`hook.missed`), since its place in the log is lost. */
  missed(hook: string, reason: string): Promise<void>;
  /** Records that a hook has failed for good at an event (`hook.failed`). */
  failed(failure: HookFailure): Promise<void>;
}
