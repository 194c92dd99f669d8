// Memory that the event loop shares with the thread of the heartbeat: when the loop last turned, and what executes.
// Written by the loop at the cost of a store each, so that a thread can tell what holds a loop up that does not answer.

const NANOSECONDS = 1_000_000n;

export class Pulse {
  readonly #turned: BigInt64Array;
  readonly #executing: Float64Array;
  readonly #free: number[];

  /** @param memory of the pulse of another thread, or how many executions there may be at once */
  constructor(memory: SharedArrayBuffer | number) {
    this.memory = typeof memory === 'number' ? new SharedArrayBuffer(8 * (1 + memory)) : memory;
    this.#turned = new BigInt64Array(this.memory, 0, 1);
    this.#executing = new Float64Array(this.memory, 8);
    this.#free = Array.from(this.#executing, (_, slot) => slot);
  }

  readonly memory: SharedArrayBuffer;

  /** The event loop turns. */
  beat(): void {
    Atomics.store(this.#turned, 0, process.hrtime.bigint());
  }

  /** When the event loop last turned, in ms of a clock that all threads share. */
  get turnedAt(): number {
    return Number(Atomics.load(this.#turned, 0) / NANOSECONDS);
  }

  /** Now, by that clock. */
  get now(): number {
    return Number(process.hrtime.bigint() / NANOSECONDS);
  }

  /** A materialization executes until the result is called. */
  begin(materialization: number): () => void {
    const slot = this.#free.pop();
    // More than ever expected: they execute unseen.
    if (slot === undefined) return () => undefined;
    this.#executing[slot] = materialization;
    return () => {
      this.#executing[slot] = 0;
      this.#free.push(slot);
    };
  }

  /** The materializations that execute. */
  get executing(): readonly number[] {
    return [...this.#executing].filter((id) => id !== 0);
  }
}
