// The collector: removes what retention says may go, in turns with the other processes. What one pass does stands in
// collection.pass.ts; this file only gives it its turns, and stops it.
import { setTimeout as pause } from 'node:timers/promises';
import type { CollectionLedger, VersionPolicies } from '../ledger/collection.port.js';
import type { IoRegistry } from '../io/io.registry.js';
import {
  CollectionPass,
  NOTHING_COLLECTED,
  type Collected,
  type CollectionNews,
  type DeleteValue,
} from './collection.pass.js';
import type { Retention } from './retention.options.js';

/** A process silent for so long has lost its turn, ms. */
const TURN_LEASE = 60_000;
/** Time until the first look after the start, and at most between two looks, ms. */
const FIRST_LOOK = 5000;
const LONGEST_LOOK = 60_000;
/** Time between asking for a turn that another process has, ms. */
const ASK_AGAIN = 250;

export interface CollectorParts {
  /** Usable once the ledger is open. */
  readonly ledger: () => CollectionLedger;
  readonly io: IoRegistry;
  readonly deleteValue: DeleteValue;
  readonly namespace: string;
  readonly retention: Retention;
  /** Id of this process as the ledger knows it. */
  readonly process: () => string;
  readonly policies: () => VersionPolicies;
  readonly news: CollectionNews & {
    readonly collected: (collected: Collected) => void;
    /** A pass could not be done; the next one tries again. */
    readonly failed: (error: unknown) => void;
  };
}

export class Collector {
  readonly #stopping = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  /** What this process does one after the other. */
  #busy: Promise<unknown> = Promise.resolve();

  constructor(private readonly parts: CollectorParts) {}

  /** Looks every now and then whether a turn is due. */
  start(): void {
    const { every } = this.parts.retention;
    if (every !== null) this.#lookIn(Math.min(FIRST_LOOK, every), Math.min(LONGEST_LOOK, Math.max(every, 1000)));
  }

  /** One pass now; waits while another process has the turn. Rejects when the application closes meanwhile. */
  async collect(): Promise<Collected> {
    return this.#afterOthers(async () => {
      for (;;) {
        const collected = await this.#turn(true);
        if (collected) return collected;
        await pause(ASK_AGAIN, undefined, { signal: this.#stopping.signal });
      }
    });
  }

  /** Deletes what a person has condemned; what a running attempt may still read is left to a later turn. */
  async deleteCollection(collection: number): Promise<void> {
    await this.#pass(new Date(0)).deleteCollection(collection);
  }

  /** Begins nothing more; resolves once the step that is being taken has ended. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#stopping.abort();
    await this.#busy.catch(() => undefined);
  }

  #lookIn(delay: number, next: number): void {
    if (this.#stopping.signal.aborted) return;
    this.#timer = setTimeout(() => {
      void this.#afterOthers(() => this.#turn(false))
        .catch((error: unknown) => this.parts.news.failed(error))
        .then(() => this.#lookIn(next, next));
    }, delay).unref();
  }

  #afterOthers<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#busy.then(work, work);
    this.#busy = done;
    return done;
  }

  /** Undefined: it is not our turn. */
  async #turn(now: boolean): Promise<Collected | undefined> {
    const { retention, news } = this.parts;
    this.#stopping.signal.throwIfAborted();
    const ledger = this.parts.ledger();
    const process = this.parts.process();
    const turn = await ledger.takeTurn(process, { lease: TURN_LEASE, now });
    if (!turn) return undefined;
    const sweep = retention.orphans !== null && (turn.orphansDue || now);
    let collected: Collected = NOTHING_COLLECTED;
    let swept = false;
    const pass = this.#pass(turn.startedAt, () => ledger.keepTurn(process, TURN_LEASE));
    try {
      collected = await pass.run(sweep);
      swept = sweep && !pass.ended;
    } finally {
      const every = retention.every ?? LONGEST_LOOK;
      await ledger.endTurn(process, { every, orphans: swept ? retention.orphans : null });
    }
    news.collected(collected);
    return collected;
  }

  #pass(startedAt: Date, keepTurn: () => Promise<boolean> = async () => true): CollectionPass {
    const { io, policies, ...parts } = this.parts;
    const signal = this.#stopping.signal;
    return new CollectionPass(this.parts.ledger(), io, { ...parts, policies: policies(), startedAt, signal, keepTurn });
  }
}
