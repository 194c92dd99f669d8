// Which nodes of a scope are in a plan (semantics, Planning and running 1). Marks on nodes, nothing built yet.

import type { NodeStates } from './node-states.js';
import type { Pace } from './pace.js';
import type { PlanRequest, ResolvedTarget } from './plan-request.js';
import type { PlanningScope } from './planning-scope.js';
import { ROLE } from './scope-edges.js';

/** Marks of a node in an {@link Inclusion}; several may hold. */
export const MARK = {
  /** Asked for by name. */
  target: 1,
  /** A target, what follows from one, or upstream of such: told as left out where it is not planned. */
  considered: 2,
  planned: 4,
  /** Runs whatever its state; what `upstream: 'all'` forces passes it on upstream. */
  forced: 8,
  /** Planned, and what consumes it is planned in as well (`downstream`). */
  leads: 16,
  external: 32,
} as const;

/** What a considered node does to what it needs. */
const EFFECT = { consider: 0, plan: 1, force: 2 } as const;

/**
 * Marks the nodes of a plan. Two rules, until neither adds anything: planned entries plan in what they need upstream,
 * and what is considered and has something planned above it is planned (it may turn out different).
 */
export class Inclusion {
  readonly marks: Uint8Array;

  private constructor(
    private readonly scope: PlanningScope,
    private readonly states: NodeStates,
    private readonly request: PlanRequest,
    private readonly pace: Pace,
  ) {
    this.marks = new Uint8Array(scope.size);
  }

  /** Works out which nodes are in the plan of a request for these targets. */
  static async of(
    scope: PlanningScope,
    states: NodeStates,
    request: PlanRequest,
    targets: readonly ResolvedTarget[],
    pace: Pace,
  ): Promise<Inclusion> {
    const inclusion = new Inclusion(scope, states, request, pace);
    await inclusion.#markTargets(targets);
    do await inclusion.#planUpstream();
    while (await inclusion.#planDownstream());
    return inclusion;
  }

  has(node: number, mark: number): boolean {
    return (this.marks[node]! & mark) !== 0;
  }

  /** The planned nodes, each after its upstreams. */
  async plannedNodes(): Promise<Int32Array> {
    const { order } = this.scope;
    const nodes = new Int32Array(order.length);
    let count = 0;
    await this.pace.through(order.length, (from, to) => {
      for (let at = from; at < to; at++) if (this.has(order[at]!, MARK.planned)) nodes[count++] = order[at]!;
    });
    return nodes.slice(0, count);
  }

  async #markTargets(targets: readonly ResolvedTarget[]): Promise<void> {
    for (const { asset, start, ranges } of this.scope.blocks) {
      if (this.scope.model.assets[asset]!.external) this.marks.fill(MARK.external, start, start + ranges.size);
    }
    for (const { asset, candidates, isMeant } of targets) {
      const mark = (ordinal: number): void => {
        const node = this.scope.nodeOf(asset, ordinal);
        if (!isMeant(this.states, node)) return;
        this.marks[node]! |= MARK.target;
        this.#need(node, this.request.force ? EFFECT.force : EFFECT.plan);
      };
      await this.pace.through(candidates.size, (from, to) => candidates.eachAt(from, to, mark));
    }
  }

  /** From downstream to upstream: marks what the nodes need. */
  async #planUpstream(): Promise<void> {
    if (this.request.upstream === 'none') return;
    const { order } = this.scope;
    const seen = new LastRanges();
    await this.pace.through(order.length, (from, to) => {
      for (let behind = from; behind < to; behind++) this.#needAbove(order[order.length - 1 - behind]!, seen);
    });
  }

  /** Marks what the node needs. */
  #needAbove(node: number, seen: LastRanges): void {
    if (!this.has(node, MARK.considered)) return;
    const { edges } = this.scope;
    const effect = this.#effectOf(node);
    const first = edges.starts[node]!;
    for (let range = first; range < edges.starts[node + 1]!; range++) {
      if (edges.role[range] === ROLE.optional) continue;
      const from = edges.from[range]!;
      const to = edges.to[range]!;
      if (seen.isSame(range - first, from, to, effect)) continue;
      for (let needed = from; needed < to; needed++) this.#need(needed, effect);
    }
  }

  /** `upstream: 'all'` forces what is above the targets, not what else entries downstream of them need. */
  #effectOf(node: number): number {
    const passesForce = this.request.upstream === 'all' && this.has(node, MARK.target | MARK.forced);
    if (passesForce) return EFFECT.force;
    return this.has(node, MARK.planned) ? EFFECT.plan : EFFECT.consider;
  }

  #need(node: number, effect: number): void {
    this.marks[node]! |= MARK.considered;
    if (this.has(node, MARK.external)) return;
    if (effect === EFFECT.force) this.marks[node]! |= MARK.planned | MARK.forced;
    else if (effect === EFFECT.plan && !this.states.isFresh(node)) this.marks[node]! |= MARK.planned;
  }

  /** From upstream to downstream: plans what has something planned above it. Returns whether it planned anything. */
  async #planDownstream(): Promise<boolean> {
    const { order } = this.scope;
    const seen = new LastRanges();
    let added = false;
    await this.pace.through(order.length, (from, to) => {
      for (let at = from; at < to; at++) if (this.#planBelow(order[at]!, seen)) added = true;
    });
    return added;
  }

  /** Plans the node where something above it is planned. Returns whether it was not before. */
  #planBelow(node: number, seen: LastRanges): boolean {
    if (this.has(node, MARK.external)) return false;
    const before = this.marks[node]!;
    const above = this.#marksAbove(node, seen);
    let marks = before;
    if ((above & MARK.planned) !== 0 && (before & MARK.considered) !== 0) marks |= MARK.planned;
    if ((above & MARK.leads) !== 0) marks |= MARK.considered | MARK.planned | MARK.leads;
    const isPlannedTarget = (marks & MARK.target) !== 0 && (marks & MARK.planned) !== 0;
    if (this.request.downstream && isPlannedTarget) marks |= MARK.leads;
    this.marks[node] = marks;
    return (marks & ~before & MARK.planned) !== 0;
  }

  /** All marks found on what the node consumes. */
  #marksAbove(node: number, seen: LastRanges): number {
    const { starts, from, to, role } = this.scope.edges;
    let above = 0;
    const first = starts[node]!;
    for (let range = first; range < starts[node + 1]!; range++) {
      if (role[range] === ROLE.ordering) continue;
      const slot = range - first;
      if (!seen.isSame(slot, from[range]!, to[range]!, 0)) {
        let found = 0;
        for (let upstream = from[range]!; upstream < to[range]!; upstream++) found |= this.marks[upstream]!;
        seen.results[slot] = found;
      }
      above |= seen.results[slot]!;
    }
    return above;
  }
}

/**
 * The range last met in each slot (first, second, ... range of its node): partitions next to each other often consume
 * the same one, and walking it once is enough.
 */
class LastRanges {
  /** What walking the range came to, for those who want to keep it. */
  readonly results: number[] = [];
  readonly #from: number[] = [];
  readonly #to: number[] = [];
  readonly #effect: number[] = [];

  /** Whether this range was the last one in the slot, with the same effect; if not, it is from now on. */
  isSame(slot: number, from: number, to: number, effect: number): boolean {
    if (this.#from[slot] === from && this.#to[slot] === to && this.#effect[slot] === effect) return true;
    this.#from[slot] = from;
    this.#to[slot] = to;
    this.#effect[slot] = effect;
    return false;
  }
}
