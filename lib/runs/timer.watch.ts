// What is due by the ledger's clock: retries, deadlines of attempts and approvals, and the next step of ending a large run early.
import type { Ledger } from '../ledger/ledger.port.js';
import type { DueDeadline } from '../ledger/work.js';
import { Alarm } from './alarm.js';
import { crashPoint } from './crash-points.js';

/** Longest sleep between two looks, ms. */
const LONGEST_SLEEP = 1000;

/** What a look brings up. */
export interface DueNews {
  passed(deadline: DueDeadline): void;
  /** Attempts that are to stop, since their run is ended early. */
  cancelled(attempts: readonly { readonly id: number; readonly epoch: number }[]): void;
  /** There may be work now in these pools. */
  released(pools: readonly string[]): void;
  /** Something may be in the outbox. */
  posted(): void;
  runEnded(run: number): void;
  /** The ledger cannot be reached, or a bug; looked again soon. */
  failed(error: unknown): void;
  /** It has answered. */
  answered(): void;
}

export class TimerWatch {
  readonly #alarm = new Alarm(() => void this.#look());

  constructor(
    private readonly ledger: Pick<Ledger, 'approvals' | 'fireTimers' | 'stopPending' | 'now'>,
    private readonly news: DueNews,
  ) {}

  /** Looks in so many ms, or sooner if that is already intended. */
  look(delay: number): void {
    this.#alarm.set(delay);
  }

  close(): void {
    this.#alarm.close();
  }

  async #look(): Promise<void> {
    const next = await this.#fire().catch((error: unknown) => {
      this.news.failed(error);
      return LONGEST_SLEEP;
    });
    this.look(next);
  }

  /** Answers with the ms until the next look. */
  async #fire(): Promise<number> {
    crashPoint('before-timers');
    const { rings, due, next } = await this.ledger.fireTimers();
    this.news.answered();
    for (const deadline of due) this.news.passed(deadline);
    this.news.released(rings);
    const approvals = await this.ledger.approvals.fireDue();
    this.news.released(approvals.rings);
    if (approvals.fired) this.news.posted();
    if (approvals.more || (await this.#stopPending())) return 0;
    if (next === null) return LONGEST_SLEEP;
    return Math.min(LONGEST_SLEEP, Math.max(0, next.getTime() - (await this.ledger.now()).getTime()));
  }

  /** A step of what a large run that ends early still has to cancel. Whether there may be another. */
  async #stopPending(): Promise<boolean> {
    const { running, ended, rings, more } = await this.ledger.stopPending();
    this.news.cancelled(running);
    for (const run of ended) this.news.runEnded(run);
    this.news.released(rings);
    return more;
  }
}
