// @Requires: declares which resources an asset borrows.
import type { AssetContext, ResourceClasses } from './asset.context.js';
import { markRequires } from './asset.metadata.js';

type Borrows<R extends ResourceClasses> = abstract new (...args: any[]) => {
  execute: (context: AssetContext<R>, inputs: never) => unknown;
};

/**
 * Declares which providers an asset borrows, by alias; `context.resources` has exactly these. Keep the record outside
 * the class, so that `AssetContext<typeof resources>` types the first argument of `execute`.
 */
export function Requires<const R extends ResourceClasses>(resources: R): (target: Borrows<R>) => void {
  return (target) => markRequires(target, resources);
}
