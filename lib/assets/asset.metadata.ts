// What the decorators leave on a class. The keys are fixed, so that two copies of the package see each other's.
import 'reflect-metadata';
import type { ResourceClasses } from './asset.context.js';
import type { AssetClass } from './asset.definition.js';
import type { AssetOptions } from './asset.options.js';
import type { MarkedDecision } from './checkpoint.options.js';
import { defaultAssetKey } from './asset.key.js';
import type { Dependencies } from './dependency.js';

const ASSET = Symbol.for('flowstone:asset');
const CHECKPOINT = Symbol.for('flowstone:checkpoint');
const DEPENDS_ON = Symbol.for('flowstone:depends-on');
const REQUIRES = Symbol.for('flowstone:requires');

export function markAsset(target: AssetClass, options: AssetOptions): void {
  Reflect.defineMetadata(ASSET, options, target);
}

export function markCheckpoint(target: AssetClass, options: MarkedDecision): void {
  Reflect.defineMetadata(CHECKPOINT, options, target);
}

export function markDependsOn(target: AssetClass, dependencies: Dependencies | (() => Dependencies)): void {
  Reflect.defineMetadata(DEPENDS_ON, dependencies, target);
}

export function markRequires(target: AssetClass, resources: ResourceClasses): void {
  Reflect.defineMetadata(REQUIRES, resources, target);
}

/** The options of `@Asset` on this very class; a subclass is an asset only if it says so itself. */
export function assetOptionsOf(target: AssetClass): AssetOptions | undefined {
  return Reflect.getOwnMetadata(ASSET, target) as AssetOptions | undefined;
}

/** The key that a class declares, or that it has by its name; where it is no asset, that as well. */
export function keyOf(target: AssetClass): string {
  return assetOptionsOf(target)?.name ?? defaultAssetKey(target.name);
}

/** How a checkpoint is decided, as declared on this very class; undefined: it is none. */
export function decisionOptionsOf(target: AssetClass): MarkedDecision | undefined {
  return Reflect.getOwnMetadata(CHECKPOINT, target) as MarkedDecision | undefined;
}

/** What `@DependsOn` was given on the class or the one it extends (whose `execute` it may have inherited). Unchecked. */
export function dependsOnOf(target: AssetClass): unknown {
  return Reflect.getMetadata(DEPENDS_ON, target);
}

/** What `@Requires` was given on the class or the one it extends. Unchecked. */
export function requiresOf(target: AssetClass): unknown {
  return Reflect.getMetadata(REQUIRES, target);
}
