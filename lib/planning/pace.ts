// How long work is done: in stretches, between which whoever else wants the thread has it. Planning knows no timers; it is
// told how to pause (PlanningFacts.breath).

import type { PlanningFacts } from './planning.port.js';

/** Nodes gone through without a pause: a millisecond or a few. */
const NODES_AT_ONCE = 20_000;

/** Works on positions from .. to (exclusive). */
type Work = (from: number, to: number) => void;

/** One for all of one question, so that many small pieces of work are paused between as well. */
export class Pace {
  #left = NODES_AT_ONCE;

  constructor(private readonly facts: Pick<PlanningFacts, 'breath'>) {}

  /** Has the positions 0 .. size worked on, in their order. What is little is done at once: a promise takes time, too. */
  through(size: number, work: Work): Promise<void> | undefined {
    if (size > this.#left) return this.#throughStretches(size, work);
    this.#left -= size;
    work(0, size);
    return undefined;
  }

  async #throughStretches(size: number, work: Work): Promise<void> {
    for (let from = 0; from < size;) {
      if (this.#left === 0) {
        await this.facts.breath();
        this.#left = NODES_AT_ONCE;
      }
      const to = Math.min(size, from + this.#left);
      this.#left -= to - from;
      work(from, to);
      from = to;
    }
  }
}
