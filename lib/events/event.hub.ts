// What this process does with events, put together: whoever listens is fed.
import type { Ledger } from '../ledger/ledger.port.js';
import type { LedgerOutage } from '../runs/ledger.outage.js';
import type { EventBus } from './event.bus.js';
import { EventFeed } from './event.feed.js';

/** Where what people are to know is written. */
export interface EventLog {
  readonly outage: LedgerOutage;
  stumbled(what: string, error: unknown): void;
}

export interface HubParts {
  readonly ledger: Pick<Ledger, 'eventLog'>;
  readonly bus: EventBus;
  /** Between looks without news, ms. */
  readonly pollInterval: number;
  readonly log: EventLog;
}

export class EventHub {
  readonly #feed: EventFeed;

  constructor({ ledger, bus, pollInterval, log }: HubParts) {
    this.#feed = new EventFeed({
      ledger: () => ledger.eventLog,
      bus,
      poll: pollInterval,
      news: {
        outage: (error) => log.outage.noticed(error),
        missed: (error) => log.stumbled('Events may have been missed', error),
        broken: (error) => log.stumbled('Events could not be read and are read again', error),
      },
    });
  }

  /** What is committed from here on reaches those who listen. */
  async start(): Promise<void> {
    await this.#feed.start();
  }

  /** This process has committed something. Cheap. */
  wake(): void {
    this.#feed.wake();
  }

  /** Once all work of this process has ended. */
  async close(): Promise<void> {
    await this.#feed.close();
  }
}
