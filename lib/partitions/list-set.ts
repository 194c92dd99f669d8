// Sets of partitions that are listed (static, dynamic, custom), and the set of an unpartitioned asset.
import { decodeDimensions, WHOLE } from './partition-key.js';
import type { PartitionSet } from './partition-set.type.js';

/** Listed keys in their order; of equal ones the first counts. */
export class ListSet implements PartitionSet {
  readonly #keys: readonly string[];
  readonly #ordinals: ReadonlyMap<string, number>;
  readonly #dimensions: readonly string[];

  /** `dimensions` names the parts of each key; empty where keys have none. */
  constructor(keys: readonly string[], dimensions: readonly string[] = []) {
    const ordinals = new Map<string, number>();
    for (const key of keys) if (!ordinals.has(key)) ordinals.set(key, ordinals.size);
    this.#keys = ordinals.size === keys.length ? keys : [...ordinals.keys()];
    this.#ordinals = ordinals;
    this.#dimensions = dimensions;
  }

  get size(): number {
    return this.#keys.length;
  }

  keyAt(ordinal: number): string {
    const key = this.#keys[ordinal];
    if (key === undefined) throw new RangeError(`partition ${ordinal} of ${this.size}`);
    return key;
  }

  ordinalOf(key: string): number {
    return this.#ordinals.get(key) ?? -1;
  }

  windowAt(): undefined {
    return undefined;
  }

  dimensionsAt(ordinal: number): Readonly<Record<string, string>> | undefined {
    if (this.#dimensions.length === 0) return undefined;
    const parts = decodeDimensions(this.keyAt(ordinal), this.#dimensions.length);
    return parts && Object.fromEntries(this.#dimensions.map((name, index) => [name, parts[index]!]));
  }
}

/** The set of an unpartitioned asset: one partition, the whole. */
export const WHOLE_SET: PartitionSet = new ListSet([WHOLE]);
