// Which partitions had a value a moment ago, as far as this process has seen: what only has to be there before others begin
// (`after`) need not be read again for each of them.

/** How long it counts, ms, at most; half as long at least. As stale as a model of what exists may be (partition.moments.ts). */
const AGE = 1000;

type Seen = Map<string, Set<string>>;

export class Presence {
  #newer: Seen = new Map();
  #older: Seen = new Map();
  #since = 0;

  /** @param now in ms, of a clock that only goes forward */
  constructor(private readonly now: () => number = () => performance.now()) {}

  /** It has a value now. */
  saw(asset: string, partition: string): void {
    this.#age();
    const seen = this.#newer.get(asset);
    if (seen) seen.add(partition);
    else this.#newer.set(asset, new Set([partition]));
  }

  /** Whether it had one at most a second ago. */
  has(asset: string, partition: string): boolean {
    this.#age();
    return (this.#newer.get(asset)?.has(partition) || this.#older.get(asset)?.has(partition)) ?? false;
  }

  /** Heads were deleted. Of those that another process deletes, nothing is heard here. */
  forget(): void {
    this.#newer = new Map();
    this.#older = new Map();
  }

  /** What is older than the half second before the present one is forgotten. */
  #age(): void {
    const passed = this.now() - this.#since;
    if (passed < AGE / 2) return;
    this.#older = passed < AGE ? this.#newer : new Map();
    this.#newer = new Map();
    this.#since = passed < AGE ? this.#since + AGE / 2 : this.now();
  }
}
