// A timer that is set again and again, and of which the earliest time counts. It keeps no process alive.

/** What a timer of Node can wait at most, ms; more fires at once. */
export const LONGEST_TIMER = 2_147_483_647;

export class Alarm {
  #timer: NodeJS.Timeout | undefined;
  #next = Infinity;
  #closed = false;

  /** @param ring does not throw */
  constructor(private readonly ring: () => void) {}

  /** Rings in so many ms, or sooner if that is already intended. What is too far off for a timer rings early. */
  set(delay: number): void {
    const at = performance.now() + delay;
    if (this.#closed || at >= this.#next) return;
    clearTimeout(this.#timer);
    this.#next = at;
    this.#timer = setTimeout(
      () => {
        this.#next = Infinity;
        this.ring();
      },
      Math.min(delay, LONGEST_TIMER),
    ).unref();
  }

  /** Does not ring any more, whatever it is set to. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }
}
