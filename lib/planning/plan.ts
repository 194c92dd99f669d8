// A plan: what would run for a request, in which order and why, and what is left out. Changes nothing.
// Which nodes are in it is decided in inclusion.ts; here they become entries with their edges.

import { FlowStoneError } from '../flowstone.errors.js';
import type { BlockedEntries } from './blocked-entries.js';
import { findBlocked } from './blocked-entries.js';
import { explainNode } from './explanation.js';
import { GrowingInts } from './growing-ints.js';
import { Inclusion, MARK } from './inclusion.js';
import { NodeStates } from './node-states.js';
import { Pace } from './pace.js';
import type { PlanningFacts, PlanWait } from './planning.port.js';
import type { PlanningModel } from './planning-model.js';
import type { PlanningScope } from './planning-scope.js';
import { openScope } from './planning-scope.js';
import type { PlanRequest } from './plan-request.js';
import { extentOf, narrowTargets, resolveTargets } from './plan-request.js';
import type { PlanReason } from './reasons.js';
import { MOST_LISTED, reasonOf } from './reasons.js';
import { ROLE } from './scope-edges.js';
import { withDownstream } from './scope-extent.js';

export type { PlanRequest } from './plan-request.js';

/** Entries of a plan when the request sets no limit, and edges between them in any case. */
const DEFAULT_MOST_ENTRIES = 5_000_000;
const MOST_EDGES = 50_000_000;

/**
 * `certain`: it runs, since it is forced, has no value or differs from its head by itself. `conditional`: it runs only
 * if something planned above it comes out different from what its head consumed.
 */
export type PlanInclusion = 'certain' | 'conditional';

/** One entry, readable. `partition` is `''` where the asset has none. */
export interface PlanEntry {
  readonly index: number;
  readonly asset: string;
  readonly partition: string;
  readonly inclusion: PlanInclusion;
  readonly forced: boolean;
  /** Why it cannot run; running the plan records it as failed with this error. */
  readonly blocked: FlowStoneError | undefined;
}

/** What a request concerns and the plan does not hold. `not_needed`: not fresh, but only ordered before what is. */
export interface PlanOmission {
  readonly asset: string;
  readonly partition: string;
  readonly why: 'fresh' | 'external' | 'not_needed';
  readonly message: string;
}

/** Entries of one asset in a plan. `forced` and `blocked` ones are certain or conditional, too. */
export interface PlanCounts {
  readonly certain: number;
  readonly conditional: number;
  readonly forced: number;
  readonly blocked: number;
}

/** Entries of which it is looked up what they would wait for. */
const WAITS_LOOKED_AT = 1000;

const OMISSION_MESSAGES = {
  fresh: 'fresh, and nothing above it is planned',
  external: 'external: computed elsewhere',
  not_needed: 'needed only before something that is fresh',
} as const;

/**
 * Works out the plan of a request from the facts of this moment (semantics, Planning and running 1).
 * Throws FLOWSTONE_PLAN_ASSET_UNKNOWN, FLOWSTONE_PARTITION_* for keys and ranges, FLOWSTONE_PLAN_TOO_LARGE, and
 * FLOWSTONE_GRAPH_CYCLE where partitions depend on each other in a circle.
 */
export async function makePlan(model: PlanningModel, facts: PlanningFacts, request: PlanRequest): Promise<Plan> {
  const targets = await narrowTargets(model, facts, resolveTargets(model, request.targets));
  const named = extentOf(targets);
  const pace = new Pace(facts);
  const scope = await openScope(model, request.downstream ? await withDownstream(model, named, pace) : named, pace);
  const states = await NodeStates.read(scope, facts, pace);
  const inclusion = await Inclusion.of(scope, states, request, targets, pace);
  const nodes = await inclusion.plannedNodes();
  const most = request.maxEntries ?? DEFAULT_MOST_ENTRIES;
  if (nodes.length > most) throw tooLarge(`the plan has ${nodes.length} entries, at most ${most} are allowed`, most);
  const edges = await connectEntries(scope, nodes, pace);
  const blocked = await findBlocked(scope, states, inclusion, nodes, request.upstream === 'none', pace);
  return new Plan(scope, states, facts, inclusion, { nodes, edges, blocked });
}

interface Entries {
  readonly nodes: Int32Array;
  readonly edges: Plan['edges'];
  readonly blocked: BlockedEntries;
}

