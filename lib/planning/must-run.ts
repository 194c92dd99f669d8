// Whether an asset, looked at by itself, differs from what its head recorded: the second look at claim time.
// Not transitive: what is stale further up is the plan's business (semantics, Planning and running 2).

import { inputsFingerprint } from './inputs-fingerprint.js';
import type { HeadFact, InputVersion, PlanningAsset } from './planning.port.js';
import { hasValue } from './planning.port.js';

/** The keys of the assets consumed, as a head records them: each once, sorted, joined by commas. */
export function declaredUpstreams(asset: PlanningAsset): string {
  const keys = new Set<string>();
  for (const dependency of asset.dependencies) if (!dependency.ordering) keys.add(dependency.upstream);
  return [...keys].sort().join(',');
}

/**
 * Whether the declaration differs from what the head recorded, or a person invalidated it. What was not declared (no
 * code version) or not recorded (no upstreams) makes no difference. `upstreams` is {@link declaredUpstreams} of the asset.
 */
export function declarationDiffers(
  asset: PlanningAsset,
  upstreams: string,
  head: Pick<HeadFact, 'invalidated' | 'codeVersion' | 'upstreams'>,
): boolean {
  if (head.invalidated) return true;
  if (asset.codeVersion !== undefined && asset.codeVersion !== head.codeVersion) return true;
  return head.upstreams !== null && head.upstreams !== upstreams;
}

/**
 * Whether computing the asset now could give anything else than its head: there is no value, the declaration differs,
 * or `inputs` (what it would consume now, through all dependencies but `after`) are not what was consumed.
 */
export function mustRun(asset: PlanningAsset, head: HeadFact | undefined, inputs: Iterable<InputVersion>): boolean {
  if (!hasValue(head)) return true;
  if (declarationDiffers(asset, declaredUpstreams(asset), head)) return true;
  return inputsFingerprint(inputs) !== head.inputs;
}
