// What may stand in a record of dependencies, and the input types that follow from it.
// The wrappers that people write (`all`, `latest`, ...) stand in dependency.wrappers.ts.
import type { MappingSpec } from '../partitions/mapping.js';
import type { AssetClass } from './asset.definition.js';
import type { ValueOf } from './asset.value.js';

/** A class, or a thunk of one that is not defined yet (an import cycle, the same file further down). */
export type Upstream<C extends AssetClass = AssetClass> = C | (() => C);

const BRAND = 'flowstone:dependency';
declare const inputType: unique symbol;

/** What a wrapper returns. */
export interface DependencySpec {
  readonly brand: typeof BRAND;
  /** `undefined`: the asset itself. */
  readonly upstream: Upstream | undefined;
  readonly mapping: MappingSpec;
  readonly optional: boolean;
  readonly ordering: boolean;
  readonly columns: readonly string[] | undefined;
}

/** A dependency whose input is a `T`. */
export interface Dependency<T> extends DependencySpec {
  readonly ordering: false;
  readonly [inputType]?: () => T;
}

/** A dependency that orders and gives no input. */
export interface OrderingDependency extends DependencySpec {
  readonly ordering: true;
}

/** Dependencies by alias. A bare class means exactly one upstream partition. */
export type Dependencies = Readonly<Record<string, AssetClass | Dependency<unknown> | OrderingDependency>>;

type RecordOf<M> = M extends () => infer R ? R : M;
type InputOf<D> = D extends Dependency<infer T> ? T : D extends AssetClass ? ValueOf<D> : never;

/** The second argument of `execute`, for a record of dependencies or a thunk of one: `InputsOf<typeof inputs>`. */
export type InputsOf<M> = {
  readonly [K in keyof RecordOf<M> as RecordOf<M>[K] extends OrderingDependency ? never : K]: InputOf<RecordOf<M>[K]>;
};

/** Makes the value that a wrapper returns. */
export function dependencySpec(spec: {
  readonly upstream: Upstream | undefined;
  readonly mapping: MappingSpec;
  readonly optional?: boolean;
  readonly ordering?: boolean;
  readonly columns?: readonly string[];
}): DependencySpec {
  const { upstream, mapping, optional = false, ordering = false, columns } = spec;
  return { brand: BRAND, upstream, mapping, optional, ordering, columns };
}

/** Whether a value came from a wrapper. */
export function isDependencySpec(value: unknown): value is DependencySpec {
  return typeof value === 'object' && value !== null && (value as Partial<DependencySpec>).brand === BRAND;
}

/** Whether a function is a class rather than a thunk: arrow functions have no prototype. */
export function isClass(value: unknown): value is AssetClass {
  return typeof value === 'function' && typeof value.prototype === 'object' && value.prototype !== null;
}
