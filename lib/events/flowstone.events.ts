// What the application listens to: everything that is recorded, in this process or another, as observables.
import type { Observable } from 'rxjs';
import type { AssetClass } from '../assets/asset.definition.js';
import { keyOf } from '../assets/asset.metadata.js';
import { shown, text, whole } from '../assets/expectations.js';
import { FlowStoneError } from '../flowstone.errors.js';
import { didYouMean } from '../graph/did-you-mean.js';
import { EVENT_KINDS, type EventKind } from '../ledger/event.catalogue.js';
import { requireOptions, type Expected } from '../request.options.js';
import type { EventBus } from './event.bus.js';
import type { FlowStoneEvent } from './event.js';
import { GuardedObservable, type Thrown } from './guarded.observable.js';

/** What events are about that are listened to: all that is given must fit. */
export interface EventFilter {
  readonly asset?: AssetClass | string;
  /** The canonical key. */
  readonly partition?: string;
  readonly run?: number;
}

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
export function requireKinds(kinds: readonly unknown[]): readonly EventKind[] {
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
