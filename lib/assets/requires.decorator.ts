// @Requires: declares which resources an asset borrows.
import type { AssetContext, BatchContext, ResourceClasses } from './asset.context.js';
import type { Computing } from './asset.definition.js';
import { markRequires } from './asset.metadata.js';

interface Borrows<R extends ResourceClasses> {
  execute?: (context: AssetContext<R>, inputs: never) => unknown;
  executeMany?: (context: BatchContext<R>, items: never) => unknown;
  condition?: (context: AssetContext<R>, inputs: never) => unknown;
  message?: (context: AssetContext<R>, inputs: never) => unknown;
  onSkip?: (context: AssetContext<R>, inputs: never) => unknown;
  onApprove?: (context: AssetContext<R>, inputs: never, decision: never) => unknown;
  onModify?: (context: AssetContext<R>, inputs: never, decision: never) => unknown;
  onReject?: (context: AssetContext<R>, inputs: never, decision: never) => unknown;
  onTimeout?: (context: AssetContext<R>, inputs: never, decision: never) => unknown;
  request?: (context: AssetContext<R>, inputs: never, callback: never) => unknown;
  onSignal?: (context: AssetContext<R>, inputs: never, payload: never) => unknown;
}

/**
 * Declares which providers an asset borrows, by alias; `context.resources` has exactly these. Keep the record outside
 * the class, so that `AssetContext<typeof resources>` types the first argument of `execute`, `BatchContext` that of
 * `executeMany`.
 */
export function Requires<const R extends ResourceClasses>(resources: R): (target: Computing<Borrows<R>>) => void {
  return (target) => markRequires(target, resources);
}
