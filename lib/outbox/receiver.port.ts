// Who takes notices that leave the system. Implementations stand where their subject is: approvals, OpenLineage.
import type { JsonObject } from '../ledger/records.js';

/** A notice on its way to a receiver. */
export interface Delivery {
  /** The same at every attempt and in every process, and of no other notice of any ledger: by it a receiver tells repetitions. */
  readonly id: string;
  readonly payload: JsonObject;
  /** 1 for the first attempt to send it. */
  readonly attempt: number;
  /** The ledger's time of what it tells of. */
  readonly createdAt: Date;
}

/** Takes the notices of a topic, each at least once; several at once, and not in order where some have to be repeated. */
export interface NoticeReceiver {
  readonly topic: string;
  /** Its own among those of the topic, and the same in every process. */
  readonly name: string;
  /** What it may take for one, ms, where that is more than usual. */
  readonly limit?: number | undefined;
  /**
   * Resolves once the notice is out of the system. What it throws sends the notice again later, unless that has
   * `retryable: false`: then this receiver does not get it. It gives up when `signal` says so.
   */
  send(delivery: Delivery, signal: AbortSignal): Promise<void>;
  /** Nothing is sent any more: lets go of what it holds. */
  close?(): void;
}
