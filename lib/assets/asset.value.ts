// The types of values: what consumers of an asset are given, and the base of assets that are computed elsewhere.
import type { Rows } from '../io/rows.js';
import type { CheckpointValue } from './checkpoint.code.js';
import type { ContextPartition } from './asset.context.js';
import type { SignalAsset, SignalValue } from './signal.value.js';
import type { BatchFailure } from './batch.failure.js';

declare const valueType: unique symbol;

/**
 * Base of an asset that is not computed here: `@Asset({ external: true }) class Orders extends ExternalAsset<Order[]> {}`.
 * What consumes it is given what `load` fetches.
 */
export abstract class ExternalAsset<T> {
  declare readonly [valueType]: T;

  /** Fetches the value of a partition; without it, consumers are given `undefined`. */
  load?(partition: ContextPartition): T | Promise<T>;
}

/**
 * Many partitions of an upstream, loaded only as they are asked for. Iterating yields `[key, value]` in key order and
 * loads a few ahead; it may be repeated.
 */
export interface PartitionedInput<T> extends AsyncIterable<readonly [key: string, value: T]> {
  /** The keys, in order. */
  readonly keys: AsyncIterable<string>;
  /** Loads one. A key that is not among {@link keys} is an error. */
  get(key: string): Promise<T>;
}

/** What is loaded where `V` was stored: rows that were yielded come back as {@link Rows}, all else as it was. */
export type StoredAs<V> = 0 extends 1 & V ? V : [V] extends [AsyncIterable<infer R>] ? Rows<R> : V;

/** The type of an asset's value, as consumers are given it and `load` returns it. */
export type ValueOf<C> = C extends abstract new (...args: any[]) => infer I
  ? I extends { execute: (...args: never[]) => infer V }
    ? StoredAs<Awaited<V>>
    : I extends { executeMany: (...args: never[]) => AsyncIterable<readonly [string, infer V]> }
      ? StoredAs<Exclude<V, BatchFailure>>
      : I extends ExternalAsset<infer T>
        ? T
        : I extends SignalAsset<unknown>
          ? StoredAs<SignalValue<I>>
          : I extends { condition: unknown } | { onApprove: unknown }
            ? StoredAs<CheckpointValue<I>>
            : never
  : never;
