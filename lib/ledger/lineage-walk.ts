// Walking provenance step by step: each version once, nearest first. The same for whatever keeps the edges.
import { EDGES_PER_VERSION, type TracedEdge, type Walk } from './lineage.port.js';

/** Versions by their distance, in the order in which they were met, and the edges followed. */
export interface Walked {
  readonly depths: ReadonlyMap<number, number>;
  readonly edges: readonly TracedEdge[];
  readonly truncated: boolean;
}

/** @param nextOf what a version consumed, or what consumed it, by the direction of the walk; ascending */
export function walked(from: number, walk: Omit<Walk, 'at'>, nextOf: (id: number) => readonly number[]): Walked {
  const { direction, depth: deepest, most } = walk;
  const mostEdges = most * EDGES_PER_VERSION;
  const depths = new Map([[from, 0]]);
  const edges: TracedEdge[] = [];
  let truncated = false;
  // A map is iterated in the order of insertion, what is inserted meanwhile included: it is the queue as well.
  for (const [id, depth] of depths) {
    if (depth === deepest) break;
    for (const next of nextOf(id)) {
      if (!depths.has(next) && depths.size === most) truncated = true;
      else if (edges.length === mostEdges) truncated = true;
      else {
        if (!depths.has(next)) depths.set(next, depth + 1);
        edges.push(direction === 'upstream' ? { upstream: next, downstream: id } : { upstream: id, downstream: next });
      }
    }
  }
  return { depths, edges, truncated };
}
