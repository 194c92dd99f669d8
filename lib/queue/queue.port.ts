// The port of the queue: it carries the news that there is work, never the work's truth.
// Implementations stand in the folders beside; losing a message may delay work by a poll, nothing else.

/** News of work in one pool, handed to this process. */
export interface Delivery {
  readonly pool: string;
  /** How often processes that had no place for it have passed it on. */
  readonly passed: number;
}

/** What is done with a delivery: see WorkQueue.start. */
export type Work = (delivery: Delivery) => Promise<void>;

/** How the queue is, for people and for readiness. */
export interface QueueHealth {
  readonly transport: 'in-process' | 'bull';
  /** `degraded`: no news gets through, work is found by polling, which is slower. */
  readonly status: 'up' | 'degraded';
  /** What a person should know or do; empty when all is well. */
  readonly problems: readonly string[];
  /** Of Redis; anything but `noeviction` is a problem. */
  readonly maxmemoryPolicy?: string;
  /** By pool: news that waits to be taken, and for how long the oldest has, ms. */
  readonly pools: Readonly<
    Record<string, { readonly paused: boolean; readonly waiting: number; readonly oldest: number }>
  >;
}

/** Token of the application's queue. */
export const FLOWSTONE_QUEUE = Symbol.for('flowstone:queue');

export interface WorkQueue {
  /**
   * Begins to deliver, for these pools; never waits for a server that is away. `work` takes what is ready and resolves when all it took
   * has ended and nothing was left; it never rejects. Deliveries of one pool may overlap, two at a time (news must get
   * through while something long runs): the later one may leave it to the earlier to last as long as the work.
   * `poll` asks for a look at the ledger whatever was delivered: at the start, at intervals, and at once when messages
   * may have been lost. Without `work` nothing is delivered here, but it is known from now on which pools are paused.
   */
  start(pools: readonly string[], work: Work | undefined, poll: () => void): Promise<void>;
  /**
   * There may be work in the pool, for this process or another. Called after the commit that made it ready; cheap,
   * coalesced, never throws, may be lost. Before start() it is kept, or handed to other processes.
   * @param passed of news that is passed on: see Delivery. Of several that become one, the least counts.
   */
  ring(pool: string, passed?: number): void;
  /** A run ended: other processes may wait for it. Called after the commit; cheap, coalesced, never throws, may be lost. */
  tellEnd(run: number): void;
  /** From now on `ended` hears of runs that ended, here or elsewhere, where the news leaves a process. Once. */
  hearEnds(ended: (run: number) => void): void;
  /** Whether nothing of the pool is to be begun (a person paused its queue). */
  isPaused(pool: string): boolean;
  /** Never rejects. */
  health(): Promise<QueueHealth>;
  /**
   * Delivers nothing more; resolves when the deliveries under way have ended. Rings still reach other processes.
   */
  stop(): Promise<void>;
  /** Lets go of servers, after it stopped. May be asked twice, and without a start. */
  close(): Promise<void>;
}
