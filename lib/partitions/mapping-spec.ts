// How a dependency says which upstream partitions it consumes, and the mappings users make themselves.
// What a spec means for two given schemes is in mapping-match.ts, for two given sets in resolve-mapping.ts.
import type { PartitionKeyInput } from './partition-key.js';
import type { PartitionWindow } from './partition-set.type.js';

/** Whether a mapping names exactly one upstream partition or any number. */
export type Cardinality = 'one' | 'many';

/** The specs that can also stand for one dimension. */
export type LeafSpec = (
  | { readonly kind: 'same' | 'all' | 'within' | 'latest' }
  | { readonly kind: 'window' | 'previous'; readonly start: number; readonly end: number }
  | { readonly kind: 'keys'; readonly keys: readonly string[] }
) & {
  /** Partitions that are named and do not exist are left out, instead of being an error. */
  readonly allowMissing?: boolean | undefined;
};

/** Which partitions of an upstream one partition of the downstream consumes. */
export type MappingSpec =
  | LeafSpec
  | {
      readonly kind: 'mapped';
      readonly mapping: PartitionMapping;
      readonly allowMissing?: boolean | undefined;
    };

/** What a mapping function is told about the partition it maps. */
export interface PartitionInfo {
  readonly key: string;
  readonly window: PartitionWindow | undefined;
  readonly dimensions: Readonly<Record<string, string>> | undefined;
}

/** Maps one partition of one asset to partitions of another. Pure: the same answer for the same partition. */
export type MappingFunction<R> = (key: string, partition: PartitionInfo) => R;

type Keys = Iterable<PartitionKeyInput>;

/** How one dimension of the upstream follows from the downstream partition. */
export interface DimensionMapping<C extends Cardinality = Cardinality> {
  readonly cardinality: C;
  readonly spec: LeafSpec;
  /** The dimension of the downstream it follows from; where it is left out, the one of the same name, or the only one that fits. */
  readonly of: string | undefined;
}

/** A mapping for `mapped(X, mapping)`, made by {@link mapping}. */
export type PartitionMapping<C extends Cardinality = Cardinality> = FunctionMapping<C> | DimensionsMapping<C>;

/** Made by `mapping.one` and `mapping.many`. */
export interface FunctionMapping<C extends Cardinality = Cardinality> {
  readonly kind: 'function';
  readonly cardinality: C;
  readonly upstream: MappingFunction<Keys | PartitionKeyInput>;
  readonly downstream: MappingFunction<Keys> | undefined;
}

/** Made by `mapping.dimensions` and `mapping.dimension`. */
export interface DimensionsMapping<C extends Cardinality = Cardinality> {
  readonly kind: 'dimensions';
  readonly cardinality: C;
  readonly dimensions: Readonly<Record<string, DimensionMapping>>;
  /** For an upstream without dimensions. */
  readonly single: DimensionMapping | undefined;
}

/** The two directions of a mapping made of functions. */
export interface MappingFunctions<R> {
  /** The upstream keys a downstream partition consumes. */
  readonly upstream: MappingFunction<R>;
  /**
   * The downstream keys that consume an upstream partition: the exact inverse of `upstream`; what does not exist is
   * ignored. Left out, it is worked out by asking `upstream` for every downstream partition, up to a million.
   */
  readonly downstream?: MappingFunction<Keys> | undefined;
}

type CardinalityOf<M> = M[keyof M] extends DimensionMapping<'one'> ? 'one' : 'many';

/**
 * What `mapped(X, ...)` takes: functions (`many`, `one`), or a rule for each dimension of X (`dimensions`, `dimension`) made
 * of the others.
 *
 * ```ts
 * mapped(Sales, mapping.dimensions({ day: mapping.window({ start: -6, end: 0 }), region: mapping.all() }))
 * mapped(Airports, mapping.dimension('origin'))
 * mapped(Rates, mapping.one({ upstream: (day) => day.slice(0, 7) }))
 * ```
 */
