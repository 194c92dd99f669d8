// How the partitions of one page of an impact are now, and whether they could be computed at all.
import { NodeStates, type AssetState } from '../planning/node-states.js';
import { OrdinalRanges } from '../planning/ordinal-ranges.js';
import { Pace } from '../planning/pace.js';
import type { PlanningFacts } from '../planning/planning.port.js';
import type { PlanningModel } from '../planning/planning-model.js';
import { openScope, type PlanningScope } from '../planning/planning-scope.js';
import { ROLE } from '../planning/scope-edges.js';
import type { Extent } from '../planning/scope-extent.js';
import type { ChangedPartitions } from './affected.js';
import type { Place } from './recompute.order.js';

interface PlaceState {
  readonly state: AssetState;
  readonly unable: boolean;
}

/** The states of these places, in their order. Looks at all they depend on, as a status does. */
export async function pageStates(
  model: PlanningModel,
  facts: PlanningFacts,
  places: readonly Place[],
  affected: Extent,
  changed: ChangedPartitions,
): Promise<readonly PlaceState[]> {
  const pairs = new Map<number, number[]>();
  for (const { asset, ordinal } of places) {
    const known = pairs.get(asset);
    if (known) known.push(ordinal, ordinal + 1);
    else pairs.set(asset, [ordinal, ordinal + 1]);
  }
  const extent = new Map(Array.from(pairs, ([asset, ordinals]) => [asset, OrdinalRanges.of(ordinals)]));
  const pace = new Pace(facts);
  const scope = await openScope(model, extent, pace);
  const states = await NodeStates.read(scope, facts, pace);
  const unable = await findUnable(scope, states, affected, changed, pace);
  return places.map(({ asset, ordinal }) => {
    const node = scope.nodeOf(asset, ordinal);
    return { state: states.stateOf(node), unable: unable[node] === 1 };
  });
}

/**
 * Marks (1) what a run after the change would plan and could not compute: its mapping names what does not exist, or what
 * it waits for is such. What is not affected is planned only where it is not fresh, and never because it is optional.
 */
async function findUnable(
  scope: PlanningScope,
  states: NodeStates,
  affected: Extent,
  changed: ChangedPartitions,
  pace: Pace,
): Promise<Uint8Array> {
  const unable = new Uint8Array(scope.size);
  const isAffected = new Uint8Array(scope.size);
  for (const { asset, start, ranges } of scope.blocks) {
    const own = affected.get(asset);
    const given = asset === changed.asset ? changed.partitions : undefined;
    const lacking = scope.model.dependenciesOf(asset).filter(({ declared }) => !declared.optional);
    let node = start;
    const look = (ordinal: number): void => {
      const follows = own !== undefined && own.positionOf(ordinal) !== -1;
      // What changes has changed: it was computed.
      const isGiven = given !== undefined && given.positionOf(ordinal) !== -1;
      if (follows) isAffected[node] = 1;
      const isPlanned = follows || (!isGiven && !states.isFresh(node));
      if (isPlanned && lacking.some(({ mapping }) => mapping.missingOf(ordinal).length > 0)) unable[node] = 1;
      node++;
    };
    await pace.through(ranges.size, (from, to) => ranges.eachAt(from, to, look));
  }
  await pace.through(scope.size, (from, to) => {
    for (let at = from; at < to; at++) {
      const node = scope.order[at]!;
      const isPlanned = isAffected[node] === 1 || !states.isFresh(node);
      if (isPlanned && waitsForUnable(scope, node, unable, isAffected)) unable[node] = 1;
    }
  });
  return unable;
}

function waitsForUnable(scope: PlanningScope, node: number, unable: Uint8Array, isAffected: Uint8Array): boolean {
  let waits = false;
  scope.eachUpstream(node, (upstream, role) => {
    if (unable[upstream] === 1 && (role !== ROLE.optional || isAffected[upstream] === 1)) waits = true;
  });
  return waits;
}
