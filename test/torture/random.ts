// Chance that a seed decides, so that a torture can be asked for again (mulberry32).

export class Random {
  #state: number;

  /** @param seed any whole number */
  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** In [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** In [from, to). */
  between(from: number, to: number): number {
    return from + this.next() * (to - from);
  }

  pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.next() * from.length)]!;
  }

  /** Each entry so often as its weight says, in random order; for ever. */
  *deck<T>(weights: readonly (readonly [T, number])[]): Generator<T, never> {
    for (;;) {
      const cards = weights.flatMap(([card, weight]) => Array.from({ length: weight }, () => card));
      while (cards.length > 0) yield cards.splice(Math.floor(this.next() * cards.length), 1)[0]!;
    }
  }
}
