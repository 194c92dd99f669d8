// Which partitions of which assets a question is about: those asked for, on demand all that follows from them
// downstream, and all that any of these depends on. No facts are read for it.

import { FlowStoneError } from '../flowstone.errors.js';
import { OrdinalRanges, RangeCollector } from './ordinal-ranges.js';
import type { Pace } from './pace.js';
import type { PlanningModel } from './planning-model.js';

/** Partitions by the index of their asset. */
export type Extent = ReadonlyMap<number, OrdinalRanges>;

/** The most partitions one question may be about, all upstream ones included. */
const MOST_PARTITIONS_CONSIDERED = 10_000_000;

/** Where the partitions of an asset lead, by each dependency: reaches what one of them does. */
type Reach = (asset: number, from: number, to: number) => void;
type Step = (asset: number, reach: Reach) => readonly ((ordinal: number) => void)[];

/** `extent` and all it depends on, through dependencies of every kind. Throws FLOWSTONE_PLAN_TOO_LARGE. */
export function withUpstream(model: PlanningModel, extent: Extent, pace: Pace): Promise<Extent> {
  return extend(model, extent, pace, model.groups().toReversed(), (asset, reach) =>
    model.dependenciesOf(asset).map(({ upstream, mapping }) => {
      const visit = (from: number, to: number): void => reach(upstream, from, to);
      return (ordinal) => mapping.upstreamOf(ordinal, visit);
    }),
  );
}

/**
 * `extent` and all that consumes it, directly or not; with `ordering` also what only comes after it. Throws
 * FLOWSTONE_PLAN_TOO_LARGE.
 */
export function withDownstream(
  model: PlanningModel,
  extent: Extent,
  pace: Pace,
  { ordering = false } = {},
): Promise<Extent> {
  return extend(model, extent, pace, model.groups(), (asset, reach) => {
    const consuming = model.dependentsOf(asset).filter(({ dependency }) => ordering || !dependency.declared.ordering);
    return consuming.map(({ downstream, dependency }) => {
      const visit = (from: number, to: number): void => reach(downstream, from, to);
      return (ordinal) => dependency.mapping.downstreamOf(ordinal, visit);
    });
  });
}

/** Takes the groups in the order of travel: when one is reached, all that leads into it has been followed. */
async function extend(
  model: PlanningModel,
  extent: Extent,
  pace: Pace,
  groups: readonly Int32Array[],
  step: Step,
): Promise<Extent> {
  const reached = new Map<number, RangeCollector>();
  const reach = (asset: number, from: number, to: number): void => {
    let collector = reached.get(asset);
    if (collector === undefined) reached.set(asset, (collector = new RangeCollector()));
    collector.add(from, to);
  };
  const result = new Map<number, OrdinalRanges>();
  let size = 0;
  for (const group of groups) {
    // A knot leads back into itself: it is followed until nothing new is reached.
    for (let again = true; again;) {
      again = false;
      for (const asset of group) {
        const known = result.get(asset);
        const arrived = reached.get(asset)?.take() ?? OrdinalRanges.empty;
        const fresh =
          known === undefined ? arrived.union(extent.get(asset) ?? OrdinalRanges.empty) : arrived.minus(known);
        if (fresh.size === 0) continue;
        size += fresh.size;
        if (size > MOST_PARTITIONS_CONSIDERED) throw tooManyConsidered(model, asset);
        result.set(asset, known === undefined ? fresh : known.union(fresh));
        for (const follow of step(asset, reach)) {
          await pace.through(fresh.size, (from, to) => fresh.eachAt(from, to, follow));
        }
        again = model.isKnot(group);
      }
    }
  }
  return result;
}

function tooManyConsidered(model: PlanningModel, asset: number): FlowStoneError {
  const { key } = model.assets[asset]!;
  const limit = MOST_PARTITIONS_CONSIDERED;
  const message = `more than ${limit} partitions would have to be looked at (reached at asset ${key}): ask for fewer partitions at a time`;
  return new FlowStoneError('FLOWSTONE_PLAN_TOO_LARGE', message, { context: { asset: key, limit } });
}
