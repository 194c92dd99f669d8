// Takes the notices of one topic that are due and gives each to the receivers of the topic, some at a time.
import type { Notice, OutboxLedger } from '../ledger/outbox.port.js';
import { Alarm } from '../runs/alarm.js';
import { crashPoint } from '../runs/crash-points.js';
import { isOutage, withPatience } from '../runs/patience.js';
import type { Delivery, NoticeReceiver } from './receiver.port.js';

/** Notices on their way at once. */
const PLACES = 8;
/** What a receiver may take for one, ms, unless it says more. */
const SEND_LIMIT = 30_000;
/** Until the next look, ms, where something is due later, and where nothing is. */
const SOON = 1000;
const LATER = 5000;
/** Until a notice is sent again, ms: doubled with each attempt. */
const FIRST_DELAY = 1000;
const LONGEST_DELAY = 300_000;

/** What people may want to know. */
export interface SendingNews {
  /** It is sent again in `delay` ms. */
  failed(receiver: NoticeReceiver, error: unknown, delay: number): void;
  /** The receiver says that it will never take this one. */
  givenUp(receiver: NoticeReceiver, delivery: Delivery, error: unknown): void;
  /** The receiver has taken one. */
  sent(receiver: NoticeReceiver): void;
  /** The ledger cannot be reached; tried again soon. */
  outage(error: unknown): void;
  /** A bug or a broken ledger; tried again. */
  broken(error: unknown): void;
}

export interface SendingParts {
  readonly ledger: () => OutboxLedger;
  readonly installation: () => string;
  readonly random: () => number;
  readonly news: SendingNews;
}

export class TopicSender {
  readonly #alarm = new Alarm(() => void this.#look());
  /** The look under way, and whether another one is wanted after it. */
  #looking: Promise<void> | undefined;
  #wantsLook = false;
  readonly #underWay = new Set<Promise<void>>();
  readonly #stopping = new AbortController();
  #started = false;
  #closing = false;
  readonly #limit: number;

  constructor(
    private readonly topic: string,
    private readonly receivers: readonly NoticeReceiver[],
    private readonly parts: SendingParts,
  ) {
    this.#limit = Math.max(SEND_LIMIT, ...receivers.map(({ limit = 0 }) => limit));
  }

  start(): void {
    this.#started = true;
    this.look();
  }

  /** There may be something due. */
  look(): void {
    if (this.#started) this.#alarm.set(0);
  }

  /** See OutboxSender.close. */
  async close(deadline: number): Promise<void> {
    this.#alarm.close();
    const timer = setTimeout(() => this.#stopping.abort(), this.#started ? deadline : 0);
    await this.#looking;
    this.#closing = true;
    // What fails now is not due again before long.
    if (this.#started) void this.#look();
    while (this.#looking || this.#underWay.size > 0) await Promise.all([this.#looking, ...this.#underWay]);
    clearTimeout(timer);
    this.#started = false;
  }

  /** Who asks during a look is served by the next. */
  #look(): Promise<void> {
    this.#wantsLook = true;
    return (this.#looking ??= this.#keepLooking());
  }

  async #keepLooking(): Promise<void> {
    do {
      this.#wantsLook = false;
      const next = await this.#take().catch((error: unknown) => {
        // Where it closes, an outage is no news: what is due is left to others.
        if (!(this.#closing && isOutage(error))) this.parts.news.broken(error);
        return LATER;
      });
      this.#alarm.set(next);
    } while (this.#wantsLook && !this.#stopping.signal.aborted);
    this.#looking = undefined;
  }

  /** Answers with the ms until the next look. */
  async #take(): Promise<number> {
    const free = PLACES - this.#underWay.size;
    // Who gets a free place looks by itself.
    if (free === 0) return LATER;
    // For so long a notice is ours: longer than sending it takes.
    const lease = 2 * this.#limit;
    const { notices, next } = await this.#patiently((ledger) => ledger.claimDue([this.topic], free, lease));
    for (const notice of notices) {
      const sending = this.#send(notice)
        .catch((error: unknown) => this.parts.news.broken(error))
        .finally(() => {
          const wasFull = this.#underWay.size === PLACES;
          this.#underWay.delete(sending);
          if (wasFull) void this.#look();
        });
      this.#underWay.add(sending);
    }
    // No alarm rings any more.
    if (this.#closing && next === 0 && notices.length > 0) this.#wantsLook = true;
    return next === null ? LATER : Math.min(next, SOON);
  }

  async #send(notice: Notice): Promise<void> {
    const { id, payload, attempt, createdAt, delivered } = notice;
    const delivery: Delivery = { id: `${this.parts.installation()}-${id}`, payload, attempt, createdAt };
    const delay = this.#stopping.signal.aborted ? 0 : this.#delay(attempt);
    const left = this.receivers.filter(({ name }) => !delivered.includes(name));
    const over = await Promise.all(
      left.map(async (receiver) => {
        if (!(await this.#give(receiver, delivery, delay))) return false;
        // Of several, one that has it does not get it again for the sake of the others.
        if (left.length > 1) await this.#patiently((ledger) => ledger.deliveredTo(id, receiver.name));
        return true;
      }),
    );
    if (over.every(Boolean)) return this.#patiently((ledger) => ledger.sent(id));
    const again = this.#stopping.signal.aborted ? 0 : delay;
    await this.#patiently((ledger) => ledger.failed(notice, again));
    this.#alarm.set(again);
  }

  /** Whether the receiver is done with it. */
  async #give(receiver: NoticeReceiver, delivery: Delivery, delay: number): Promise<boolean> {
    const { news } = this.parts;
    try {
      crashPoint('before-send');
      await this.#limited((signal) => receiver.send(delivery, signal));
      crashPoint('after-send');
      news.sent(receiver);
      return true;
    } catch (error) {
      const final = typeof error === 'object' && error !== null && 'retryable' in error && error.retryable === false;
      if (final) news.givenUp(receiver, delivery, error);
      else if (!this.#stopping.signal.aborted) news.failed(receiver, error, delay);
      return final;
    }
  }

  /** Whether it listens or not, a receiver has only so much time. */
  async #limited(send: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const limit = new AbortController();
    const { signal } = this.#stopping;
    const stop = (): void => limit.abort(new Error('The application is being closed.'));
    const timer = setTimeout(() => limit.abort(new Error(`No answer within ${this.#limit / 1000} s.`)), this.#limit);
    const aborted = new Promise<never>((_, reject) => {
      limit.signal.addEventListener('abort', () => reject(limit.signal.reason as Error), { once: true });
    });
    aborted.catch(() => undefined);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    try {
      await Promise.race([aborted, send(limit.signal)]);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
    }
  }

  /** Of many that fail together not all come again at the same time. */
  #delay(attempt: number): number {
    const longest = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** (attempt - 1));
    return longest * (0.5 + this.parts.random() / 2);
  }

  #patiently<T>(operation: (ledger: OutboxLedger) => Promise<T>): Promise<T> {
    const { ledger, news } = this.parts;
    return withPatience(
      () => operation(ledger()),
      this.#stopping.signal,
      (error) => news.outage(error),
    );
  }
}
