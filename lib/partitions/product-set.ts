// The set of partitions of a multi scheme: every combination of its dimensions, the last dimension counting fastest.
import { FlowStoneError } from '../flowstone.errors.js';
import { decodeDimensions, encodeDimensions } from './partition-key.js';
import type { PartitionSet, PartitionWindow } from './partition-set.type.js';
import { TimeSet } from './time-set.js';

/** One dimension of a product; an ordinal of the product holds `Math.floor(ordinal / stride) % set.size`. */
export interface ProductDimension {
  readonly name: string;
  readonly set: PartitionSet;
  readonly stride: number;
}

/** The cartesian product of named sets. */
export class ProductSet implements PartitionSet {
  readonly size: number;
  readonly dimensions: readonly ProductDimension[];
  readonly #timed: ProductDimension | undefined;

  /** Throws FLOWSTONE_PARTITION_TOO_MANY for more partitions than numbers can count. */
  constructor(sets: readonly (readonly [string, PartitionSet])[]) {
    let stride = 1;
    this.dimensions = sets
      .toReversed()
      .map(([name, set]) => {
        const dimension = { name, set, stride };
        stride *= set.size;
        return dimension;
      })
      .toReversed();
    if (stride > Number.MAX_SAFE_INTEGER) {
      const sizes = sets.map(([name, set]) => `${name}: ${set.size}`).join(', ');
      throw new FlowStoneError(
        'FLOWSTONE_PARTITION_TOO_MANY',
        `the dimensions (${sizes}) multiply to more partitions than can be counted; use fewer or smaller dimensions`,
      );
    }
    this.size = stride;
    const timed = this.dimensions.filter(({ set }) => set instanceof TimeSet);
    this.#timed = timed.length === 1 ? timed[0] : undefined;
  }

  keyAt(ordinal: number): string {
    this.#require(ordinal);
    return encodeDimensions(this.dimensions.map((dimension) => dimension.set.keyAt(ordinalIn(dimension, ordinal))));
  }

  ordinalOf(key: string): number {
    const parts = decodeDimensions(key, this.dimensions.length);
    if (!parts) return -1;
    let ordinal = 0;
    for (const [index, { set, stride }] of this.dimensions.entries()) {
      const part = set.ordinalOf(parts[index]!);
      if (part < 0) return -1;
      ordinal += part * stride;
    }
    return ordinal;
  }

  windowAt(ordinal: number): PartitionWindow | undefined {
    this.#require(ordinal);
    return this.#timed?.set.windowAt(ordinalIn(this.#timed, ordinal));
  }

  dimensionsAt(ordinal: number): Readonly<Record<string, string>> {
    this.#require(ordinal);
    return Object.fromEntries(
      this.dimensions.map((dimension) => [dimension.name, dimension.set.keyAt(ordinalIn(dimension, ordinal))]),
    );
  }

  #require(ordinal: number): void {
    if (!(ordinal >= 0 && ordinal < this.size)) throw new RangeError(`partition ${ordinal} of ${this.size}`);
  }
}

/** The ordinal of one dimension within an ordinal of the product. */
export function ordinalIn({ set, stride }: ProductDimension, ordinal: number): number {
  return Math.floor(ordinal / stride) % set.size;
}
