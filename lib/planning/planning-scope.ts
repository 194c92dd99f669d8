// The partitions a question is about as the nodes of a graph on typed arrays: numbered, connected, ordered.
// No facts: what is recorded of the nodes stands in node-states.ts.

import { orderKnot } from './knot-order.js';
import type { Pace } from './pace.js';
import type { PlanningModel } from './planning-model.js';
import type { ScopeBlock, ScopeEdges } from './scope-edges.js';
import { connectBlocks } from './scope-edges.js';
import type { Extent } from './scope-extent.js';
import { withUpstream } from './scope-extent.js';

/** A node is a partition of an asset. Every upstream of a node is a node, too. */
export class PlanningScope {
  /** The block that was asked for last: who goes through nodes in their order asks for it again. */
  #last: ScopeBlock | undefined;

  /** @internal Made by {@link openScope}. */
  constructor(
    readonly model: PlanningModel,
    readonly blocks: readonly ScopeBlock[],
    private readonly blockOfAsset: ReadonlyMap<number, ScopeBlock>,
    readonly edges: ScopeEdges,
    /** All nodes, each after its upstreams. */
    readonly order: Int32Array,
  ) {}

  get size(): number {
    return this.order.length;
  }

  blockOf(node: number): ScopeBlock {
    const last = this.#last;
    if (last !== undefined && node >= last.start && node < last.start + last.ranges.size) return last;
    return (this.#last = this.#findBlock(node));
  }

  #findBlock(node: number): ScopeBlock {
    let low = 0;
    let high = this.blocks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.blocks[middle]!.start <= node) low = middle + 1;
      else high = middle;
    }
    return this.blocks[low - 1]!;
  }

  /** The node of a partition that is in scope. */
  nodeOf(asset: number, ordinal: number): number {
    const block = this.blockOfAsset.get(asset)!;
    return block.start + block.ranges.positionOf(ordinal);
  }

  /** The key of the node's asset. */
  assetKeyOf(node: number): string {
    return this.model.assets[this.blockOf(node).asset]!.key;
  }

  /** The key of the node's partition. */
  partitionKeyOf(node: number): string {
    const block = this.blockOf(node);
    return this.model.setOf(block.asset).keyAt(block.ranges.ordinalAt(node - block.start));
  }

  /** All upstreams of a node with their roles; one that binds in several ways comes once for each. */
  eachUpstream(node: number, visit: (upstream: number, role: number) => void): void {
    const { starts, from, to, role } = this.edges;
    for (let range = starts[node]!; range < starts[node + 1]!; range++) {
      for (let upstream = from[range]!; upstream < to[range]!; upstream++) visit(upstream, role[range]!);
    }
  }
}

/**
 * The scope of `extent` and all it depends on. Throws FLOWSTONE_PLAN_TOO_LARGE, and FLOWSTONE_GRAPH_CYCLE where
 * partitions depend on each other in a circle.
 */
export async function openScope(model: PlanningModel, extent: Extent, pace: Pace): Promise<PlanningScope> {
  const complete = await withUpstream(model, extent, pace);
  const blocks: ScopeBlock[] = [];
  const blockOfAsset = new Map<number, ScopeBlock>();
  const knots: { start: number; end: number }[] = [];
  let size = 0;
  for (const group of model.groups()) {
    const start = size;
    for (const asset of group) {
      const ranges = complete.get(asset);
      if (ranges === undefined) continue;
      const block = { asset, start: size, ranges };
      blocks.push(block);
      blockOfAsset.set(asset, block);
      size += ranges.size;
    }
    if (size > start && model.isKnot(group)) knots.push({ start, end: size });
  }
  const edges = await connectBlocks(model, blocks, blockOfAsset, pace);
  const order = new Int32Array(size);
  for (let node = 0; node < size; node++) order[node] = node;
  const scope = new PlanningScope(model, blocks, blockOfAsset, edges, order);
  // Blocks stand upstream first, so that only nodes within a knot can be out of order.
  const label = (node: number): string => `${scope.assetKeyOf(node)}[${scope.partitionKeyOf(node)}]`;
  for (const knot of knots) orderKnot(edges, order, knot.start, knot.end, label);
  return scope;
}
