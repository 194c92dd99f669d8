// The queue within one process: a coalescing doorbell, and a slow poll as its recovery.
import type { WorkQueue } from '../queue.port.js';

export class InProcessQueue implements WorkQueue {
  #onNews: (() => Promise<void>) | undefined;
  #rung = false;
  #delivery: Promise<void> | undefined;
  #poll: NodeJS.Timeout | undefined;

  /** @param pollInterval ms between polls, for work that other processes made ready. */
  constructor(private readonly pollInterval: number) {}

  start(onNews: () => Promise<void>): void {
    this.#onNews = onNews;
    this.#poll = setInterval(() => this.ring(), this.pollInterval).unref();
    this.ring();
  }

  ring(): void {
    this.#rung = true;
    if (this.#onNews) this.#delivery ??= this.#deliver(this.#onNews);
  }

  async stop(): Promise<void> {
    clearInterval(this.#poll);
    this.#onNews = undefined;
    await this.#delivery;
  }

  async #deliver(onNews: () => Promise<void>): Promise<void> {
    try {
      while (this.#rung && this.#onNews) {
        this.#rung = false;
        await onNews();
      }
    } finally {
      this.#delivery = undefined;
    }
  }
}
