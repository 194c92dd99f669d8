// The wrappers that say which partitions of an upstream an asset consumes, where a bare class does not mean it.
// What they mean for two given schemes is computed in partitions/mapping.ts.
import type { Rows } from '../io/rows.js';
import type { MappingSpec, PartitionMapping } from '../partitions/mapping.js';
import type { AssetClass } from './asset.definition.js';
import type { PartitionedInput, ValueOf } from './asset.value.js';
import {
  type Dependency,
  dependencySpec,
  isDependencySpec,
  type OrderingDependency,
  type Upstream,
} from './dependency.js';

/** What most wrappers take. */
export interface MappingOptions {
  /** Partitions that the mapping names and the upstream does not have are left out instead of being an error. */
  readonly allowMissing?: boolean;
}

/** Offsets in windows, both inclusive; 0 is the window that is computed: `{ start: -6, end: 0 }` is seven. */
export interface WindowOffsets {
  readonly start: number;
  readonly end: number;
}

type Many<C> = PartitionedInput<ValueOf<C>>;
type One<C, O> = O extends { readonly allowMissing: true } ? ValueOf<C> | undefined : ValueOf<C>;
/** The rows of a value: of rows that were yielded, or of an array of objects. */
type RowIn<V> =
  V extends Rows<infer R> ? R : V extends readonly (infer R extends object)[] ? Exclude<R, readonly unknown[]> : never;
/** The rows of an input, whether of one partition or of many. */
type RowOf<T> = RowIn<T extends PartitionedInput<infer V> ? V : T>;
type ColumnsOf<T> = [RowOf<T>] extends [never] ? never : keyof RowOf<T> & string;
type NarrowedValue<V, K> =
  V extends Rows<infer R> ? Rows<Pick<R, K & keyof R>> : V extends readonly (infer R)[] ? Pick<R, K & keyof R>[] : V;
type Narrowed<T, K> = T extends PartitionedInput<infer V> ? PartitionedInput<NarrowedValue<V, K>> : NarrowedValue<T, K>;

/** Every partition of the upstream. */
export function all<C extends AssetClass>(upstream: Upstream<C>, options: MappingOptions = {}): Dependency<Many<C>> {
  return input({ upstream, mapping: { kind: 'all', ...options } });
}

/** The upstream's windows that overlap the one that is computed: the days of a month, the hours of a day. */
export function within<C extends AssetClass>(upstream: Upstream<C>, options: MappingOptions = {}): Dependency<Many<C>> {
  return input({ upstream, mapping: { kind: 'within', ...options } });
}

/** The upstream's windows at these offsets from the one that is computed: the last seven days. */
export function window<C extends AssetClass>(
  upstream: Upstream<C>,
  offsets: WindowOffsets & MappingOptions,
): Dependency<Many<C>> {
  return input({ upstream, mapping: { kind: 'window', ...offsets } });
}

/**
 * The asset's own past windows, `{ start: -1, end: -1 }` being the one before. Empty before the first. It names the
 * type of the value, since a class cannot infer its own.
 */
export function previous<T>(offsets: WindowOffsets): Dependency<PartitionedInput<T>> {
  return input({ upstream: undefined, mapping: { kind: 'previous', ...offsets } });
}

/** These partitions of the upstream, by their canonical keys. */
export function keys<C extends AssetClass>(
  upstream: Upstream<C>,
  wanted: readonly string[],
  options: MappingOptions = {},
): Dependency<Many<C>> {
  return input({ upstream, mapping: { kind: 'keys', keys: [...wanted], ...options } });
}

/** The newest partition of the upstream; with `allowMissing` it may be `undefined`. */
export function latest<C extends AssetClass, const O extends MappingOptions = MappingOptions>(
  upstream: Upstream<C>,
  options?: O,
): Dependency<One<C, O>> {
  return input({ upstream, mapping: { kind: 'latest', ...options } });
}

/** The partitions that a mapping of your own names: many, or one with a mapping made by `mapping.one`. */
export function mapped<
  C extends AssetClass,
  const M extends PartitionMapping,
  const O extends MappingOptions = MappingOptions,
>(
  upstream: Upstream<C>,
  mapping: M,
  options?: O,
): Dependency<M extends { readonly cardinality: 'one' } ? One<C, O> : Many<C>> {
  return input({ upstream, mapping: { kind: 'mapped', mapping, ...options } });
}

/**
 * Only these columns of an upstream that yields rows or returns an array of them, of one partition or, around another
 * wrapper, of many: `columns(within(Flights), ['delay'])`. Managers that can read no others.
 */
export function columns<C extends AssetClass, const K extends ColumnsOf<ValueOf<C>>>(
  upstream: Upstream<C>,
  wanted: readonly K[],
): Dependency<Narrowed<ValueOf<C>, K>>;
export function columns<T, const K extends ColumnsOf<T>>(
  dependency: Dependency<T>,
  wanted: readonly K[],
): Dependency<Narrowed<T, K>>;
export function columns(of: Upstream | Dependency<unknown>, wanted: readonly string[]): Dependency<never> {
  const {
    upstream,
    mapping,
    optional: isOptional,
  } = isDependencySpec(of) ? of : { upstream: of, mapping: { kind: 'same' } as const, optional: false };
  return input({ upstream, mapping, optional: isOptional, columns: [...wanted] });
}

/** An upstream that is consumed if it is there, and is never computed for this asset's sake. */
export function optional<C extends AssetClass>(upstream: Upstream<C>): Dependency<ValueOf<C> | undefined> {
  return input({ upstream, mapping: { kind: 'same', allowMissing: true }, optional: true });
}

/**
 * Ordering only: the upstream has to succeed first, gives no input and makes nothing stale. It takes a wrapper where a
 * bare class would mean many partitions: `after(all(X))`.
 */
export function after<C extends AssetClass>(upstream: Upstream<C> | Dependency<unknown>): OrderingDependency {
  const spec = isDependencySpec(upstream) ? upstream : { upstream, mapping: { kind: 'same' } as const };
  return dependencySpec({ upstream: spec.upstream, mapping: spec.mapping, ordering: true }) as OrderingDependency;
}

/** The type of the input is the wrapper's word: nothing at run time carries it. */
function input(spec: {
  readonly upstream: Upstream | undefined;
  readonly mapping: MappingSpec;
  readonly optional?: boolean;
  readonly columns?: readonly string[];
}): Dependency<never> {
  return dependencySpec(spec) as Dependency<never>;
}
