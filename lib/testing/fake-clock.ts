// A clock that only tests move.

/** A time that stands still until it is moved. */
export class FakeClock {
  #now: number;
  readonly #listeners = new Set<() => void>();

  constructor(start: Date | string) {
    this.#now = new Date(start).getTime();
    if (Number.isNaN(this.#now)) throw new TypeError(`"${String(start)}" is no date: pass a Date or an ISO string`);
  }

  now(): Date {
    return new Date(this.#now);
  }

  /** Moves on by so many ms. */
  advance(milliseconds: number): void {
    this.set(new Date(this.#now + milliseconds));
  }

  set(time: Date): void {
    this.#now = time.getTime();
    for (const listener of this.#listeners) listener();
  }

  /** @internal Calls back after each move; returns how to stop that. */
  onMove(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
