// The state of every node in a scope, worked out from recorded facts in one pass from upstream to downstream.
// Why a node is stale is told in explanation.ts, which reads only what it needs for that one node.

import { fingerprintText, LANES, writeFingerprintLanes, writeVersionLanes } from './inputs-fingerprint.js';
import { declarationDiffers, declaredUpstreams } from './must-run.js';
import type { Pace } from './pace.js';
import { hasValue } from './planning.port.js';
import type { HeadFact, HeadQuery, PlanningFacts } from './planning.port.js';
import type { PlanningScope } from './planning-scope.js';
import type { ScopeBlock } from './scope-edges.js';
import { ROLE } from './scope-edges.js';

/** `status(asset, partition)`, see semantics, What is fresh. */
export type AssetState = 'missing' | 'stale' | 'fresh';

const STATE = { missing: 0, stale: 1, fresh: 2 } as const;
/** States by their number: as they get less stale. */
export const STATE_NAMES: readonly AssetState[] = ['missing', 'stale', 'fresh'];

/** Ranges longer than this are worth remembering: the next partition often consumes the same one. */
const shortRange = 8;

/** What a range of upstream nodes amounts to. */
interface RangeSummary {
  from: number;
  to: number;
  /** The most stale state in it. */
  state: number;
  readonly lanes: Uint32Array;
}

/** Heads of a whole asset are read at once when at least this share of its partitions is needed. */
const shareReadWhole = 0.25;

/** Nodes whose heads are read at once: some assets, or a part of one. */
const nodesReadAtOnce = 10_000;

/** Recorded facts about the nodes of a scope and the states that follow. */
export class NodeStates {
  readonly #states: Uint8Array;
  readonly #hasValue: Uint8Array;
  readonly #failed: Uint8Array;
  /** 1: the node differs from its own head, whatever is above it. */
  readonly #differs: Uint8Array;
  /** Hash of each head's version, and the fingerprint of what it consumed; none where nothing has a value. */
  #versions = new Uint32Array(0);
  #consumed = new Uint32Array(0);
  /** Numbers of heads, 0 for what has none; empty where nothing has. */
  #heads = new Float64Array(0);
  readonly #summaries: RangeSummary[] = [];

  private constructor(private readonly scope: PlanningScope) {
    this.#states = new Uint8Array(scope.size);
    this.#hasValue = new Uint8Array(scope.size);
    this.#failed = new Uint8Array(scope.size);
    this.#differs = new Uint8Array(scope.size);
  }

  /** Reads the heads of all nodes, some at a time, keeping only what comparing needs, and works out the states. */
  static async read(scope: PlanningScope, facts: PlanningFacts, pace: Pace): Promise<NodeStates> {
    const states = new NodeStates(scope);
    for (const blocks of readAtOnce(scope.blocks)) {
      if (isLarge(blocks[0]!)) await states.#readLarge(blocks[0]!, facts);
      else await states.#readBlocks(blocks, facts);
    }
    await states.#evaluate(pace);
    return states;
  }

