// What is kept of attempts, by materialization and epoch.

interface OfAttempt {
  readonly claim: { readonly id: number; readonly epoch: number };
}

type AttemptName = OfAttempt['claim'];

/**
 * A map by attempt. A lost one may not have ended when the next of the same materialization is claimed; but that is
 * rare, so that the newest are found by id alone.
 */
export class AttemptMap<T extends OfAttempt> {
  readonly #newest = new Map<number, T>();
  readonly #older = new Map<string, T>();

  get size(): number {
    return this.#newest.size + this.#older.size;
  }

  get(attempt: AttemptName): T | undefined {
    const newest = this.#newest.get(attempt.id);
    if (newest?.claim.epoch === attempt.epoch) return newest;
    return this.#older.size === 0 ? undefined : this.#older.get(textOf(attempt));
  }

  /** Of one materialization, attempts come in the order of their epochs. */
  add(value: T): void {
    const { claim } = value;
    const before = this.#newest.get(claim.id);
    if (before && before.claim.epoch !== claim.epoch) this.#older.set(textOf(before.claim), before);
    this.#newest.set(claim.id, value);
  }

  delete(attempt: AttemptName): void {
    if (this.#newest.get(attempt.id)?.claim.epoch === attempt.epoch) this.#newest.delete(attempt.id);
    else if (this.#older.size > 0) this.#older.delete(textOf(attempt));
  }

  *values(): IterableIterator<T> {
    yield* this.#newest.values();
    yield* this.#older.values();
  }
}

function textOf({ id, epoch }: AttemptName): string {
  return `${id}:${epoch}`;
}
