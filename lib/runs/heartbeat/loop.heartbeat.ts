// The heartbeat on the timers of the event loop it is made in: the application's, or that of the thread beside it.
import type { Heartbeat, RenewalNews, Leases } from './heartbeat.port.js';

const FIRST_PAUSE = 50;

export class LoopHeartbeat implements Heartbeat {
  #process: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #beating: Promise<void> | undefined;
  #failures = 0;
  #stopped = false;

  /** @param interval in ms, from one renewal to the next */
  constructor(
    private readonly leases: Leases,
    private readonly interval: number,
    private readonly news: RenewalNews,
  ) {}

  keep(process: string): void {
    this.#process = process;
    this.#failures = 0;
    this.#next(this.interval);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#beating;
    await this.leases.close();
  }

  #next(pause: number): void {
    clearTimeout(this.#timer);
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#beating = this.#beat();
    }, pause).unref();
  }

  async #beat(): Promise<void> {
    const began = performance.now();
    const interval = await this.#renew();
    if (interval !== undefined) this.#next(Math.max(0, interval - (performance.now() - began)));
  }

  /** Returns how long after its beginning the next one begins; undefined: there is nothing to renew. */
  async #renew(): Promise<number | undefined> {
    const process = this.#process!;
    try {
      const renewal = await this.leases.renew(process, this.#failures > 0);
      this.#failures = 0;
      if (process === this.#process && !renewal.alive) this.#process = undefined;
      this.news.renewed(process, renewal);
      return this.#process === undefined ? undefined : this.interval;
    } catch (error) {
      if (this.#failures === 0) this.news.failed(error);
      // Soon at first, and never so late that the lease of who comes back would be at risk again.
      return Math.min(FIRST_PAUSE * 2 ** this.#failures++, this.interval / 2);
    }
  }
}
