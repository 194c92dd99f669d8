// The part of the ledger's port by which all of its events are read, each once, however long the transaction of one took.
import type { EventKind } from './event.catalogue.js';
import type { EventRecord } from './records.js';

/**
 * A place in the log of one namespace: which transactions are behind it. Opaque text, which may be stored. It belongs to
 * one ledger, and is void where that was restored to an earlier time or copied to another server.
 */
export type EventCursor = string;

/** Some of the events after a cursor. */
export interface EventPage {
  /** Of whole transactions, in the order in which they were recorded. */
  readonly events: readonly EventRecord[];
  /** After these, and after all others that are behind them. */
  readonly cursor: EventCursor;
  /** There are more already. */
  readonly more: boolean;
}

/** News between processes of one ledger that there is something in its log. It may be lost: a poll is its recovery. */
export interface EventNews {
  /**
   * From now on `heard` is called soon after a process has told something, with what it told ('': that there is something in
   * the log), and whenever news may have been lost. A lost
   * connection is replaced, for ever; `failed` hears once of each loss. Undefined: this process cannot listen.
   */
  readonly listen?:
    ((heard: (what: string) => void, failed: (error: unknown) => void) => { close(): Promise<void> }) | undefined;
  /** This process listens from now on, or no longer: others are told of it by their next renewal. */
  mark(process: string, listens: boolean): Promise<void>;
  /** Tells who listens, at most 7,000 bytes. Of what there is in the log after its commit; never with each. */
  tell(what?: string): Promise<void>;
}

export interface EventLogLedger {
  /** Undefined: no other process can have this ledger, or be told. */
  readonly news?: EventNews | undefined;

  /** The end: behind it is what has been committed by now, and nothing else. */
  cursor(): Promise<EventCursor>;
  /**
   * What was committed since a cursor: read on and on by the cursor that each page gives, every event comes exactly once,
   * whatever else is open or was committed in another order. An event comes after those of transactions that had
   * committed before its own began; others come in the order in which they were recorded, page by page.
   * Events whose records retention has removed are left out.
   * @param limit about so many rows of the log at a time; a transaction is never cut in two
   * @param kinds others are passed over; left out: all
   * @throws FlowStoneError FLOWSTONE_EVENT_CURSOR_LOST: the cursor is of another ledger or of a future that a restored
   *   one has not seen, or retention has removed events after it
   */
  since(cursor: EventCursor, limit: number, kinds?: readonly EventKind[]): Promise<EventPage>;
}
