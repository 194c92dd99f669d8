// The graph of asset keys: order, neighbours, traversal, all on typed arrays (100,000 assets are ordinary).
// Not here: partitions (planning joins both), and what an asset is.

import { FlowStoneError } from '../flowstone.errors.js';
import type { Adjacency } from './adjacency.js';
import { neighbours, reverse, topologicalOrder } from './adjacency.js';
import { connectedGroups, findCyclesIn } from './cycles.js';
import { didYouMean } from './did-you-mean.js';

/** An asset as the graph sees it. What it consumes of itself is left out by whoever builds the nodes. */
export interface GraphNode {
  readonly key: string;
  readonly upstreams: readonly string[];
  /** Upstreams of which only earlier partitions are consumed: they take part in traversal, but order no assets. */
  readonly lookBacks?: readonly string[];
}

export type Direction = 'upstream' | 'downstream';

/**
 * A graph of assets, acyclic but for look-back edges. An asset is named by its index, the place its node had in what {@link buildGraph} was
 * given. The arrays handed out are views: they are not to be written to.
 */
export class AssetGraph {
  /** @internal Made by {@link buildGraph}. */
  constructor(
    private readonly keys: readonly string[],
    private readonly indices: ReadonlyMap<string, number>,
    private readonly upstreams: Adjacency,
    private readonly downstreams: Adjacency,
    /**
     * All indices, each after everything upstream of it, but for assets that look back at each other: there only the
     * other edges count. Equal graphs have equal order.
     */
    readonly order: Int32Array,
  ) {}

  /**
   * The assets in groups, every group after all groups upstream of it. More than one asset stand in a group only where
   * look-back edges make them depend on each other.
   */
  connectedGroups(): Int32Array[] {
    return connectedGroups(this.upstreams);
  }

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
  const failUnknown = (node: GraphNode, upstream: string): never => {
    const message = `asset ${node.key} depends on "${upstream}", which is no asset${didYouMean(upstream, indices.keys())}: declare it or remove the dependency`;
    throw new FlowStoneError('FLOWSTONE_GRAPH_INVALID', message, { context: { asset: node.key, upstream } });
  };
  const keys = nodes.map((node) => node.key);
  const ordering = adjacencyOf(nodes, indices, (node) => node.upstreams, failUnknown);
  const reversed = reverse(ordering);
  const order = topologicalOrder(ordering, reversed);
  if (order === undefined) throw cycleError(findCyclesIn(ordering)[0]!.map((index) => keys[index]!));
  if (!nodes.some((node) => node.lookBacks?.length)) return new AssetGraph(keys, indices, ordering, reversed, order);
  const all = adjacencyOf(nodes, indices, (node) => [...node.upstreams, ...(node.lookBacks ?? [])], failUnknown);
  return new AssetGraph(keys, indices, all, reverse(all), orderWithLookBacks(all, order));
}

/** Look-back edges order assets too wherever they do not contradict the edges that must. */
function orderWithLookBacks(all: Adjacency, order: Int32Array): Int32Array {
  const ranks = new Int32Array(order.length);
  for (let rank = 0; rank < order.length; rank++) ranks[order[rank]!] = rank;
  const groups = connectedGroups(all).map((group) => group.sort((a, b) => ranks[a]! - ranks[b]!));
  return Int32Array.from(groups.flatMap((group) => [...group]));
}

/**
 * One cycle for each knot of assets that depend on each other, as the keys along it: every one depends on the next,
 * the last is the first again. Upstreams that are no node are passed over, look-back edges do not count. Empty when there is an order.
 */
export function findCycles(nodes: readonly GraphNode[]): string[][] {
  const indices = new Map<string, number>();
  for (let index = 0; index < nodes.length; index++) indices.set(nodes[index]!.key, index);
  const upstreams = adjacencyOf(
    nodes,
    indices,
    (node) => node.upstreams,
    () => undefined,
  );
  return findCyclesIn(upstreams).map((cycle) => cycle.map((index) => nodes[index]!.key));
}

/** The error for a cycle given as its keys in the form of {@link findCycles} (or `key[partition]`). */
export function cycleError(cycle: readonly string[]): FlowStoneError {
  const message = `dependency cycle: ${cycle.join(' -> ')} (each depends on the next): remove one of these dependencies`;
  return new FlowStoneError('FLOWSTONE_GRAPH_CYCLE', message, { context: { cycle } });
}

function indexKeys(nodes: readonly GraphNode[]): Map<string, number> {
  const indices = new Map<string, number>();
  for (const { key } of nodes) {
    const index = indices.size;
    // A key that was there adds nothing: looking first would cost as much again.
    if (indices.set(key, index).size === index) {
      const message = `two assets have the key "${key}": give one of them another name`;
      throw new FlowStoneError('FLOWSTONE_GRAPH_INVALID', message, { context: { asset: key } });
    }
  }
  return indices;
}

/** The upstreams of every node as indices, each once, ascending. */
function adjacencyOf(
  nodes: readonly GraphNode[],
  indices: ReadonlyMap<string, number>,
  upstreamsOf: (node: GraphNode) => readonly string[],
  onUnknown: (node: GraphNode, upstream: string) => void,
): Adjacency {
  const starts = new Int32Array(nodes.length + 1);
  let declared = 0;
  for (const node of nodes) declared += upstreamsOf(node).length;
  const targets = new Int32Array(declared);
  let count = 0;
  // Indexed: pairs made by `entries()` would be a hundred thousand objects.
  for (let index = 0; index < nodes.length; index++) {
    const node = nodes[index]!;
    const start = count;
    for (const upstream of upstreamsOf(node)) {
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
  // Most assets have a handful of upstreams: insertion needs no view of the array, which costs more than the sorting.
  if (end - start > 16) values.subarray(start, end).sort();
  else {
    for (let at = start + 1; at < end; at++) {
      const value = values[at]!;
      let hole = at;
      for (; hole > start && values[hole - 1]! > value; hole--) values[hole] = values[hole - 1]!;
      values[hole] = value;
    }
  }
  let kept = start + 1;
  for (let at = start + 1; at < end; at++) if (values[at] !== values[kept - 1]) values[kept++] = values[at]!;
  return kept;
}
