// The port of the queue: it carries the news that there is work, never the work's truth.
// Implementations stand in the folders beside; losing a message may delay work by a poll, nothing else.

export interface WorkQueue {
  /** Begins to deliver: `onNews` is called soon after each ring, rings in between coalesced, never concurrently. */
  start(onNews: () => Promise<void>): void;
  /** There may be work. Called after the commit that made it ready; cheap, never throws, may be lost. */
  ring(): void;
  /** Delivers nothing more; resolves when a delivery under way has ended. */
  stop(): Promise<void>;
}
