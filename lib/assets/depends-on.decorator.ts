// @DependsOn: declares what an asset consumes.
import { markDependsOn } from './asset.metadata.js';
import type { Dependencies, InputsOf } from './dependency.js';

/**
 * A class whose `execute` can take the inputs of `M`. It is a property, not a method: methods are compared
 * bivariantly, which would let wrong inputs through.
 */
type Executes<M> = abstract new (...args: any[]) => { execute: (context: never, inputs: InputsOf<M>) => unknown };

/**
 * Declares what an asset consumes, by alias: classes and wrappers. Keep the record outside the class, so that
 * `InputsOf<typeof inputs>` types the second argument of `execute`; give a thunk of it (`() => ({ ... })`) where a
 * class is not defined yet. The compiler refuses a class whose `execute` cannot take these inputs.
 */
export function DependsOn<const M extends Dependencies | (() => Dependencies)>(
  dependencies: M,
): (target: Executes<M>) => void {
  return (target) => markDependsOn(target, dependencies);
}
