// The port of the queue: it carries the news that there is work, never the work's truth.
// Implementations stand in the folders beside; losing a message may delay work by a poll, nothing else.

/** News of work in one pool, handed to this process. */
export interface Delivery {
  readonly pool: string;
  /** Aborted when the queue wants nothing more to be begun for it: the pool was paused, or the queue stops. */
  readonly signal: AbortSignal;
  /** Says how many materializations have ended under it, for those who look at the queue. */
  progress(ended: number): void;
}

export interface WorkQueue {
  /**
   * Begins to deliver; never waits for a server that is away. `work` takes what is ready and resolves when all it took
   * has ended and nothing was left; it never rejects. Deliveries of one pool may overlap, two at a time (news must get
   * through while something long runs): the later one may leave it to the earlier to last as long as the work.
   * `poll` asks for a look at the ledger whatever was delivered: at the start, at intervals, and at once when messages
   * may have been lost.
   */
  start(work: (delivery: Delivery) => Promise<void>, poll: () => void): Promise<void>;
  /**
   * There may be work in the pool, for this process or another. Called after the commit that made it ready; cheap,
   * coalesced, never throws, may be lost. Before start() it is kept, or handed to other processes.
   */
  ring(pool: string): void;
  /** Whether nothing of the pool is to be begun (a person paused its queue). */
  isPaused(pool: string): boolean;
  /** Delivers nothing more; aborts the signals; resolves when the deliveries under way have ended. */
  stop(): Promise<void>;
}
