// Assets by number: tables refer to assets by a small integer, the port by key. Numbers never change, so they are kept.
// A process that still uses a key renamed meanwhile by a newer one goes on under its own name for it.
import { FlowStoneError } from '../../flowstone.errors.js';
import type { Sql } from './database.js';
import { ASSET_KEYS, ASSETS } from './statements/registering.js';

export class AssetNumbers {
  readonly #byKey = new Map<string, number>();
  readonly #byNumber = new Map<number, string>();
  // A process asks with the same list in every beat.
  readonly #bits = new WeakMap<readonly string[], Buffer>();

  constructor(readonly namespace: number) {}

  remember(key: string, id: number): void {
    this.#byKey.set(key, id);
    this.#byNumber.set(id, key);
  }

  /** Numbers of those keys that are registered. */
  async known(sql: Sql, keys: readonly string[]): Promise<number[]> {
    await this.#load(sql, keys);
    return keys.flatMap((key) => this.#byKey.get(key) ?? []);
  }

  /** Those of these keys that are registered, as a bit for each by its number: what get_bit reads. Kept by list. */
  async bits(sql: Sql, keys: readonly string[]): Promise<Buffer> {
    const kept = this.#bits.get(keys);
    if (kept) return kept;
    const numbers = await this.known(sql, keys);
    const bits = Buffer.alloc(numbers.reduce((most, number) => Math.max(most, (number >> 3) + 1), 0));
    for (const number of numbers) bits[number >> 3]! |= 1 << (number & 7);
    if (numbers.length === keys.length) this.#bits.set(keys, bits);
    return bits;
  }

  /** A look-up for all of these keys; FLOWSTONE_ASSET_UNKNOWN names those never registered. */
  async require(sql: Sql, keys: Iterable<string>): Promise<(key: string) => number> {
    const wanted = [...new Set(keys)];
    await this.#load(sql, wanted);
    const missing = wanted.filter((key) => !this.#byKey.has(key));
    if (missing.length > 0) {
      throw new FlowStoneError(
        'FLOWSTONE_ASSET_UNKNOWN',
        `No process ever registered ${missing.join(', ')} in this namespace. Register the asset before asking for it.`,
        { context: { assets: missing } },
      );
    }
    return (key) => this.#byKey.get(key)!;
  }

  /** A look-up of keys for all of these numbers. */
  async keys(sql: Sql, ids: Iterable<number | null>): Promise<(id: number) => string> {
    const missing = [...new Set(ids)].filter((id) => id !== null && !this.#byNumber.has(id));
    if (missing.length > 0) {
      for (const { id, key } of await sql.rows<{ id: number; key: string }>(ASSET_KEYS, [missing])) {
        this.remember(key, id);
      }
    }
    return (id) => this.#byNumber.get(id)!;
  }

  async #load(sql: Sql, keys: readonly string[]): Promise<void> {
    const missing = keys.filter((key) => !this.#byKey.has(key));
    if (missing.length === 0) return;
    for (const { id, key } of await sql.rows<{ id: number; key: string }>(ASSETS, [this.namespace, missing])) {
      this.remember(key, id);
    }
  }
}
