// How the nodes of a planning scope depend on each other: the mappings, worked out as ranges of node numbers.

import { GrowingInts } from './growing-ints.js';
import type { OrdinalRanges } from './ordinal-ranges.js';
import type { Pace } from './pace.js';
import type { PlanningModel } from './planning-model.js';

/** How an edge binds: `required` and `optional` upstreams are consumed, an `ordering` one must only come first. */
export const ROLE = { required: 0, optional: 1, ordering: 2 } as const;

/** The nodes of one asset: its partitions in scope, ascending, numbered from `start`. */
export interface ScopeBlock {
  readonly asset: number;
  readonly start: number;
  readonly ranges: OrdinalRanges;
}

/**
 * Edges by node, upstream nodes in ranges: node n depends on all nodes in `[from[r], to[r])` for each r in
 * `[starts[n], starts[n + 1])`, bound as `role[r]` says. A range lies within one asset.
 */
export interface ScopeEdges {
  readonly starts: Int32Array;
  readonly from: Int32Array;
  readonly to: Int32Array;
  readonly role: Uint8Array;
}

/** The edges between all nodes of the blocks, which have to contain every upstream of every node. */
export async function connectBlocks(
  model: PlanningModel,
  blocks: readonly ScopeBlock[],
  blockOfAsset: ReadonlyMap<number, ScopeBlock>,
  pace: Pace,
): Promise<ScopeEdges> {
  const size = blocks.reduce((sum, block) => sum + block.ranges.size, 0);
  const starts = new Int32Array(size + 1);
  const from = new GrowingInts(size);
  const to = new GrowingInts(size);
  const roles = new GrowingInts(size);
  for (const block of blocks) {
    const visits = model.dependenciesOf(block.asset).map(({ declared, upstream, mapping }) => {
      const target = blockOfAsset.get(upstream);
      const role = declared.ordering ? ROLE.ordering : declared.optional ? ROLE.optional : ROLE.required;
      const visit = (first: number, end: number): void => {
        if (first >= end) return;
        const node = target!.start + target!.ranges.positionOf(first);
        from.push(node);
        to.push(node + end - first);
        roles.push(role);
      };
      return { mapping, visit };
    });
    let node = block.start;
    const connect = (ordinal: number): void => {
      for (const { mapping, visit } of visits) mapping.upstreamOf(ordinal, visit);
      starts[++node] = from.length;
    };
    await pace.through(block.ranges.size, (first, end) => block.ranges.eachAt(first, end, connect));
  }
  return { starts, from: from.values(), to: to.values(), role: new Uint8Array(roles.values()) };
}
