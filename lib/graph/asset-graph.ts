// The graph of asset keys: order, neighbours, traversal, all on typed arrays (100,000 assets are ordinary).
// Not here: partitions (planning joins both), and what an asset is.

import { FlowStoneError } from '../flowstone.errors.js';
import type { Adjacency } from './adjacency.js';
import { neighbours, reverse, topologicalOrder } from './adjacency.js';
import { findCyclesIn } from './cycles.js';
import { didYouMean } from './did-you-mean.js';

/** An asset as the graph sees it. Edges to itself and look-back edges are left out by whoever builds the nodes. */
export interface GraphNode {
  readonly key: string;
  readonly upstreams: readonly string[];
}

export type Direction = 'upstream' | 'downstream';

/**
 * An acyclic graph of assets. An asset is named by its index, the place its node had in what {@link buildGraph} was
 * given. The arrays handed out are views: they are not to be written to.
 */
export class AssetGraph {
  /** @internal Made by {@link buildGraph}. */
  constructor(
    private readonly keys: readonly string[],
    private readonly indices: ReadonlyMap<string, number>,
    private readonly upstreams: Adjacency,
    private readonly downstreams: Adjacency,
    /** All indices, each after everything upstream of it; equal graphs have equal order. */
    readonly order: Int32Array,
  ) {}

  get size(): number {
    return this.keys.length;
  }

  keyAt(index: number): string {
    return this.keys[index]!;
  }

  /** The index of an asset, -1 when the graph has none of this key. */
  indexOf(key: string): number {
    return this.indices.get(key) ?? -1;
  }

  /** Direct upstreams, each once, ascending. */
  upstreamsOf(index: number): Int32Array {
    return neighbours(this.upstreams, index);
  }

  /** Direct downstreams, each once, ascending. */
  downstreamsOf(index: number): Int32Array {
    return neighbours(this.downstreams, index);
  }

  /**
   * The seeds and everything within `depth` steps of one of them (default: however far), each once, nearest first.
   * `depth` 0 gives the seeds alone.
   */
  closure(seeds: Iterable<number>, direction: Direction, depth = Infinity): Int32Array {
    const { starts, targets } = direction === 'upstream' ? this.upstreams : this.downstreams;
    const seen = new Uint8Array(this.size);
    const found = new Int32Array(this.size);
    let count = 0;
    const add = (index: number): void => {
      if (seen[index] === 1) return;
      seen[index] = 1;
      found[count++] = index;
    };
    for (const seed of seeds) add(seed);
    let layerStart = 0;
    for (let step = 0; step < depth && layerStart < count; step++) {
      const layerEnd = count;
      for (let at = layerStart; at < layerEnd; at++) {
        const index = found[at]!;
        for (let edge = starts[index]!; edge < starts[index + 1]!; edge++) add(targets[edge]!);
      }
      layerStart = layerEnd;
    }
    return found.slice(0, count);
  }
}

/**
 * Builds the graph. Throws FLOWSTONE_GRAPH_INVALID for a key that occurs twice or an upstream that is no node, and
 * FLOWSTONE_GRAPH_CYCLE, with the path, when there is no order.
 */
export function buildGraph(nodes: readonly GraphNode[]): AssetGraph {
  const indices = indexKeys(nodes);
  const upstreams = adjacencyOf(nodes, indices, (node, upstream) => {
    const message = `asset ${node.key} depends on "${upstream}", which is no asset${didYouMean(upstream, indices.keys())}: declare it or remove the dependency`;
    throw new FlowStoneError('FLOWSTONE_GRAPH_INVALID', message, { context: { asset: node.key, upstream } });
  });
  const downstreams = reverse(upstreams);
  const order = topologicalOrder(upstreams, downstreams);
  const keys = nodes.map((node) => node.key);
  if (order === undefined) {
    const cycle = findCyclesIn(upstreams)[0]!.map((index) => keys[index]!);
    throw cycleError(cycle);
  }
  return new AssetGraph(keys, indices, upstreams, downstreams, order);
}

/**
 * One cycle for each knot of assets that depend on each other, as the keys along it: every one depends on the next,
 * the last is the first again. Upstreams that are no node are passed over. Empty when there is an order.
 */
export function findCycles(nodes: readonly GraphNode[]): string[][] {
  const indices = new Map(nodes.map((node, index) => [node.key, index]));
  const upstreams = adjacencyOf(nodes, indices, () => undefined);
  return findCyclesIn(upstreams).map((cycle) => cycle.map((index) => nodes[index]!.key));
}

/** The error for a cycle given as its keys in the form of {@link findCycles} (or `key[partition]`). */
export function cycleError(cycle: readonly string[]): FlowStoneError {
  const message = `dependency cycle: ${cycle.join(' -> ')} (each depends on the next): remove one of these dependencies`;
  return new FlowStoneError('FLOWSTONE_GRAPH_CYCLE', message, { context: { cycle } });
}

function indexKeys(nodes: readonly GraphNode[]): Map<string, number> {
  const indices = new Map<string, number>();
  for (const [index, { key }] of nodes.entries()) {
    if (indices.has(key)) {
      const message = `two assets have the key "${key}": give one of them another name`;
      throw new FlowStoneError('FLOWSTONE_GRAPH_INVALID', message, { context: { asset: key } });
    }
    indices.set(key, index);
  }
  return indices;
}

/** The upstreams of every node as indices, each once, ascending. */
function adjacencyOf(
  nodes: readonly GraphNode[],
  indices: ReadonlyMap<string, number>,
  onUnknown: (node: GraphNode, upstream: string) => void,
): Adjacency {
  const starts = new Int32Array(nodes.length + 1);
  let declared = 0;
  for (const node of nodes) declared += node.upstreams.length;
  const targets = new Int32Array(declared);
  let count = 0;
  for (const [index, node] of nodes.entries()) {
    const start = count;
    for (const upstream of node.upstreams) {
      const target = indices.get(upstream);
      if (target === undefined) onUnknown(node, upstream);
      else targets[count++] = target;
    }
    if (count - start > 1) count = sortAndDeduplicate(targets, start, count);
    starts[index + 1] = count;
  }
  return { starts, targets: targets.slice(0, count) };
}

/** Sorts `values[start .. end)` and drops repetitions; returns the new end. */
function sortAndDeduplicate(values: Int32Array, start: number, end: number): number {
  values.subarray(start, end).sort();
  let kept = start + 1;
  for (let at = start + 1; at < end; at++) if (values[at] !== values[kept - 1]) values[kept++] = values[at]!;
  return kept;
}
