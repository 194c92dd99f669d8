// Sends what is to leave the system, and drops what could not be sent for too long. One sender of each process that works;
// those of several share what is due. How the notices of one topic are sent stands in topic.sender.ts.
import type { DroppedNotice, OutboxLedger } from '../ledger/outbox.port.js';
import { Alarm } from '../runs/alarm.js';
import { withPatience } from '../runs/patience.js';
import type { NoticeReceiver } from './receiver.port.js';
import { TopicSender, type SendingNews } from './topic.sender.js';

/** Between two looks for what is too old: a hundredth of its age, within these bounds, ms. */
const SHORTEST_DROP = 1000;
const LONGEST_DROP = 600_000;
/** Dropped in one transaction at most. */
const DROP_AT_MOST = 500;

export interface OutboxNews extends SendingNews {
  dropped(notices: readonly DroppedNotice[]): void;
  /** A bug or a broken ledger; it is tried again. */
  broken(error: unknown): void;
}

export interface OutboxSenderParts {
  /** Usable once the ledger is open. */
  readonly ledger: () => OutboxLedger;
  /** What tells this ledger from any other. */
  readonly installation: () => string;
  readonly receivers: readonly NoticeReceiver[];
  /** How long it is tried to send a notice, ms. */
  readonly keepFor: number;
  /** Between 0 and 1. */
  readonly random: () => number;
  readonly news: OutboxNews;
}

export class OutboxSender {
  readonly #topics: readonly TopicSender[];
  readonly #stopping = new AbortController();
  readonly #drops = new Alarm(() => void this.#drop());
  #dropping: Promise<void> = Promise.resolve();

  constructor(private readonly parts: OutboxSenderParts) {
    this.#topics = [...new Set(parts.receivers.map(({ topic }) => topic))].map((topic) => {
      const receivers = parts.receivers.filter((receiver) => receiver.topic === topic);
      return new TopicSender(topic, receivers, parts);
    });
  }

  start(): void {
    for (const topic of this.#topics) topic.start();
    this.#drops.set(this.#dropEvery);
  }

  /** Something was written into the outbox here. Before `start`, and of what others write, it is seen by and by. */
  look(): void {
    for (const topic of this.#topics) topic.look();
  }

  /**
   * Sends what is due and begins nothing more; what is not out after `deadline` ms is left to others. Resolves when nothing
   * of it goes on here.
   */
  async close(deadline: number): Promise<void> {
    this.#drops.close();
    this.#stopping.abort();
    await Promise.all([this.#dropping, ...this.#topics.map((topic) => topic.close(deadline))]);
    for (const receiver of this.parts.receivers) receiver.close?.();
  }

  get #dropEvery(): number {
    return Math.min(LONGEST_DROP, Math.max(SHORTEST_DROP, this.parts.keepFor / 100));
  }

  async #drop(): Promise<void> {
    const { news } = this.parts;
    this.#dropping = this.#dropAll().catch((error: unknown) => news.broken(error));
    await this.#dropping;
    this.#drops.set(this.#dropEvery);
  }

  async #dropAll(): Promise<void> {
    const { ledger, keepFor, news } = this.parts;
    const { signal } = this.#stopping;
    for (let full = true; full && !signal.aborted;) {
      const dropped = await withPatience(
        () => ledger().drop(keepFor, DROP_AT_MOST),
        signal,
        (error) => news.outage(error),
      );
      if (dropped.length > 0) news.dropped(dropped);
      full = dropped.length === DROP_AT_MOST;
    }
  }
}
