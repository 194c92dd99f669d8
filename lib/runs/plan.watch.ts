// When this process looks for a run that waits to be planned. Work goes on meanwhile; one is planned at a time.

/** Time between looks for requests of other processes, ms. */
const LOOK = 500;

/** What the watch does and tells. */
export interface PlanNews {
  /** Plans one run that waits for it; false: none does. */
  planNext(): Promise<boolean>;
  /** A run was planned: some of it may be ready. */
  planned(): void;
  broken(error: unknown): void;
}

export class PlanWatch {
  /** Whether a run may wait. */
  #requested = true;
  #nextLook = 0;
  #planning: Promise<void> | undefined;

  constructor(private readonly news: PlanNews) {}

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
      if (!(await this.news.planNext())) return;
      // Another one may wait behind it.
      this.#requested = true;
      queueMicrotask(() => this.news.planned());
    } catch (error) {
      this.news.broken(error);
    }
  }
}
