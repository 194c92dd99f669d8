// What the application listens to: everything that is recorded, in this process or another, as observables.
import type { Observable } from 'rxjs';
import type { AssetClass } from '../assets/asset.definition.js';
import { keyOf } from '../assets/asset.metadata.js';
import { shown, text, texts, whole, wholeFrom } from '../assets/expectations.js';
import { FlowStoneError } from '../flowstone.errors.js';
import { didYouMean } from '../graph/did-you-mean.js';
import { EVENT_KINDS, type EventKind } from '../ledger/event.catalogue.js';
import { cursorLost } from '../ledger/event-cursors.js';
import type { EventLogLedger } from '../ledger/event-log.port.js';
import { requireOptions, type Expected } from '../request.options.js';
import type { EventBus } from './event.bus.js';
import { eventOf, type FlowStoneEvent } from './event.js';
import { GuardedObservable, type Thrown } from './guarded.observable.js';

/** What events are about that are listened to: all that is given must fit. */
export interface EventFilter {
  readonly asset?: AssetClass | string;
  /** The canonical key. */
  readonly partition?: string;
  readonly run?: number;
}

/** What is read of the log. */
export interface EventsSinceOptions {
  /** Others are passed over. */
  readonly kinds?: readonly EventKind[];
  /** About so many rows of the log: one may tell of many materializations at once. Default 100. */
  readonly limit?: number;
}

/** Some of the events after a cursor. */
export interface EventsPage {
  readonly events: readonly FlowStoneEvent[];
  /** From which to read on. */
  readonly cursor: string;
  /** There are more already. */
  readonly more: boolean;
}

const SINCE: Expected<EventsSinceOptions> = { kinds: texts, limit: wholeFrom(1, 1000) };

const FILTER: Expected<EventFilter> = {
  asset: (value) =>
    typeof value === 'function' || text(value) === undefined ? undefined : 'an asset class or its key',
  partition: (value) => (typeof value === 'string' ? undefined : 'a text'),
  run: whole,
};

/**
 * Events as they are committed, of all processes of the namespace, each once in this process. An observable is live: it
 * begins with what is committed after its subscription (where others listen already, perhaps a moment before) and ends
 * when the application closes. What must happen for every event is for hooks
 * (`@OnEvent`). While nobody subscribes it costs nothing.
 *
 * A subscriber that throws, or returns a promise that is rejected, is logged and goes on.
 */
export class FlowStoneEvents {
  readonly #bus: EventBus;
  readonly #thrown: Thrown;

  /** Made by the module: inject it, or use `flowstone.events`. */
  constructor(bus: EventBus, thrown: Thrown) {
    this.#bus = bus;
    this.#thrown = thrown;
  }

  /** Every event. */
  all(): Observable<FlowStoneEvent> {
    return this.#observable(undefined, () => true);
  }

  /**
   * Events of one kind or of several, of one asset, partition or run where that is said.
   * @throws FlowStoneError FLOWSTONE_REQUEST_INVALID: no such kind
   */
  of<K extends EventKind>(kinds: K | readonly K[], filter: EventFilter = {}): Observable<FlowStoneEvent<K>> {
    const wanted = requireKinds(typeof kinds === 'string' ? [kinds] : kinds) as readonly K[];
    requireOptions('The filter of events', filter, FILTER);
    const { asset, partition, run } = filter;
    const key = typeof asset === 'function' ? keyOf(asset) : asset;
    return this.#observable(
      wanted,
      (event) =>
        (key === undefined || event.asset === key) &&
        (partition === undefined || event.partition === partition) &&
        (run === undefined || event.run === run),
    );
  }

  /**
   * Resolves once whatever is committed from then on reaches everybody who has subscribed by now. Subscriptions made before
   * the application has started miss nothing of its work without it.
   */
  async listening(): Promise<void> {
    await this.#bus.listening();
  }

  /** The end of the log now, as text that can be stored: to read on from there by {@link since}. */
  async cursor(): Promise<string> {
    return this.#log.cursor();
  }

  /**
   * What was committed since a cursor, in pages: read on by the cursor of each, every event comes exactly once, in whatever
   * order transactions commit.
   * @throws FlowStoneError FLOWSTONE_EVENT_CURSOR_LOST: it cannot be said any more what came after it
   */
  async since(cursor: string, options: EventsSinceOptions = {}): Promise<EventsPage> {
    requireOptions('events.since()', options, SINCE);
    if (typeof cursor !== 'string') throw cursorLost('another ledger');
    const { kinds, limit = 100 } = options;
    const page = await this.#log.since(cursor, limit, kinds && requireKinds(kinds));
    return { ...page, events: page.events.flatMap((record) => eventOf(record) ?? []) };
  }

  get #log(): EventLogLedger {
    if (this.#bus.log) return this.#bus.log;
    throw new FlowStoneError(
      'FLOWSTONE_NOT_STARTED',
      'The log of events can be read once the application has started, and until it is closed.',
    );
  }

  #observable<K extends EventKind>(
    kinds: readonly K[] | undefined,
    fits: (event: FlowStoneEvent) => boolean,
  ): Observable<FlowStoneEvent<K>> {
    return new GuardedObservable<FlowStoneEvent<K>>(this.#thrown, (subscriber) =>
      this.#bus.add({
        kinds,
        next: (event) => {
          if (fits(event)) subscriber.next(event as unknown as FlowStoneEvent<K>);
        },
        complete: () => subscriber.complete(),
      }),
    );
  }
}

/** @throws FlowStoneError FLOWSTONE_REQUEST_INVALID for what is no kind of events, or none at all */
function requireKinds(kinds: readonly unknown[]): readonly EventKind[] {
  if (kinds.length === 0) {
    throw new FlowStoneError('FLOWSTONE_REQUEST_INVALID', 'Name at least one kind of events.');
  }
  for (const kind of kinds) {
    if ((EVENT_KINDS as readonly unknown[]).includes(kind)) continue;
    const hint = typeof kind === 'string' ? didYouMean(kind, EVENT_KINDS) : '';
    throw new FlowStoneError(
      'FLOWSTONE_REQUEST_INVALID',
      `There are no events of kind ${shown(kind)}${hint}. The kinds are in docs/events.md.`,
    );
  }
  return kinds as readonly EventKind[];
}
