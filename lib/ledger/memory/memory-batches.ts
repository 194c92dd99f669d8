// The batches of one claim in memory: of one run, one asset and one key of its pool each, open until they are full.
import type { ClaimRequest } from '../work.js';
import type { Row } from './memory-rows.js';

export class MemoryBatches {
  readonly #open = new Map<string, { readonly number: number; left: number }>();

  constructor(
    private readonly sizes: ClaimRequest['batchSizes'],
    private readonly next: () => number,
  ) {}

  get anyOpen(): boolean {
    return this.#open.size > 0;
  }

  /** Whether a batch takes this one in, which then needs no place of its own. */
  isOpenFor(row: Row): boolean {
    return this.#open.has(nameOf(row));
  }

  /** The number of the batch that takes it in, or that it begins; null: it is not computed in batches. */
  enter(row: Row): number | null {
    const size = this.sizes?.get(row.asset);
    if (size === undefined) return null;
    const name = nameOf(row);
    const batch = this.#open.get(name) ?? { number: this.next(), left: size };
    if (--batch.left > 0) this.#open.set(name, batch);
    else this.#open.delete(name);
    return batch.number;
  }
}

function nameOf({ run, asset, places: [, key] }: Row): string {
  return JSON.stringify([run, asset, key?.name ?? null]);
}
