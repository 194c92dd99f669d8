// Strongly connected groups of a graph and the cycles in them. Works on indices; asset-graph.ts gives them names.

import type { Adjacency } from './adjacency.js';

/**
 * The groups of nodes that reach each other (a node alone is a group of one), every group after all groups its nodes
 * point to: following upstreams, each comes after what is upstream of it. Tarjan's algorithm, iterative, linear.
 */
export function connectedGroups({ starts, targets }: Adjacency): Int32Array[] {
  const size = starts.length - 1;
  const found = new Int32Array(size).fill(-1);
  const lowest = new Int32Array(size);
  const nextEdge = starts.slice(0, size);
  const grouped = new Uint8Array(size);
  const open: number[] = [];
  const path: number[] = [];
  const groups: Int32Array[] = [];
  let counter = 0;
  const enter = (node: number): void => {
    found[node] = lowest[node] = counter++;
    open.push(node);
    path.push(node);
  };
  for (let root = 0; root < size; root++) {
    if (found[root] !== -1) continue;
    enter(root);
    while (path.length > 0) {
      const node = path[path.length - 1]!;
      if (nextEdge[node]! < starts[node + 1]!) {
        const target = targets[nextEdge[node]!++]!;
        if (found[target] === -1) enter(target);
        else if (grouped[target] === 0) lowest[node] = Math.min(lowest[node]!, found[target]!);
        continue;
      }
      path.pop();
      const parent = path[path.length - 1];
      if (parent !== undefined) lowest[parent] = Math.min(lowest[parent]!, lowest[node]!);
      if (lowest[node] !== found[node]) continue;
      const members = open.splice(open.lastIndexOf(node));
      for (const member of members) grouped[member] = 1;
      groups.push(Int32Array.from(members).sort());
    }
  }
  return groups;
}

/** A shortest cycle through the first node of every group that has one; first and last node are the same. */
export function findCyclesIn(adjacency: Adjacency): number[][] {
  const cycles: number[][] = [];
  for (const group of connectedGroups(adjacency)) {
    const cycle = shortestCycle(adjacency, group);
    if (cycle !== undefined) cycles.push(cycle);
  }
  return cycles;
}

/** Breadth first from the group's first node back to it. */
function shortestCycle({ starts, targets }: Adjacency, group: Int32Array): number[] | undefined {
  const first = group[0]!;
  const members = new Set(group);
  const cameFrom = new Map<number, number>();
  const queue = [first];
  for (const node of queue) {
    for (let edge = starts[node]!; edge < starts[node + 1]!; edge++) {
      const target = targets[edge]!;
      if (target === first) {
        const cycle = [first];
        for (let back = node; back !== first; back = cameFrom.get(back)!) cycle.push(back);
        return [...cycle, first].toReversed();
      }
      if (!members.has(target) || cameFrom.has(target)) continue;
      cameFrom.set(target, node);
      queue.push(target);
    }
  }
  return undefined;
}
