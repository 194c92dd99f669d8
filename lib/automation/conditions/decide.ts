// What automation does about each partition that is not fresh, and why not: one pass from upstream to downstream over
// what is recorded. It requests nothing itself (reconciler.ts).
import type { DeclaredAsset } from '../../assets/asset.definition.js';
import type { AutomationFacts, Combination } from '../../ledger/automation.records.js';
import { combinationOf, isSameCombination } from '../../planning/combination.js';
import type { NodeStates } from '../../planning/node-states.js';
import type { PlanningScope } from '../../planning/planning-scope.js';
import type { ScopeBlock } from '../../planning/scope-edges.js';
import { ROLE } from '../../planning/scope-edges.js';
import { namePartitions } from '../../planning/reasons.js';
import { leavesOf } from '../../assets/condition.js';
import { flowKey, type Automated, type Decision } from './decision.js';
import type { FlowGate } from './flow.js';
import { explainTruth, holds, type Clocks, type Standing, type Subject, type Truth } from './truth.js';

/** What is decided upon. */
export interface Question {
  readonly scope: PlanningScope;
  readonly states: NodeStates;
  /** Undefined: the asset has no automation. By the index of the asset. */
  automated(asset: number): Automated | undefined;
  /** Of the nodes that {@link nodesInQuestion} names. */
  readonly factsOf: (node: number) => AutomationFacts | undefined;
  /** Whether its checks have passed of the value that is there: of what conditions ask that of. */
  readonly isChecked: (node: number) => boolean;
  readonly clocks: Clocks;
  readonly now: Date;
  readonly flow: FlowGate;
  /** So many are requested at once; the rest has its turn next. */
  readonly most: number;
}

/** A partition to request, with what it would be computed from. */
export interface Requested {
  readonly node: number;
  readonly combination: Combination;
  readonly tick: Date | null;
}

export interface Decisions {
  /** In topological order. */
  readonly requested: readonly Requested[];
  /** Those that are to be computed though they are fresh. */
  readonly forced: readonly Requested[];
  /** Due at a tick, and not requested yet. */
  readonly due: readonly Requested[];
  /** Fresh now: what was noted of their requests is done. */
  readonly settled: readonly number[];
  readonly byNode: ReadonlyMap<number, Decision>;
}

/** The nodes about which facts are needed: what is not fresh, and what is computed by its age. */
export function nodesInQuestion({
  scope,
  states,
  automated,
}: Pick<Question, 'scope' | 'states' | 'automated'>): number[] {
  const nodes: number[] = [];
  for (const { asset, start, ranges } of scope.blocks) {
    if (scope.model.assets[asset]!.external) continue;
    const byAge = ages(automated(asset));
    for (let node = start; node < start + ranges.size; node++) if (byAge || !states.isFresh(node)) nodes.push(node);
  }
  return nodes;
}

function ages(automated: Automated | undefined): boolean {
  return automated !== undefined && leavesOf(automated.automation.when).some(({ kind }) => kind === 'older');
}

/** Decides about all nodes of the scope. */
export function decide(question: Question): Decisions {
  return new Pass(question).run();
}

/** The codes of failures by which people refused. */
const REJECTED = new Set(['FLOWSTONE_CHECKPOINT_REJECTED']);

class Pass {
  /** Whether a node is there, or is computed by what is requested now. */
  readonly #comes: Uint8Array;
  readonly #byNode = new Map<number, Decision>();
  readonly #requested = new Map<number, Requested>();
  readonly #forced: Requested[] = [];
  readonly #due: Requested[] = [];
  readonly #settled: number[] = [];
  /** Nodes without automation that could be computed if something needs them. */
  readonly #ondemand = new Set<number>();
  readonly #blockers: Blocker[] = [];

  constructor(private readonly question: Question) {
    this.#comes = new Uint8Array(question.scope.size);
  }

