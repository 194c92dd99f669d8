// What bounds pools in memory: places that are taken, and tokens of rates counted up to now.
import type { PoolRegistration, WaitFacts } from '../ledger.port.js';

interface Pool {
  bounds: Omit<PoolRegistration, 'name'>;
  used: number;
  tokens: number;
  refilledAt: number;
}

export class MemoryPools {
  readonly #pools = new Map<string, Pool>();

  constructor(private readonly clock: () => number) {}

  /** Bounds that change hold at once. A rate that is new begins full; one that changes keeps the tokens it has. */
  bound(name: string, bounds: Omit<PoolRegistration, 'name'>): void {
    const pool = this.#pool(name);
    const tokens = pool.bounds.rate ? this.#tokens(pool) : Infinity;
    pool.bounds = bounds;
    pool.tokens = Math.min(bounds.rate?.count ?? 0, tokens);
    pool.refilledAt = this.clock();
  }

  /** Whether one more may be claimed. */
  isOpen(name: string): boolean {
    const pool = this.#pool(name);
    return pool.used < (pool.bounds.concurrency ?? Infinity) && this.#tokens(pool) >= 1;
  }

  /** In how many ms the next token comes; null: there is one, or no rate. */
  tokenDue(name: string): number | null {
    const pool = this.#pool(name);
    const missing = 1 - this.#tokens(pool);
    return pool.bounds.rate && missing > 0
      ? Math.ceil((missing * pool.bounds.rate.period) / pool.bounds.rate.count)
      : null;
  }

  standing(name: string): Pick<WaitFacts['pool'], 'concurrency' | 'running' | 'tokenDue'> {
    const { bounds, used } = this.#pool(name);
    return { concurrency: bounds.concurrency, running: used, tokenDue: this.tokenDue(name) };
  }

  take(name: string): void {
    const pool = this.#pool(name);
    pool.used++;
    if (!pool.bounds.rate) return;
    pool.tokens = this.#tokens(pool) - 1;
    pool.refilledAt = this.clock();
  }

  giveBack(name: string): void {
    this.#pool(name).used--;
  }

  #tokens({ bounds: { rate }, tokens, refilledAt }: Pool): number {
    if (!rate) return Infinity;
    return Math.min(rate.count, tokens + (Math.max(0, this.clock() - refilledAt) * rate.count) / rate.period);
  }

  #pool(name: string): Pool {
    let pool = this.#pools.get(name);
    if (!pool) {
      pool = { bounds: { concurrency: null, rate: null }, used: 0, tokens: 0, refilledAt: 0 };
      this.#pools.set(name, pool);
    }
    return pool;
  }
}
