// Notices from a thread that the event loop does not turn. What follows from that is others' business.
import type { Pulse } from './pulse.js';

/** A time, in ms, during which the event loop did not turn. */
export interface Block {
  readonly milliseconds: number;
  /** Ids of the materializations that executed meanwhile. */
  readonly executing: readonly number[];
}

export class BlockWatch {
  #looked: number;
  /** What lies before is not held against the event loop. */
  #from: number;
  #block: { readonly began: number; readonly executing: readonly number[] } | undefined;

  /** @param threshold in ms; look about four times as often. */
  constructor(
    private readonly pulse: Pick<Pulse, 'now' | 'turnedAt' | 'executing'>,
    private readonly threshold: number,
  ) {
    this.#looked = this.#from = pulse.now;
  }

  /** Whether the event loop is blocked now; and the block that has ended since the look before. */
  look(): { readonly blocked: boolean; readonly over: Block | undefined } {
    const { now, turnedAt } = this.pulse;
    // Whoever looks so late was stopped as well: the whole process was, or the machine.
    if (now - this.#looked > this.threshold) this.#from = now;
    this.#looked = now;
    const began = Math.max(turnedAt, this.#from);
    if (now - began > this.threshold) {
      this.#block ??= { began, executing: this.pulse.executing };
      return { blocked: true, over: undefined };
    }
    const block = this.#block;
    this.#block = undefined;
    if (!block || turnedAt <= block.began) return { blocked: false, over: undefined };
    return { blocked: false, over: { milliseconds: turnedAt - block.began, executing: block.executing } };
  }
}
