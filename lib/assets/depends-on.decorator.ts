// @DependsOn: declares what an asset consumes.
import type { BatchItem, BatchResults } from './asset.context.js';
import type { Computing } from './asset.definition.js';
import { markDependsOn } from './asset.metadata.js';
import type { Dependencies, InputsOf } from './dependency.js';

/**
 * Methods that can take the inputs of `M`. They are properties, not methods: methods are compared bivariantly, which
 * would let wrong inputs through.
 */
interface Consumes<M> {
  execute?: (context: never, inputs: InputsOf<M>) => unknown;
  executeMany?: (context: never, items: readonly BatchItem<InputsOf<M>>[]) => BatchResults<unknown>;
  condition?: (context: never, inputs: InputsOf<M>) => unknown;
  message?: (context: never, inputs: InputsOf<M>) => unknown;
  onSkip?: (context: never, inputs: InputsOf<M>) => unknown;
  onApprove?: (context: never, inputs: InputsOf<M>, decision: never) => unknown;
  onModify?: (context: never, inputs: InputsOf<M>, decision: never) => unknown;
  onReject?: (context: never, inputs: InputsOf<M>, decision: never) => unknown;
  onTimeout?: (context: never, inputs: InputsOf<M>, decision: never) => unknown;
  request?: (context: never, inputs: InputsOf<M>, callback: never) => unknown;
  onSignal?: (context: never, inputs: InputsOf<M>, payload: never) => unknown;
}

/**
 * Declares what an asset consumes, by alias: classes and wrappers. Keep the record outside the class, so that
 * `InputsOf<typeof inputs>` types the second argument of `execute`, and `BatchItem` of it the items of `executeMany`;
 * give a thunk of it (`() => ({ ... })`) where a class is not defined yet. The compiler refuses a class that cannot take
 * these inputs.
 */
export function DependsOn<const M extends Dependencies | (() => Dependencies)>(
  dependencies: M,
): (target: Computing<Consumes<M>>) => void {
  return (target) => markDependsOn(target, dependencies);
}
