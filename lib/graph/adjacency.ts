// Edges as compressed sparse rows, and what can be done with them knowing nothing of names.

/** Neighbours of node i are `targets[starts[i] .. starts[i + 1])` (compressed sparse rows). */
export interface Adjacency {
  readonly starts: Int32Array;
  readonly targets: Int32Array;
}

/** The neighbours of one node, a view. */
export function neighbours({ starts, targets }: Adjacency, index: number): Int32Array {
  return targets.subarray(starts[index], starts[index + 1]);
}

/** The same edges the other way round; neighbours come out ascending. */
export function reverse({ starts, targets }: Adjacency): Adjacency {
  const size = starts.length - 1;
  const reversed = new Int32Array(size + 1);
  for (const target of targets) reversed[target + 1]!++;
  for (let index = 0; index < size; index++) reversed[index + 1]! += reversed[index]!;
  const next = reversed.slice();
  const sources = new Int32Array(targets.length);
  for (let index = 0; index < size; index++) {
    for (let edge = starts[index]!; edge < starts[index + 1]!; edge++) sources[next[targets[edge]!]!++] = index;
  }
  return { starts: reversed, targets: sources };
}

/** Every node after its upstreams (Kahn's algorithm); undefined when a cycle leaves nodes over. */
export function topologicalOrder(upstreams: Adjacency, downstreams: Adjacency): Int32Array | undefined {
  const size = upstreams.starts.length - 1;
  const waiting = new Int32Array(size);
  const order = new Int32Array(size);
  let count = 0;
  for (let index = 0; index < size; index++) {
    waiting[index] = upstreams.starts[index + 1]! - upstreams.starts[index]!;
    if (waiting[index] === 0) order[count++] = index;
  }
  for (let at = 0; at < count; at++) {
    const index = order[at]!;
    for (let edge = downstreams.starts[index]!; edge < downstreams.starts[index + 1]!; edge++) {
      const downstream = downstreams.targets[edge]!;
      if (--waiting[downstream]! === 0) order[count++] = downstream;
    }
  }
  return count === size ? order : undefined;
}
