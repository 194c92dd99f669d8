// What bounds pools and their keys in memory: places that are taken, and tokens of rates counted up to now.
import { dimensionValue, type Dimensions } from '../../partitions/partition-dimensions.js';
import type { PlaceFacts } from '../ledger.port.js';
import type { PoolBounds, PoolRegistration } from '../registrations.js';

const UNBOUNDED: PoolBounds = { concurrency: null, rate: null };

/** Something that is bounded: a pool, or one key of it. */
export class MemoryPlace {
  #bounds = UNBOUNDED;
  #used = 0;
  #tokens = 0;
  #refilledAt = 0;

  constructor(
    readonly name: string,
    private readonly clock: () => number,
  ) {}

  /** Bounds that change hold at once. A rate that is new begins full; one that changes keeps the tokens it has. */
  bound(bounds: PoolBounds): void {
    const tokens = this.#bounds.rate ? this.#tokensNow() : Infinity;
    this.#bounds = bounds;
    this.#tokens = Math.min(bounds.rate?.count ?? 0, tokens);
    this.#refilledAt = this.clock();
  }

  /** Whether one more may be claimed. */
  get isOpen(): boolean {
    return this.#used < (this.#bounds.concurrency ?? Infinity) && this.#tokensNow() >= 1;
  }

  /** Whether it stands as it began: nothing runs, and its rate is full. */
  get isIdle(): boolean {
    return this.#used === 0 && this.#tokensNow() >= (this.#bounds.rate?.count ?? 0);
  }

  facts(): PlaceFacts & { readonly name: string } {
    const { concurrency, rate } = this.#bounds;
    const missing = 1 - this.#tokensNow();
    const tokenDue = rate && missing > 0 ? Math.ceil((missing * rate.period) / rate.count) : null;
    return { name: this.name, concurrency, running: this.#used, tokenDue };
  }

  take(): void {
    this.#used++;
    if (!this.#bounds.rate) return;
    this.#tokens = this.#tokensNow() - 1;
    this.#refilledAt = this.clock();
  }

  giveBack(): void {
    this.#used--;
  }

  #tokensNow(): number {
    const { rate } = this.#bounds;
    if (!rate) return Infinity;
    return Math.min(
      rate.count,
      this.#tokens + (Math.max(0, this.clock() - this.#refilledAt) * rate.count) / rate.period,
    );
  }
}

interface Pool {
  readonly place: MemoryPlace;
  perKey: PoolRegistration['perKey'];
  /** Of which dimension the keys are. */
  dimension: string | undefined;
  readonly keys: Map<string, MemoryPlace>;
}

export class MemoryPools {
  readonly #pools = new Map<string, Pool>();

  constructor(private readonly clock: () => number) {}

  bound({ name, perKey, ...bounds }: PoolRegistration): void {
    const pool = this.#pool(name);
    pool.place.bound(bounds);
    for (const key of pool.keys.values()) key.bound(perKey?.dimension === pool.dimension ? perKey! : UNBOUNDED);
    pool.perKey = perKey;
    if (!perKey || perKey.dimension === pool.dimension) return;
    pool.dimension = perKey.dimension;
    pool.keys.clear();
  }

  /** What bounds a materialization of this pool that is planned now: the pool, then the key that its partition has. */
  placesOf(name: string, dimensions: Dimensions, partition: string): readonly [MemoryPlace, MemoryPlace?] {
    const { place, perKey, keys } = this.#pool(name);
    const key = perKey && dimensionValue(dimensions, perKey.dimension, partition);
    if (key === undefined) return [place];
    let known = keys.get(key);
    if (!known) {
      keys.set(key, (known = new MemoryPlace(key, this.clock)));
      known.bound(perKey!);
    }
    return [place, known];
  }

  /** Forgets keys that are idle and not wanted; returns how many. */
  removeKeys(isWanted: (key: MemoryPlace) => boolean): number {
    let removed = 0;
    for (const { keys } of this.#pools.values()) {
      for (const [name, key] of keys) if (key.isIdle && !isWanted(key) && keys.delete(name)) removed++;
    }
    return removed;
  }

  #pool(name: string): Pool {
    let pool = this.#pools.get(name);
    if (!pool) {
      const place = new MemoryPlace(name, this.clock);
      this.#pools.set(name, (pool = { place, perKey: undefined, dimension: undefined, keys: new Map() }));
    }
    return pool;
  }
}
