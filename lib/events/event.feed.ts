// Feeds the bus of this process from the ledger's log, own events and those of others alike, while somebody listens:
// soon after each piece of news, and now and then without any.
import type { EventCursor, EventLogLedger } from '../ledger/event-log.port.js';
import { FlowStoneError } from '../flowstone.errors.js';
import { Alarm } from '../runs/alarm.js';
import { withPatience } from '../runs/patience.js';
import type { EventBus } from './event.bus.js';
import { eventOf } from './event.js';

/** Rows of the log that are read at once. */
const PAGE = 200;
/** From the beginning of one look to the next, ms: of much news that comes together, most is read by one. */
const LEAST_LOOK = 10;

/** What people may want to know. */
export interface FeedNews {
  /** The ledger cannot be reached; tried again soon. */
  outage(error: unknown): void;
  /** Some events may have been missed: why. */
  missed(error: FlowStoneError): void;
  /** A bug or a broken ledger; tried again. */
  broken(error: unknown): void;
}

export interface FeedParts {
  /** Usable once the ledger is open. */
  readonly ledger: () => EventLogLedger;
  readonly bus: EventBus;
  /** Between looks without news, ms. */
  readonly poll: number;
  readonly news: FeedNews;
}

export class EventFeed {
  readonly #alarm = new Alarm(() => void this.#look());
  readonly #stopping = new AbortController();
  #started = false;
  /** Where the log is read on; undefined: nobody listens. */
  #cursor: EventCursor | undefined;
  #looking: Promise<void> | undefined;
  #wantsLook = false;
  #lookedAt = -Infinity;
  /** Who waits for the feed to run. */
  readonly #awaiting: (() => void)[] = [];

  constructor(private readonly parts: FeedParts) {
    parts.bus.listening = () => this.#running();
  }

  /** From here on, what is committed reaches those who listen already. */
  async start(): Promise<void> {
    this.#started = true;
    if (this.parts.bus.isWanted) await this.#look();
  }

  /** Somebody wants more than before. */
  grew(): void {
    this.#lookAgain();
  }

  /** There may be news in the log. Cheap. */
  wake(): void {
    if (this.#cursor !== undefined) this.#lookAgain();
  }

  /** Delivers what there is, and nothing more; who listens hears that this is the end. */
  async close(): Promise<void> {
    this.#alarm.close();
    const { bus, news } = this.parts;
    this.#stopping.abort();
    await this.#looking;
    if (this.#started) await this.#read().catch((error: unknown) => news.outage(error));
    this.#started = false;
    bus.close();
    for (const resolve of this.#awaiting.splice(0)) resolve();
  }

  #lookAgain(): void {
    if (this.#started) this.#alarm.set(Math.max(0, this.#lookedAt + LEAST_LOOK - performance.now()));
  }

  /** Who asks during a look is served by the next. */
  #look(): Promise<void> {
    this.#wantsLook = true;
    return (this.#looking ??= this.#keepLooking());
  }

  async #keepLooking(): Promise<void> {
    const { bus, news, poll } = this.parts;
    while (this.#wantsLook && !this.#stopping.signal.aborted) {
      this.#wantsLook = false;
      this.#lookedAt = performance.now();
      await this.#read().catch((error: unknown) => {
        if (!this.#stopping.signal.aborted) news.broken(error);
      });
    }
    this.#looking = undefined;
    if (bus.isWanted) this.#alarm.set(poll);
    else this.#cursor = undefined;
  }

  async #read(): Promise<void> {
    const { bus } = this.parts;
    for (let more = bus.isWanted; more;) {
      const { version, kinds } = bus;
      if (this.#cursor === undefined) {
        this.#cursor = await this.#patiently((ledger) => ledger.cursor());
        more = version !== bus.version;
      } else {
        const cursor = this.#cursor;
        const page = await this.#patiently((ledger) => ledger.since(cursor, PAGE, kinds)).catch((error: unknown) =>
          this.#lost(error),
        );
        // Somebody wants more by now, which this page may have passed over.
        if (version !== bus.version) continue;
        this.#cursor = page?.cursor;
        bus.deliver(page?.events.flatMap((record) => eventOf(record) ?? []) ?? []);
        more = page === undefined || page.more;
      }
    }
    for (const resolve of this.#awaiting.splice(0)) resolve();
  }

  /** The place in the log is lost: it goes on at the end. */
  #lost(error: unknown): undefined {
    if (!(error instanceof FlowStoneError && error.code === 'FLOWSTONE_EVENT_CURSOR_LOST')) throw error;
    this.parts.news.missed(error);
    return undefined;
  }

  async #running(): Promise<void> {
    if (this.#stopping.signal.aborted || !this.parts.bus.isWanted) return;
    const running = new Promise<void>((resolve) => this.#awaiting.push(resolve));
    this.#lookAgain();
    await running;
  }

  #patiently<T>(operation: (ledger: EventLogLedger) => Promise<T>): Promise<T> {
    const { ledger, news } = this.parts;
    return withPatience(
      () => operation(ledger()),
      this.#stopping.signal,
      (error) => news.outage(error),
    );
  }
}