  run(): Decisions {
    const { question } = this;
    const { scope, states } = question;
    let block = scope.blocks[0];
    let asset: Automated | undefined;
    let external = false;
    for (const [place, node] of scope.order.entries()) {
      const found = scope.blockOf(node);
      if (found !== block || place === 0) {
        block = found;
        asset = question.automated(block.asset);
        external = scope.model.assets[block.asset]!.external;
      }
      if (external) this.#comes[node] = 1;
      else if (asset) this.#judge(node, block, asset);
      else if (states.isFresh(node)) this.#comes[node] = 1;
      else this.#judgeOnDemand(node, block);
    }
    this.#takeAlong();
    const requested = [...scope.order].flatMap((node) => this.#requested.get(node) ?? []);
    return { requested, forced: this.#forced, due: this.#due, settled: this.#settled, byNode: this.#byNode };
  }

  #judge(node: number, block: ScopeBlock, asset: Automated): void {
    const { states, clocks, flow } = this.question;
    const { automation } = asset;
    const fresh = states.isFresh(node);
    const facts = this.question.factsOf(node);
    if (fresh) this.#comes[node] = 1;
    if (fresh && facts?.request && !facts.open) this.#settled.push(node);
    const subject = subjectOf(this.question, node, block, asset);
    // What is fresh is computed again by its age alone.
    const wanted = holds(automation.when, subject, clocks) && !(fresh && holds(automation.when, subject, clocks, true));
    if (!wanted) {
      if (!fresh) this.#byNode.set(node, { kind: 'not_wanted', message: 'its condition does not hold' });
      return;
    }
    const combination = this.#combinationOf(node, block);
    const tick = subject.tick === undefined ? null : new Date(subject.tick);
    const partition = this.question.scope.partitionKeyOf(node);
    const key = flowKey(asset, partition);
    const obstacle =
      (asset.paused ? { kind: 'paused' as const, message: 'a person paused its automation' } : undefined) ??
      this.#inHand(facts) ??
      this.#blocked(node, block) ??
      this.#held(node, facts, combination, automation.retryAfter) ??
      flow.obstacle(asset, key, partition, combination) ??
      this.#crowded();
    if (obstacle) {
      this.#byNode.set(node, obstacle);
      if (tick !== null && facts?.request?.tick?.getTime() !== tick.getTime())
        this.#due.push({ node, combination, tick });
      return;
    }
    flow.take(asset, key);
    this.#byNode.set(node, { kind: 'requested', message: 'it is requested' });
    if (fresh) this.#forced.push({ node, combination, tick });
    else {
      this.#requested.set(node, { node, combination, tick });
      this.#comes[node] = 1;
    }
  }

  #judgeOnDemand(node: number, block: ScopeBlock): void {
    const facts = this.question.factsOf(node);
    const obstacle =
      this.#inHand(facts) ??
      this.#blocked(node, block) ??
      this.#held(node, facts, this.#combinationOf(node, block), undefined);
    if (obstacle) {
      this.#byNode.set(node, obstacle);
      return;
    }
    this.#comes[node] = 1;
    this.#ondemand.add(node);
  }

  /** What has no automation of its own is computed for what needs it. */
  #takeAlong(): void {
    const { scope } = this.question;
    const open = [...this.#requested.keys()];
    for (let node = open.pop(); node !== undefined; node = open.pop()) {
      scope.eachUpstream(node, (upstream, role) => {
        if (role === ROLE.optional || !this.#ondemand.has(upstream) || this.#requested.has(upstream)) return;
        if (role === ROLE.ordering && this.question.states.hasValue(upstream)) return;
        const combination = this.#combinationOf(upstream, scope.blockOf(upstream));
        this.#requested.set(upstream, { node: upstream, combination, tick: null });
        this.#byNode.set(upstream, { kind: 'upstream_of', message: 'it is requested for what depends on it' });
        open.push(upstream);
      });
    }
  }

  #crowded(): Decision | undefined {
    if (this.#requested.size + this.#forced.length < this.question.most) return undefined;
    return { kind: 'turn', message: 'it is requested next: many are' };
  }

  #inHand(facts: AutomationFacts | undefined): Decision | undefined {
    if (facts?.request?.runStatus === 'planning') {
      const { run } = facts.request;
      return { kind: 'open', message: `it is being planned in run ${run}`, ...(run !== null && { run }) };
    }
    if (!facts?.open) return undefined;
    const { run, status } = facts.open;
    const what = status === 'waiting_approval' ? 'waits for a decision in' : `is ${status} in`;
    return { kind: 'open', message: `it ${what} run ${run}`, run };
  }

