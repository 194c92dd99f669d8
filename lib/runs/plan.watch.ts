// When this process looks for a run that waits to be planned. Work goes on meanwhile; one is planned at a time.

/** Time between looks for requests of other processes, ms. */
const LOOK = 500;

const NOWHERE: ReadonlySet<string> = new Set();

/** What the watch does and tells. */
export interface PlanNews {
  /** Plans one run that waits for it, and answers with the pools in which that made something ready; undefined: none does. */
  planNext(): Promise<ReadonlySet<string> | undefined>;
  /** That was so, or another run may have come to wait meanwhile: it is to look again. */
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
    this.#planning = this.#plan();
  }

  /** Resolves when nothing is being planned. */
  async over(): Promise<void> {
    await this.#planning;
  }

  async #plan(): Promise<void> {
    let readyIn: ReadonlySet<string> | undefined;
    try {
      readyIn = await this.news.planNext();
    } catch (error) {
      this.news.broken(error);
    }
    // Before it is told, so that the look that follows finds it free.
    this.#planning = undefined;
    // Another one may wait behind it.
    if (readyIn) this.#requested = true;
    if (this.#requested) this.news.planned(readyIn ?? NOWHERE);
  }
}
