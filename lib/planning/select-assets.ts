// Applies a selection to a planning model: the graph room reads and evaluates it, planning supplies `status:`.

import type { SelectableState } from '../graph/selection.js';
import type { SelectableAttributes } from '../graph/selection-evaluation.js';
import { evaluateSelection } from '../graph/selection-evaluation.js';
import { parseSelection } from '../graph/selection-parser.js';
import { NodeStates } from './node-states.js';
import { OrdinalRanges } from './ordinal-ranges.js';
import { Pace } from './pace.js';
import type { PlanningFacts } from './planning.port.js';
import type { PlanningModel } from './planning-model.js';
import { openScope } from './planning-scope.js';

/**
 * The keys of the selected assets, upstream before downstream; facts are read only where the text says `status:`.
 * Throws FLOWSTONE_SELECTION_INVALID, FLOWSTONE_SELECTION_UNKNOWN, and FLOWSTONE_PLAN_TOO_LARGE for states.
 */
export async function selectAssets(
  model: PlanningModel,
  facts: PlanningFacts,
  text: string,
  attributesOf: (asset: string) => SelectableAttributes,
): Promise<string[]> {
  const selection = parseSelection(text);
  const states = selection.usesStatus ? await statesByAsset(model, facts) : new Map<number, Set<SelectableState>>();
  const selected = evaluateSelection(selection, {
    graph: model.graph,
    attributesOf: (index) => attributesOf(model.graph.keyAt(index)),
    statesOf: (index) => states.get(index) ?? new Set(),
  });
  return Array.from(selected, (index) => model.graph.keyAt(index));
}

async function statesByAsset(
  model: PlanningModel,
  facts: PlanningFacts,
): Promise<ReadonlyMap<number, ReadonlySet<SelectableState>>> {
  const extent = new Map(model.assets.map((_, index) => [index, OrdinalRanges.of([0, model.setOf(index).size])]));
  const pace = new Pace(facts);
  const scope = await openScope(model, extent, pace);
  const states = await NodeStates.read(scope, facts, pace);
  const found = new Map<number, Set<SelectableState>>();
  for (const { asset, start, ranges } of scope.blocks) {
    const ofAsset = new Set<SelectableState>();
    for (let node = start; node < start + ranges.size; node++) {
      ofAsset.add(states.stateOf(node));
      if (states.hasFailed(node)) ofAsset.add('failed');
    }
    found.set(asset, ofAsset);
  }
  return found;
}
