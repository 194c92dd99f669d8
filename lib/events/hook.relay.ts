// Reads the log on for hooks that must not miss an event, and writes what they are to be told into the outbox. Any number of
// processes do so: whoever moves a hook on first has told it.
import type { EventCursor, EventLogLedger } from '../ledger/event-log.port.js';
import type { HookLedger, HookNotices } from '../ledger/hooks.port.js';
import type { EventRecord } from '../ledger/records.js';
import { FlowStoneError } from '../flowstone.errors.js';
import { Alarm } from '../runs/alarm.js';
import { crashPoint } from '../runs/crash-points.js';
import { withPatience } from '../runs/patience.js';
import { eventOf } from './event.js';
import { kindsOf } from './event.names.js';
import { isFor, topicOf, type Hook } from './hook.js';
import { noticeOf } from './hook.receivers.js';

/** Rows of the log that are read at once. */
const PAGE = 50;
/** From the beginning of one look to the next, ms. */
const LEAST_LOOK = 50;
/** A hook of which nothing happens is moved on after so long, ms, so that what it has passed may be removed. */
const MOVE_IDLE = 60_000;

/** What people may want to know. */
export interface RelayNews {
  /** Something is in the outbox. */
  posted(): void;
  /** A hook has missed events: why. */
  missed(hook: string, error: FlowStoneError): void;
  /** The ledger cannot be reached; tried again soon. */
  outage(error: unknown): void;
  /** A bug or a broken ledger; tried again. */
  broken(error: unknown): void;
}

export interface RelayParts {
  /** Usable once the ledger is open. */
  readonly ledger: () => { readonly eventLog: EventLogLedger; readonly hooks: HookLedger };
  readonly hooks: readonly Hook[];
  /** Between looks without news, ms. */
  readonly poll: number;
  readonly news: RelayNews;
}

/** Where a hook is: as the ledger has it, and how far nothing of it was found beyond that. */
interface Place {
  stored: EventCursor;
  read: EventCursor;
  movedAt: number;
}

export class HookRelay {
  readonly #alarm = new Alarm(() => void this.#look());
  readonly #stopping = new AbortController();
  readonly #places = new Map<string, Place>();
  #looking: Promise<void> | undefined;
  #wantsLook = false;
  #lookedAt = -Infinity;
  #started = false;

  constructor(private readonly parts: RelayParts) {}

  /** Hooks that are new begin here. */
  async start(): Promise<void> {
    if (this.parts.hooks.length === 0) return;
    await this.#refresh();
    this.#started = true;
    this.wake();
  }

  /** There may be news in the log. Cheap. */
  wake(): void {
    if (this.#started) this.#alarm.set(Math.max(0, this.#lookedAt + LEAST_LOOK - performance.now()));
  }

  /** What there is goes into the outbox, and nothing more. */
  async close(): Promise<void> {
    this.#alarm.close();
    this.#stopping.abort();
    await this.#looking;
    if (this.#started) await this.#relay().catch((error: unknown) => this.parts.news.outage(error));
    this.#started = false;
  }

  /** Who asks during a look is served by the next. */
  #look(): Promise<void> {
    this.#wantsLook = true;
    return (this.#looking ??= this.#keepLooking());
  }

  async #keepLooking(): Promise<void> {
    while (this.#wantsLook && !this.#stopping.signal.aborted) {
      this.#wantsLook = false;
      this.#lookedAt = performance.now();
      await this.#relay().catch((error: unknown) => {
        if (!this.#stopping.signal.aborted) this.parts.news.broken(error);
      });
    }
    this.#looking = undefined;
    this.#alarm.set(this.parts.poll);
  }

  /** All hooks to the end of the log. Those at the same place, as all are before long, read it together. */
  async #relay(): Promise<void> {
    const behind = new Set(this.parts.hooks);
    while (behind.size > 0) {
      const [first] = behind;
      const { read, stored } = this.#places.get(first!.name)!;
      const together = [...behind].filter(({ name }) => {
        const place = this.#places.get(name)!;
        return place.read === read && place.stored === stored;
      });
      const more = await this.#relayTogether(together, stored, read);
      if (!more) for (const hook of together) behind.delete(hook);
    }
  }

  /** A page of the log. Whether there is more. */
  async #relayTogether(hooks: readonly Hook[], stored: EventCursor, read: EventCursor): Promise<boolean> {
    const kinds = kindsOf(hooks.flatMap(({ events }) => events));
    const page = await this.#patiently(({ eventLog }) => eventLog.since(read, PAGE, kinds)).catch((error: unknown) =>
      this.#beginAnew(hooks, stored, error),
    );
    if (!page) return false;
    const told = hooks.map((hook) => noticesOf(hook, page.events));
    const isIdle = told.every(({ payloads }) => payloads.length === 0);
    const now = performance.now();
    const places = hooks.map(({ name }) => this.#places.get(name)!);
    if (isIdle && places.every(({ movedAt }) => now - movedAt < MOVE_IDLE)) {
      for (const place of places) place.read = page.cursor;
      return page.more;
    }
    crashPoint('before-relay');
    const moved = await this.#patiently((ledger) => ledger.hooks.move(stored, page.cursor, told));
    crashPoint('after-relay');
    for (const name of moved) this.#places.set(name, { stored: page.cursor, read: page.cursor, movedAt: now });
    if (!isIdle) this.parts.news.posted();
    if (moved.length === hooks.length) return page.more;
    // Another process was first with some: they go on where that has left them.
    await this.#refresh();
    return true;
  }

  async #refresh(): Promise<void> {
    const names = this.parts.hooks.map(({ name }) => name);
    const stored = await this.#patiently((ledger) => ledger.hooks.places(names));
    for (const [name, place] of stored) {
      if (this.#places.get(name)?.stored !== place)
        this.#places.set(name, { stored: place, read: place, movedAt: performance.now() });
    }
  }

  /** Their place is lost: they begin again at the end of the log, and that is told. */
  async #beginAnew(hooks: readonly Hook[], stored: EventCursor, error: unknown): Promise<undefined> {
    if (!(error instanceof FlowStoneError && error.code === 'FLOWSTONE_EVENT_CURSOR_LOST')) throw error;
    const end = await this.#patiently(({ eventLog }) => eventLog.cursor());
    const nothing = hooks.map((hook) => noticesOf(hook, []));
    for (const name of await this.#patiently((ledger) => ledger.hooks.move(stored, end, nothing))) {
      await this.#patiently((ledger) => ledger.hooks.missed(name, String(error.context['reason'])));
      this.parts.news.missed(name, error);
    }
    await this.#refresh();
    return undefined;
  }

  #patiently<T>(operation: (ledger: ReturnType<RelayParts['ledger']>) => Promise<T>): Promise<T> {
    const { ledger, news } = this.parts;
    return withPatience(
      () => operation(ledger()),
      this.#stopping.signal,
      (error) => news.outage(error),
    );
  }
}

function noticesOf(hook: Hook, records: readonly EventRecord[]): HookNotices {
  const events = records.flatMap((record) => eventOf(record) ?? []);
  const payloads = events.filter((event) => isFor(hook, event)).map(noticeOf);
  return { hook: hook.name, topic: topicOf(hook), payloads };
}
