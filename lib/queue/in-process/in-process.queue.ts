// The queue within one process: a coalescing doorbell for each pool, and a slow poll as its recovery.
import type { QueueHealth, Work, WorkQueue } from '../queue.port.js';

/** Deliveries of one pool at a time: one lasts as long as the work does, the other takes the news. */
const OVERLAP = 2;

export class InProcessQueue implements WorkQueue {
  /** How often the news of each pool was passed on. */
  readonly #rung = new Map<string, number>();
  readonly #delivering = new Map<string, number>();
  readonly #deliveries = new Set<Promise<void>>();
  #work: Work | undefined;
  #poll: NodeJS.Timeout | undefined;
  #intended = false;
  #stopped = false;

  /** @param pollInterval ms between polls, for work that other processes made ready. */
  constructor(private readonly pollInterval: number) {}

  async start(_pools: readonly string[], work: Work | undefined, poll: () => void): Promise<void> {
    if (this.#stopped) return;
    this.#work = work;
    this.#poll = setInterval(poll, this.pollInterval).unref();
    poll();
    this.#deliverSoon();
  }

  ring(pool: string, passed = 0): void {
    this.#rung.set(pool, Math.min(passed, this.#rung.get(pool) ?? passed));
    this.#deliverSoon();
  }

  /** Who waits in this process was told, and others are not reached. */
  tellEnd(): void {}

  hearEnds(): void {}

  isPaused(): boolean {
    return false;
  }

  async health(): Promise<QueueHealth> {
    return { transport: 'in-process', status: 'up', problems: [], pools: {} };
  }

  async stop(): Promise<void> {
    clearInterval(this.#poll);
    this.#stopped = true;
    await Promise.all(this.#deliveries);
  }

  close(): Promise<void> {
    return this.stop();
  }

  /** In a microtask, so that all rings of one stretch of code are one delivery. */
  #deliverSoon(): void {
    if (this.#intended || !this.#work) return;
    this.#intended = true;
    queueMicrotask(() => {
      this.#intended = false;
      for (const [pool, passed] of this.#rung) this.#deliver(pool, passed);
    });
  }

  #deliver(pool: string, passed: number): void {
    const under = this.#delivering.get(pool) ?? 0;
    if (!this.#work || this.#stopped || under === OVERLAP) return;
    this.#rung.delete(pool);
    this.#delivering.set(pool, under + 1);
    const delivery = this.#work({ pool, passed }).finally(() => {
      this.#deliveries.delete(delivery);
      this.#delivering.set(pool, this.#delivering.get(pool)! - 1);
      if (this.#rung.has(pool)) this.#deliverSoon();
    });
    this.#deliveries.add(delivery);
  }
}