  #blocked(node: number, { asset, start, ranges }: ScopeBlock): Decision | undefined {
    const { scope, states } = this.question;
    const ordinal = ranges.ordinalAt(node - start);
    for (const { declared, mapping } of scope.model.dependenciesOf(asset)) {
      const [absent] = declared.optional ? [] : mapping.missingOf(ordinal);
      if (absent === undefined) continue;
      const name = namePartitions(declared.upstream, [absent], 1);
      return { kind: 'upstream', message: `it waits for upstream ${name}, which does not exist` };
    }
    const blocker = this.#blockerOf(node);
    if (blocker === undefined) return undefined;
    const name = namePartitions(scope.assetKeyOf(blocker), [scope.partitionKeyOf(blocker)], 1);
    const why = this.#byNode.get(blocker);
    const state = `is ${states.stateOf(blocker)}`;
    return {
      kind: 'upstream',
      message: `it waits for upstream ${name}, which ${state}${why ? `: ${why.message}` : ''}`,
    };
  }

  /** The first upstream that does not come. */
  #blockerOf(node: number): number | undefined {
    const { scope, states } = this.question;
    const { starts, from, to, role } = scope.edges;
    for (let range = starts[node]!, slot = 0; range < starts[node + 1]!; range++, slot++) {
      if (role[range] === ROLE.optional) continue;
      const ordering = role[range] === ROLE.ordering;
      // The next partition often consumes the same range.
      const known = this.#blockers[slot];
      const same =
        known !== undefined && known.from === from[range] && known.to === to[range] && known.ordering === ordering;
      let blocker = same ? known.blocker : -1;
      for (let upstream = from[range]!; !same && blocker < 0 && upstream < to[range]!; upstream++) {
        if (this.#comes[upstream] === 0 && !(ordering && states.hasValue(upstream))) blocker = upstream;
      }
      this.#blockers[slot] = { from: from[range]!, to: to[range]!, ordering, blocker };
      if (blocker >= 0) return blocker;
    }
    return undefined;
  }

  /** What it ended with last says that it would end so again. */
  #held(
    node: number,
    facts: AutomationFacts | undefined,
    combination: Combination,
    retryAfter: number | undefined,
  ): Decision | undefined {
    const { ended, request, head } = facts ?? {};
    const { runStatus } = request ?? {};
    if (
      request?.run != null &&
      runStatus &&
      request.run !== ended?.run &&
      isSameCombination(request.combination, combination)
    ) {
      // It ended without a word of this partition: it could not be planned.
      const later = this.question.states.differs(node) && (!ended || ended.at < request.at);
      if (later && !head?.invalidated && runStatus !== 'planning' && runStatus !== 'running') {
        return {
          kind: 'failed',
          message: `run ${request.run} ended ${runStatus} and did not compute it`,
          run: request.run,
        };
      }
    }
    if (!ended || ended.run === null) return undefined;
    const requested = request?.run === ended.run && isSameCombination(request.combination, combination);
    if (ended.status === 'success' || ended.status === 'skipped') {
      const isHead = head?.materialization === ended.materialization && !head.invalidated;
      // What is above it may be stale again.
      if (!requested || !isHead || !this.question.states.differs(node)) return undefined;
      const message = `it was computed from the same inputs, code and definition in run ${ended.run}, and is not fresh all the same`;
      return { kind: 'unchanged', message, run: ended.run };
    }
    if (ended.status !== 'failed' && ended.status !== 'cancelled') return undefined;
    const same = ended.combination ? isSameCombination(ended.combination, combination) : requested;
    if (!same) return undefined;
    const until = retryAfter === undefined ? undefined : new Date(ended.at.getTime() + retryAfter);
    if (until && until <= this.question.now) return undefined;
    const kind = ended.status === 'cancelled' ? 'cancelled' : REJECTED.has(ended.code ?? '') ? 'rejected' : 'failed';
    const next = until ? `, and is requested again at ${until.toISOString()}` : '';
    const word = kind === 'cancelled' ? 'was cancelled' : kind === 'rejected' ? 'was rejected' : 'failed';
    const message = `it ${word} with these inputs in run ${ended.run}${next}`;
    return { kind, message, run: ended.run, ...(until && { until }) };
  }

  #combinationOf(node: number, { asset }: ScopeBlock): Combination {
    const { scope, states } = this.question;
    return combinationOf(scope.model.assets[asset]! as DeclaredAsset, states.offeredTo(node));
  }
}

/** The condition of a node's asset, and which of its parts hold. */
export function explainDecision(question: Question, node: number): Truth {
  const block = question.scope.blockOf(node);
  const asset = question.automated(block.asset)!;
  return explainTruth(asset.automation.when, subjectOf(question, node, block, asset), question.clocks);
}

function subjectOf(
  { scope, states, now, factsOf, isChecked }: Question,
  node: number,
  { asset, start, ranges }: ScopeBlock,
  { lastTick, attendedTo }: Automated,
): Subject & { tick: number | undefined } {
  const facts = factsOf(node);
  const standing = (of: number): Standing => ({
    state: states.stateOf(of),
    failed: states.hasFailed(of),
    checked: isChecked(of),
  });
  const subject = {
    ...standing(node),
    age: facts?.head ? now.getTime() - facts.head.at.getTime() : undefined,
    /** The tick by which it is due, if it is. */
    tick: undefined as number | undefined,
    *upstreams() {
      const { starts, from, to, role } = scope.edges;
      const dependencies = scope.model.dependenciesOf(asset);
      for (let range = starts[node]!; range < starts[node + 1]!; range++) {
        if (role[range] === ROLE.ordering) continue;
        const upstreamAsset = scope.blockOf(from[range]!).asset;
        const aliases = dependencies.filter(({ upstream }) => upstream === upstreamAsset);
        for (let upstream = from[range]!; upstream < to[range]!; upstream++) {
          for (const { declared } of aliases) {
            yield { ...standing(upstream), alias: (declared as { readonly alias: string }).alias };
          }
        }
      }
    },
    isDue(cron: string, timeZone: string): boolean {
      const tick = lastTick(cron, timeZone);
      if (tick === undefined) return false;
      const due = tick > (attendedTo(cron, timeZone) ?? Infinity) || facts?.request?.tick?.getTime() === tick;
      if (due) subject.tick = Math.max(subject.tick ?? tick, tick);
      return due;
    },
    isNewest: (count: number) => ranges.ordinalAt(node - start) >= scope.model.setOf(asset).size - count,
  };
  return subject;
}

interface Blocker {
  readonly from: number;
  readonly to: number;
  readonly ordering: boolean;
  /** -1: there is none. */
  readonly blocker: number;
}
