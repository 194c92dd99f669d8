// Order among partitions of assets that depend on their own or each other's partitions: here alone it does not follow
// from the order of assets, and here alone partitions can depend on each other in a circle.

import { cycleError } from '../graph/asset-graph.js';
import type { ScopeEdges } from './scope-edges.js';

/**
 * Writes the nodes start .. end - 1 to `order[start .. end)` so that each stands after its upstreams. Depth first,
 * iterative. Throws FLOWSTONE_GRAPH_CYCLE with the partitions along the circle, named by `label`.
 */
export function orderKnot(
  edges: ScopeEdges,
  order: Int32Array,
  start: number,
  end: number,
  label: (node: number) => string,
): void {
  const untouched = 0;
  const open = 1;
  const placed = 2;
  const marks = new Uint8Array(end - start);
  const path: number[] = [];
  const nextRange: number[] = [];
  const nextNode: number[] = [];
  let count = start;
  const enter = (node: number): void => {
    marks[node - start] = open;
    path.push(node);
    nextRange.push(edges.starts[node]!);
    nextNode.push(-1);
  };
  for (let root = start; root < end; root++) {
    if (marks[root - start] !== untouched) continue;
    enter(root);
    while (path.length > 0) {
      const top = path.length - 1;
      const node = path[top]!;
      const range = nextRange[top]!;
      if (range === edges.starts[node + 1]!) {
        marks[node - start] = placed;
        order[count++] = node;
        path.pop();
        nextRange.pop();
        nextNode.pop();
        continue;
      }
      // What lies outside the knot is upstream of it and stands before it already.
      const upstream = nextNode[top] === -1 ? edges.from[range]! : nextNode[top]!;
      if (upstream === edges.to[range]! || upstream < start || upstream >= end) {
        nextRange[top] = range + 1;
        nextNode[top] = -1;
        continue;
      }
      nextNode[top] = upstream + 1;
      const mark = marks[upstream - start];
      if (mark === untouched) enter(upstream);
      else if (mark === open) throw cycleError([...path.slice(path.indexOf(upstream)), upstream].map(label));
    }
  }
}
