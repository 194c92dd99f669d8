// The rules of what executeMany yields: each key of its items once, with a value or a failure. No I/O; who executes a
// batch (the worker, the testing module) goes by them.
import { BatchFailure } from '../assets/batch.failure.js';
import { FlowStoneError } from '../flowstone.errors.js';
import { placeName } from './failure.js';

/** Keys that a message names. */
const NAMED_AT_MOST = 5;

export class BatchKeys {
  readonly #all: ReadonlySet<string>;
  readonly #open: Set<string>;
  readonly #failed = new Set<string>();

  constructor(
    private readonly asset: string,
    keys: Iterable<string>,
  ) {
    this.#all = new Set(keys);
    this.#open = new Set(this.#all);
  }

  /** The keys that are still to come. */
  get open(): Iterable<string> {
    return this.#open;
  }

  /**
   * The key and value of what was yielded; nothing where it says again what {@link fail} was told.
   * @throws FlowStoneError `FLOWSTONE_BATCH_KEY_UNEXPECTED`
   */
  take(yielded: unknown): readonly [key: string, value: unknown] | undefined {
    const pair: readonly unknown[] = Array.isArray(yielded) ? yielded : [];
    const [key, value] = pair;
    if (pair.length !== 2 || typeof key !== 'string') {
      throw this.#unexpected('something other than [item.partition.key, value]');
    }
    if (value instanceof BatchFailure) {
      if (value.key === key && this.#failed.has(key)) return undefined;
      throw this.#unexpected(`the failure of '${value.key}' for the key '${key}'`, key);
    }
    this.expect(key, 'the key');
    this.#open.delete(key);
    return [key, value];
  }

  fail(key: string): BatchFailure {
    this.expect(key, 'a failure of the key');
    this.#open.delete(key);
    this.#failed.add(key);
    return new BatchFailure(key);
  }

  /** @throws FlowStoneError `FLOWSTONE_BATCH_KEY_UNEXPECTED` for a key that is not still to come */
  expect(key: string, what: string): void {
    if (this.#open.has(key)) return;
    throw this.#unexpected(`${what} '${key}', which ${this.#all.has(key) ? 'was over already' : 'no item has'}`, key);
  }

  /** The error of an item for which nothing was yielded. */
  missing(key: string, partitioned: boolean): FlowStoneError {
    const { asset } = this;
    const place = placeName({ asset, partition: partitioned ? key : undefined });
    return new FlowStoneError(
      'FLOWSTONE_BATCH_KEY_MISSING',
      `executeMany() of ${asset} ended without ${place}. Yield [item.partition.key, value] for every item, or call context.fail(key, error).`,
      { context: { asset, key } },
    );
  }

  #unexpected(what: string, key?: string): FlowStoneError {
    const named = [...this.#open].slice(0, NAMED_AT_MOST).map((open) => `'${open}'`);
    const more = this.#open.size > NAMED_AT_MOST ? ` and ${this.#open.size - NAMED_AT_MOST} more` : '';
    const left = named.length === 0 ? 'nothing was still to come' : `${named.join(', ')}${more} were still to come`;
    return new FlowStoneError(
      'FLOWSTONE_BATCH_KEY_UNEXPECTED',
      `executeMany() of ${this.asset} gave ${what}; ${left}. Yield each item's partition.key once.`,
      { context: { asset: this.asset, ...(key !== undefined && { key }) } },
    );
  }
}