/** See {@link makePlan}. Entries are numbered in topological order, each (asset, partition) once. */
export class Plan {
  /** How many entries it has. */
  readonly size: number;
  /**
   * Entry i has to wait for the entries `upstreams[starts[i] .. starts[i + 1])`, each once, all below i. `ordering` is
   * parallel to `upstreams`: 1 for those it only comes after (`after`) and consumes nothing of.
   */
  readonly edges: { readonly starts: Int32Array; readonly upstreams: Int32Array; readonly ordering: Uint8Array };
  readonly #nodes: Int32Array;
  readonly #blocked: BlockedEntries;

  /** @internal Made by {@link makePlan}. */
  constructor(
    private readonly scope: PlanningScope,
    private readonly states: NodeStates,
    private readonly facts: PlanningFacts,
    private readonly inclusion: Inclusion,
    { nodes, edges, blocked }: Entries,
  ) {
    this.#nodes = nodes;
    this.size = nodes.length;
    this.edges = edges;
    this.#blocked = blocked;
  }

  assetAt(index: number): string {
    return this.scope.assetKeyOf(this.#nodeAt(index));
  }

  partitionAt(index: number): string {
    return this.scope.partitionKeyOf(this.#nodeAt(index));
  }

  inclusionAt(index: number): PlanInclusion {
    const node = this.#nodeAt(index);
    return this.forcedAt(index) || this.states.differs(node) ? 'certain' : 'conditional';
  }

  forcedAt(index: number): boolean {
    return this.inclusion.has(this.#nodeAt(index), MARK.forced);
  }

  /** The number of its head, where it had one when the plan was made and the ledger numbers them. */
  headAt(index: number): number | undefined {
    return this.states.headOf(this.#nodeAt(index));
  }

  /** Whether any entry cannot run. */
  get hasBlocked(): boolean {
    return !this.#blocked.isEmpty;
  }

  /** Whether the entry cannot run. */
  isBlockedAt(index: number): boolean {
    return this.#blocked.has(this.#nodeAt(index));
  }

  /** Why the entry cannot run: FLOWSTONE_PLAN_UPSTREAM_MISSING or FLOWSTONE_PLAN_UPSTREAM_PARTITION_MISSING. */
  blockedAt(index: number): FlowStoneError | undefined {
    return this.#blocked.errorOf(this.#nodeAt(index));
  }

  /** All entries in order, made while they are iterated. */
  *entries(): Generator<PlanEntry> {
    for (let index = 0; index < this.size; index++) {
      yield {
        index,
        asset: this.assetAt(index),
        partition: this.partitionAt(index),
        inclusion: this.inclusionAt(index),
        forced: this.forcedAt(index),
        blocked: this.blockedAt(index),
      };
    }
  }

  /** What the request concerns and is left out, made while it is iterated; what `upstream: 'none'` never asks for is not. */
  *omitted(): Generator<PlanOmission> {
    for (const node of this.scope.order) {
      if (!this.inclusion.has(node, MARK.considered) || this.inclusion.has(node, MARK.planned)) continue;
      const why = this.inclusion.has(node, MARK.external)
        ? 'external'
        : this.states.isFresh(node)
          ? 'fresh'
          : 'not_needed';
      const asset = this.scope.assetKeyOf(node);
      yield { asset, partition: this.scope.partitionKeyOf(node), why, message: OMISSION_MESSAGES[why] };
    }
  }

  /** Why an entry is in the plan; reads the facts of its asset and direct upstreams again. */
  async explain(index: number): Promise<PlanReason[]> {
    const node = this.#nodeAt(index);
    const reasons: PlanReason[] = this.forcedAt(index) ? [reasonOf({ kind: 'forced' })] : [];
    reasons.push(...(await explainNode(this.scope, this.states, this.facts, node)));
    return reasons.length > 0 ? reasons : this.#plannedAbove(node);
  }

  /**
   * What would wait for something else than upstreams if the plan ran now, and for what, each reason once for each asset: for
   * a worker that declares it, another run that has the same partition in hand, a paused pool, a place or token of the
   * pool or of the key in it. Read when asked for; of each asset the first entries are looked at, 1,000 in all, and one
   * at least, and ten at most are told of that another run has in hand.
   */
  async waits(): Promise<readonly PlanWait[]> {
    const counts = this.counts();
    const most = Math.max(1, Math.floor(WAITS_LOOKED_AT / counts.size));
    const looked = new Map<string, number>();
    const entries: { asset: string; partition: string }[] = [];
    for (let index = 0; index < this.size; index++) {
      if (this.isBlockedAt(index)) continue;
      const asset = this.assetAt(index);
      const before = looked.get(asset) ?? 0;
      if (before === most) continue;
      looked.set(asset, before + 1);
      entries.push({ asset, partition: this.partitionAt(index) });
    }
    return this.facts.waits(entries);
  }

  /** Entries by asset key, in the order of the plan. */
  counts(): ReadonlyMap<string, PlanCounts> {
    const counts = new Map<string, { -readonly [K in keyof PlanCounts]: PlanCounts[K] }>();
    for (let index = 0; index < this.size; index++) {
      const asset = this.assetAt(index);
      let count = counts.get(asset);
      if (count === undefined) counts.set(asset, (count = { certain: 0, conditional: 0, forced: 0, blocked: 0 }));
      count[this.inclusionAt(index)]++;
      if (this.forcedAt(index)) count.forced++;
      if (this.isBlockedAt(index)) count.blocked++;
    }
    return counts;
  }

  #nodeAt(index: number): number {
    const node = this.#nodes[index];
    if (node === undefined) throw new RangeError(`a plan of ${this.size} entries has none at ${index}`);
    return node;
  }

  #plannedAbove(node: number): PlanReason[] {
    const planned = new Map<string, Set<string>>();
    this.scope.eachUpstream(node, (upstream, role) => {
      if (role === ROLE.ordering || !this.inclusion.has(upstream, MARK.planned)) return;
      const asset = this.scope.assetKeyOf(upstream);
      if (!planned.has(asset)) planned.set(asset, new Set());
      planned.get(asset)!.add(this.scope.partitionKeyOf(upstream));
    });
    return [...planned].map(([asset, keys]) => {
      const partitions = [...keys].slice(0, MOST_LISTED);
      return reasonOf({ kind: 'upstream_planned', asset, partitions, count: keys.size });
    });
  }
}

async function connectEntries(scope: PlanningScope, nodes: Int32Array, pace: Pace): Promise<Plan['edges']> {
  const entryOf = new Int32Array(scope.size).fill(-1);
  await pace.through(nodes.length, (from, to) => {
    for (let entry = from; entry < to; entry++) entryOf[nodes[entry]!] = entry;
  });
  const starts = new Int32Array(nodes.length + 1);
  const upstreams = new GrowingInts(nodes.length);
  // The last entry that named each one as upstream, and where: an upstream that binds in several ways counts once.
  const namedBy = new Int32Array(nodes.length).fill(-1);
  const namedAt = new Int32Array(nodes.length);
  const { edges } = scope;
  const connect = (entry: number): void => {
    const node = nodes[entry]!;
    for (let range = edges.starts[node]!; range < edges.starts[node + 1]!; range++) {
      const orders = edges.role[range] === ROLE.ordering;
      for (let upstream = edges.from[range]!; upstream < edges.to[range]!; upstream++) {
        const other = entryOf[upstream]!;
        if (other === -1) continue;
        if (namedBy[other] !== entry) {
          namedBy[other] = entry;
          namedAt[other] = upstreams.length;
          // What only orders is complemented, hence negative, until all are known.
          upstreams.push(orders ? ~other : other);
        } else if (!orders) upstreams.set(namedAt[other]!, other);
      }
    }
    if (upstreams.length > MOST_EDGES) {
      throw tooLarge(`the plan has more than ${MOST_EDGES} dependencies between its entries`, MOST_EDGES);
    }
    starts[entry + 1] = upstreams.length;
  };
  await pace.through(nodes.length, (from, to) => {
    for (let entry = from; entry < to; entry++) connect(entry);
  });
  const values = upstreams.values();
  const ordering = new Uint8Array(values.length);
  await pace.through(values.length, (from, to) => {
    for (let edge = from; edge < to; edge++) {
      if (values[edge]! >= 0) continue;
      values[edge] = ~values[edge]!;
      ordering[edge] = 1;
    }
  });
  return { starts, upstreams: values, ordering };
}

function tooLarge(problem: string, limit: number): FlowStoneError {
  const message = `${problem}: ask for fewer assets or partitions at a time`;
  return new FlowStoneError('FLOWSTONE_PLAN_TOO_LARGE', message, { context: { limit } });
}