export const mapping = {
  /** Any number of upstream partitions. */
  many: ({ upstream, downstream }: MappingFunctions<Keys>): FunctionMapping<'many'> =>
    Object.freeze({ kind: 'function', cardinality: 'many', upstream, downstream }),
  /** Exactly one upstream partition. */
  one: ({ upstream, downstream }: MappingFunctions<PartitionKeyInput>): FunctionMapping<'one'> =>
    Object.freeze({ kind: 'function', cardinality: 'one', upstream, downstream }),
  /** A rule for each dimension of a multi upstream; a dimension left out is `mapping.same()`. */
  dimensions: <const M extends Readonly<Record<string, DimensionMapping>>>(
    dimensions: M,
  ): DimensionsMapping<CardinalityOf<M>> => {
    const isOne = Object.values(dimensions).every(({ cardinality }) => cardinality === 'one');
    const cardinality = (isOne ? 'one' : 'many') as CardinalityOf<M>;
    return Object.freeze({
      kind: 'dimensions',
      cardinality,
      dimensions: Object.freeze({ ...dimensions }),
      single: undefined,
    });
  },
  /** An upstream without dimensions follows from this dimension of mine: the same key, unless a rule says otherwise. */
  dimension: <C extends Cardinality = 'one'>(of: string, rule?: DimensionMapping<C>): DimensionsMapping<C> => {
    const { spec, cardinality } = rule ?? mapping.same();
    const single = { spec, cardinality, of };
    return Object.freeze({ kind: 'dimensions', cardinality: cardinality as C, dimensions: Object.freeze({}), single });
  },
  /** The same key, of my dimension `of`. */
  same: (of?: string): DimensionMapping<'one'> => ruleOf('one', { kind: 'same' }, of),
  /** Every key. */
  all: (): DimensionMapping<'many'> => ruleOf('many', { kind: 'all' }),
  /** The windows that overlap the window of my dimension `of`. */
  within: (of?: string): DimensionMapping<'many'> => ruleOf('many', { kind: 'within' }, of),
  /** The windows at these offsets (both inclusive) from the window of my dimension `of`. */
  window: ({ start, end }: { readonly start: number; readonly end: number }, of?: string): DimensionMapping<'many'> =>
    ruleOf('many', { kind: 'window', start, end }, of),
  /** These keys. */
  keys: (keys: readonly string[]): DimensionMapping<'many'> =>
    ruleOf('many', { kind: 'keys', keys: Object.freeze([...keys]) }),
  /** The newest window. */
  latest: (): DimensionMapping<'one'> => ruleOf('one', { kind: 'latest' }),
} as const;

function ruleOf<C extends Cardinality>(cardinality: C, spec: LeafSpec, of?: string): DimensionMapping<C> {
  return Object.freeze({ cardinality, spec: Object.freeze(spec), of });
}

/** Whether a spec names exactly one upstream partition: what its input's type says, whatever the schemes. */
export function specCardinality(spec: MappingSpec): Cardinality {
  if (spec.kind === 'mapped') return spec.mapping.cardinality;
  return spec.kind === 'same' || spec.kind === 'latest' ? 'one' : 'many';
}

/**
 * Whether every upstream window the spec can name lies strictly before the downstream window. Such an edge closes no
 * cycle, whatever assets it joins.
 */
export function mappingLooksBack(spec: MappingSpec): boolean {
  if (spec.kind !== 'mapped') return leafLooksBack(spec);
  if (spec.mapping.kind === 'function') return false;
  const { dimensions, single } = spec.mapping;
  return [...Object.values(dimensions), ...(single ? [single] : [])].some((each) => leafLooksBack(each.spec));
}

function leafLooksBack(spec: LeafSpec): boolean {
  return spec.kind === 'previous' || (spec.kind === 'window' && spec.end < 0);
}