  stateOf(node: number): AssetState {
    return STATE_NAMES[this.#states[node]!]!;
  }

  isFresh(node: number): boolean {
    return this.#states[node] === STATE.fresh;
  }

  /** Whether there is a value to consume. */
  hasValue(node: number): boolean {
    return this.#hasValue[node] === 1;
  }

  /** Whether the newest materialization failed or could not run. */
  hasFailed(node: number): boolean {
    return this.#failed[node] === 1;
  }

  /** The number of its head, where it has one and the ledger numbers them. */
  headOf(node: number): number | undefined {
    return this.#heads[node] || undefined;
  }

  /** Whether computing it now would not be skipped: it has no value, or differs from its head by itself. */
  differs(node: number): boolean {
    return this.#hasValue[node] === 0 || this.#differs[node] === 1;
  }

  /** The fingerprint of what it would consume now, as of {@link inputsFingerprint}. */
  offeredTo(node: number): string {
    const { starts, from, to, role } = this.scope.edges;
    const sum = new Uint32Array(LANES);
    // What is consumed through two dependencies counts once.
    const counted: (readonly [from: number, to: number])[] = [];
    for (let range = starts[node]!; range < starts[node + 1]!; range++) {
      if (role[range] === ROLE.ordering || this.#versions.length === 0) continue;
      for (let upstream = from[range]!; upstream < to[range]!; upstream++) {
        if (!counted.some(([first, end]) => upstream >= first && upstream < end)) this.#addVersion(upstream, sum);
      }
      counted.push([from[range]!, to[range]!]);
    }
    return fingerprintText(sum);
  }

  async #readBlocks(blocks: readonly ScopeBlock[], facts: PlanningFacts): Promise<void> {
    const found = await facts.heads(blocks.map((block) => this.#queryOf(block)));
    blocks.forEach((block, index) => this.#recordBlock(block, found[index]!));
  }

  async #readLarge(block: ScopeBlock, facts: PlanningFacts): Promise<void> {
    const { asset, partitions } = this.#queryOf(block);
    if (partitions !== 'all') {
      for (let at = 0; at < partitions.length; at += nodesReadAtOnce) {
        const [heads] = await facts.heads([{ asset, partitions: partitions.slice(at, at + nodesReadAtOnce) }]);
        this.#recordBlock(block, heads!);
      }
      return;
    }
    let from: string | null = '';
    while (from !== null) {
      const { heads, next } = await facts.headsFrom(asset, from, nodesReadAtOnce);
      this.#recordBlock(block, heads);
      from = next;
    }
  }

  #queryOf({ asset, ranges }: ScopeBlock): HeadQuery {
    const { model } = this.scope;
    const { key } = model.assets[asset]!;
    const set = model.setOf(asset);
    if (ranges.size >= set.size * shareReadWhole) return { asset: key, partitions: 'all' };
    const keys = Array.from({ length: ranges.size }, (_, position) => set.keyAt(ranges.ordinalAt(position)));
    return { asset: key, partitions: keys };
  }

  #recordBlock({ asset, start, ranges }: ScopeBlock, heads: ReadonlyMap<string, HeadFact>): void {
    const { model } = this.scope;
    const set = model.setOf(asset);
    const declared = model.assets[asset]!;
    const upstreams = declaredUpstreams(declared);
    for (const [key, head] of heads) {
      const position = ranges.positionOf(set.ordinalOf(key));
      if (position !== -1)
        this.#record(start + position, declared.key, head, declarationDiffers(declared, upstreams, head));
    }
  }

  #record(node: number, asset: string, head: HeadFact, differs: boolean): void {
    if (head.id !== undefined) {
      if (this.#heads.length === 0) this.#heads = new Float64Array(this.scope.size);
      this.#heads[node] = head.id;
    }
    if (head.failed) this.#failed[node] = 1;
    if (!hasValue(head)) return;
    if (this.#versions.length === 0) {
      this.#versions = new Uint32Array(this.scope.size * LANES);
      this.#consumed = new Uint32Array(this.scope.size * LANES);
    }
    this.#hasValue[node] = 1;
    const version = { asset, partition: head.partition, dataVersion: head.dataVersion ?? '' };
    writeVersionLanes(version, this.#versions, node * LANES);
    const readable = writeFingerprintLanes(head.inputs, this.#consumed, node * LANES);
    if (differs || !readable) this.#differs[node] = 1;
  }

  async #evaluate(pace: Pace): Promise<void> {
    const external = new Uint8Array(this.scope.size);
    for (const { asset, start, ranges } of this.scope.blocks) {
      if (this.scope.model.assets[asset]!.external) external.fill(1, start, start + ranges.size);
    }
    const sum = new Uint32Array(LANES);
    await pace.through(this.scope.size, (from, to) => {
      for (let at = from; at < to; at++) {
        const node = this.scope.order[at]!;
        if (external[node] === 1) this.#states[node] = STATE.fresh;
        else if (this.#hasValue[node] === 1) this.#states[node] = this.#compare(node, sum);
      }
    });
  }

  /** Stale or fresh, for a node that has a value and whose upstreams are worked out. */
  #compare(node: number, sum: Uint32Array): number {
    const { starts, from, to, role } = this.scope.edges;
    sum.fill(0);
    let above: number = STATE.fresh;
    let slot = 0;
    let lastEnd = 0;
    for (let range = starts[node]!; range < starts[node + 1]!; range++) {
      if (role[range] === ROLE.ordering) continue;
      if (from[range]! < lastEnd) return this.#compareOverlapping(node, sum);
      lastEnd = to[range]!;
      const summary = this.#summarize(slot++, from[range]!, to[range]!);
      for (let lane = 0; lane < LANES; lane++) sum[lane]! += summary.lanes[lane]!;
      if (role[range] === ROLE.required) above = Math.min(above, summary.state);
    }
    return this.#conclude(node, sum, above);
  }

  /** The same where one partition is consumed through several dependencies, and counts once. */
  #compareOverlapping(node: number, sum: Uint32Array): number {
    const { starts, from, to, role } = this.scope.edges;
    const consumed = new Set<number>();
    let above: number = STATE.fresh;
    for (let range = starts[node]!; range < starts[node + 1]!; range++) {
      if (role[range] === ROLE.ordering) continue;
      for (let upstream = from[range]!; upstream < to[range]!; upstream++) {
        consumed.add(upstream);
        if (role[range] === ROLE.required) above = Math.min(above, this.#states[upstream]!);
      }
    }
    sum.fill(0);
    for (const upstream of consumed) this.#addVersion(upstream, sum);
    return this.#conclude(node, sum, above);
  }

  #conclude(node: number, sum: Uint32Array, above: number): number {
    // What a missing upstream will contribute is not known, so that a difference in the sum says nothing yet.
    if (above !== STATE.missing) {
      for (let lane = 0; lane < LANES; lane++) {
        if (sum[lane] !== this.#consumed[node * LANES + lane]) this.#differs[node] = 1;
      }
    }
    return this.#differs[node] === 1 || above !== STATE.fresh ? STATE.stale : STATE.fresh;
  }

  /** `slot`: which range of its node it is; the one before in the same slot is often the same. */
  #summarize(slot: number, from: number, to: number): RangeSummary {
    const known = this.#summaries[slot];
    if (known !== undefined && known.from === from && known.to === to && to - from > shortRange) return known;
    const summary = known ?? { from, to, state: STATE.fresh, lanes: new Uint32Array(LANES) };
    this.#summaries[slot] = summary;
    summary.from = from;
    summary.to = to;
    summary.state = STATE.fresh;
    summary.lanes.fill(0);
    for (let upstream = from; upstream < to; upstream++) {
      summary.state = Math.min(summary.state, this.#states[upstream]!);
      this.#addVersion(upstream, summary.lanes);
    }
    return summary;
  }

  /** Adds nothing for a node without a value: its lanes are zero. */
  #addVersion(node: number, sum: Uint32Array): void {
    for (let lane = 0; lane < LANES; lane++) sum[lane]! += this.#versions[node * LANES + lane]!;
  }
}

function isLarge({ ranges }: ScopeBlock): boolean {
  return ranges.size > nodesReadAtOnce;
}

/** The blocks in their order, in groups of at most so many nodes; what is larger is alone. */
function* readAtOnce(blocks: readonly ScopeBlock[]): Generator<ScopeBlock[]> {
  let group: ScopeBlock[] = [];
  let nodes = 0;
  for (const block of blocks) {
    nodes += block.ranges.size;
    if (nodes > nodesReadAtOnce && group.length > 0) {
      yield group;
      group = [];
      nodes = block.ranges.size;
    }
    group.push(block);
  }
  if (group.length > 0) yield group;
}
