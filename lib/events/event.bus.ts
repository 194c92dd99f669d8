// Who listens to events in this process, and what of them each wants. What it is fed with stands in event.feed.ts.
import type { EventKind } from '../ledger/event.catalogue.js';
import type { EventLogLedger } from '../ledger/event-log.port.js';
import type { FlowStoneEvent } from './event.js';

/** Somebody who listens. */
export interface EventListener {
  /** Undefined: all. */
  readonly kinds: readonly EventKind[] | undefined;
  next(event: FlowStoneEvent): void;
  /** Nothing comes any more. */
  complete(): void;
}

export class EventBus {
  readonly #listeners = new Set<EventListener>();
  /** How many want each kind, and how many want all. */
  readonly #wanted = new Map<EventKind, number>();
  #wantAll = 0;
  #closed = false;
  /** Grows whenever somebody wants what nobody wanted before. */
  version = 0;
  /** Told when `version` has grown. */
  grew: () => void = () => undefined;
  /** The log itself, while the application is started. */
  log: EventLogLedger | undefined;
  /** Resolves once all that is committed from then on reaches whoever listens now. */
  listening: () => Promise<void> = async () => undefined;

  get isWanted(): boolean {
    return this.#listeners.size > 0;
  }

  /** What is wanted; undefined: everything. */
  get kinds(): readonly EventKind[] | undefined {
    return this.#wantAll > 0 ? undefined : [...this.#wanted.keys()];
  }

  /** From now on; the result ends it. */
  add(listener: EventListener): () => void {
    if (this.#closed) {
      listener.complete();
      return () => undefined;
    }
    this.#listeners.add(listener);
    if (this.#count(listener.kinds, 1)) {
      this.version++;
      this.grew();
    }
    return () => {
      if (this.#listeners.delete(listener)) this.#count(listener.kinds, -1);
    };
  }

  deliver(events: readonly FlowStoneEvent[]): void {
    for (const event of events) {
      for (const listener of [...this.#listeners]) {
        if (listener.kinds === undefined || listener.kinds.includes(event.kind)) listener.next(event);
      }
    }
  }

  close(): void {
    this.#closed = true;
    const listeners = [...this.#listeners];
    this.#listeners.clear();
    for (const listener of listeners) listener.complete();
  }

  /** Whether something is wanted that was not before. */
  #count(kinds: readonly EventKind[] | undefined, by: 1 | -1): boolean {
    if (kinds === undefined) {
      this.#wantAll += by;
      return by === 1 && this.#wantAll === 1;
    }
    let grew = false;
    for (const kind of kinds) {
      const count = (this.#wanted.get(kind) ?? 0) + by;
      if (count === 0) this.#wanted.delete(kind);
      else this.#wanted.set(kind, count);
      grew ||= by === 1 && count === 1;
    }
    return grew;
  }
}
