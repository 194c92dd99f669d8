// Follows what the attempts of one materialization log, wherever they run, until it has ended.
import type { Subscriber } from 'rxjs';
import { FlowStoneError } from '../flowstone.errors.js';
import type { EventKind } from '../ledger/event.catalogue.js';
import type { Ledger } from '../ledger/ledger.port.js';
import type { LogLine, LogPlace } from '../ledger/logs.port.js';
import { isTerminal } from '../ledger/transitions.js';
import { Alarm } from '../runs/alarm.js';
import { isOutage } from '../runs/patience.js';
import type { EventBus } from './event.bus.js';

/** Lines that are read at once. */
const PAGE = 500;
/** Between looks without news, and between any two, ms. */
const POLL = 1000;
const LEAST_LOOK = 50;

/** By which a materialization ends. */
const ENDS: readonly EventKind[] = [
  'materialization.success',
  'materialization.failed',
  'materialization.upstream_failed',
  'materialization.skipped',
  'materialization.cancelled',
];

export interface FollowParts {
  readonly ledger: Pick<Ledger, 'logs' | 'materialization'>;
  readonly bus: EventBus;
  /** The ledger cannot be reached; tried again soon. */
  readonly outage: (error: unknown) => void;
}

export class LogFollower {
  readonly #alarm = new Alarm(() => void this.#look());
  readonly #unlisten: () => void;
  #lookedAt = -Infinity;
  #looking = false;
  #wantsLook = false;

  constructor(
    private readonly parts: FollowParts,
    private readonly materialization: number,
    private after: LogPlace | null,
    private readonly subscriber: Subscriber<LogLine>,
  ) {
    this.#unlisten = parts.bus.add({
      kinds: ENDS,
      next: (event) => {
        if (event.materialization === materialization) this.wake();
      },
      complete: () => subscriber.complete(),
    });
    this.wake();
  }

  /** There may be new lines. */
  wake(): void {
    this.#alarm.set(Math.max(0, this.#lookedAt + LEAST_LOOK - performance.now()));
  }

  close(): void {
    this.#alarm.close();
    this.#unlisten();
  }

  async #look(): Promise<void> {
    this.#wantsLook = true;
    if (this.#looking) return;
    this.#looking = true;
    while (this.#wantsLook && !this.subscriber.closed) {
      this.#wantsLook = false;
      this.#lookedAt = performance.now();
      await this.#read().catch((error: unknown) => {
        if (isOutage(error)) this.parts.outage(error);
        else this.subscriber.error(error);
      });
    }
    this.#looking = false;
    this.#alarm.set(POLL);
  }

  /** Whether it has ended is asked first: what was logged before that is there then. */
  async #read(): Promise<void> {
    const { ledger } = this.parts;
    const record = await ledger.materialization(this.materialization);
    if (!record) throw unknownMaterialization(this.materialization);
    for (let full = true; full && !this.subscriber.closed;) {
      const lines = await ledger.logs.lines(this.materialization, this.after, PAGE);
      for (const line of lines) {
        this.after = line;
        this.subscriber.next(line);
      }
      full = lines.length === PAGE;
    }
    if (isTerminal(record.status)) this.subscriber.complete();
  }
}

function unknownMaterialization(id: number): FlowStoneError {
  return new FlowStoneError(
    'FLOWSTONE_REQUEST_INVALID',
    `There is no materialization ${id}: it never was, or retention has removed it. Its id is in runs, history and events.`,
    { context: { materialization: id } },
  );
}
