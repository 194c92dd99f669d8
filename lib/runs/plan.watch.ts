// When this process looks for a run that waits to be planned. Work goes on meanwhile; one is planned at a time.

/** Time between looks for requests of other processes, ms. */
const LOOK = 500;

/** What the watch does and tells. */
export interface PlanNews {
  /** Plans one run that waits for it, and answers with the pools in which that made something ready; undefined: none does. */
  planNext(): Promise<ReadonlySet<string> | undefined>;
  planned(readyIn: ReadonlySet<string>): void;
  broken(error: unknown): void;
}

export class PlanWatch {
  /** Whether a run may wait. */
  #requested = true;
  #nextLook = 0;
  #planning: Promise<void> | undefined;

  constructor(private readonly news: PlanNews) {}

  /** Whether it looks as soon as it is told to, since nothing is being planned. */
  get isFree(): boolean {
    return this.#planning === undefined;
  }

  /** In how many ms it looks whether or not it expects a run. */
  get dueIn(): number {
    return Math.max(0, this.#nextLook - performance.now());
  }

  /** A run may wait. */
  expect(): void {
    this.#requested = true;
  }

  /** Those of this process are heard of by expect(), those of others by looking every now and then. */
  planIfDue(): void {
    if (this.#planning || (!this.#requested && performance.now() < this.#nextLook)) return;
    this.#requested = false;
    this.#nextLook = performance.now() + LOOK;
    this.#planning = this.#plan().finally(() => (this.#planning = undefined));
  }

  /** Resolves when nothing is being planned. */
  async over(): Promise<void> {
    await this.#planning;
  }

  async #plan(): Promise<void> {
    try {
      const readyIn = await this.news.planNext();
      if (!readyIn) return;
      // Another one may wait behind it.
      this.#requested = true;
      queueMicrotask(() => this.news.planned(readyIn));
    } catch (error) {
      this.news.broken(error);
    }
  }
}
