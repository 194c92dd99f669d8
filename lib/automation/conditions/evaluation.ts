// One look of automation: which partitions it is about, what is recorded of them, and what is decided.
import { leavesOf } from '../../assets/condition.js';
import type { AutomationFacts } from '../../ledger/automation.records.js';
import type { AutomationLedger, PlaceOfAsset } from '../../ledger/automation.port.js';
import { NodeStates } from '../../planning/node-states.js';
import { OrdinalRanges } from '../../planning/ordinal-ranges.js';
import { Pace } from '../../planning/pace.js';
import type { PlanningFacts } from '../../planning/planning.port.js';
import type { PlanningModel } from '../../planning/planning-model.js';
import { openScope, type PlanningScope } from '../../planning/planning-scope.js';
import { eachRunOf, readLargeStates, STATE } from '../../planning/quick-status.js';
import { withDownstream, type Extent } from '../../planning/scope-extent.js';
import type { AutomatedAssets } from './assets.js';
import { decide, nodesInQuestion, type Decisions, type Question } from './decide.js';
import { flowKey, type Automated } from './decision.js';
import { FlowGate, type FlowFacts, type Quiet } from './flow.js';
import { clocksAt } from './truth.js';

/** Partitions whose facts are read at once. */
const READ_AT_ONCE = 5000;
/** So many partitions are requested at once at most. */
const MOST_REQUESTED = 5000;

/** Partitions of an asset by key, or all of them. */
export type Changes = ReadonlyMap<string, 'all' | ReadonlySet<string>>;

export interface Evaluated {
  readonly question: Question;
  readonly decisions: Decisions;
  /** When something may be decided otherwise though nothing changes; undefined: never. */
  readonly next: number | undefined;
}

/** What the evaluation reads. */
export interface EvaluationParts {
  readonly facts: PlanningFacts;
  readonly ledger: () => AutomationLedger;
  readonly quiet: Quiet;
}

/** Everything that has automation: of large assets what is not fresh, and what is computed by its age. */
export async function extentOfAll(
  model: PlanningModel,
  facts: PlanningFacts,
  assets: AutomatedAssets,
): Promise<Extent> {
  const extent = new Map<number, OrdinalRanges>();
  for (const [key, { automation }] of assets.byKey) {
    const index = model.indexOf(key);
    if (index === -1) continue;
    const { size } = model.setOf(index);
    const byAge = leavesOf(automation.when).some(({ kind }) => kind === 'older');
    const large = byAge ? undefined : await readLargeStates(model, facts, index);
    if (!large) {
      extent.set(index, OrdinalRanges.of([0, size]));
      continue;
    }
    const open: number[] = [];
    eachRunOf(large.states, (state, from, to) => {
      if (state !== STATE.fresh) open.push(from, to);
    });
    extent.set(index, OrdinalRanges.of(open));
  }
  return extent;
}

/** What changed, and all that may have to be computed since it did. */
export function extentOfChanges(model: PlanningModel, facts: PlanningFacts, changes: Changes): Promise<Extent> {
  const extent = new Map<number, OrdinalRanges>();
  for (const [key, partitions] of changes) {
    const index = model.indexOf(key);
    if (index === -1) continue;
    const set = model.setOf(index);
    if (partitions === 'all') extent.set(index, OrdinalRanges.of([0, set.size]));
    else {
      const ordinals = [...partitions].map((partition) => set.ordinalOf(partition)).filter((ordinal) => ordinal >= 0);
      extent.set(index, OrdinalRanges.of(ordinals.flatMap((ordinal) => [ordinal, ordinal + 1])));
    }
  }
  return withDownstream(model, extent, new Pace(facts), { ordering: true });
}

/** Decides about all of the extent, and all above it. */
export async function evaluate(
  model: PlanningModel,
  assets: AutomatedAssets,
  extent: Extent,
  { facts, ledger, quiet }: EvaluationParts,
): Promise<Evaluated> {
  const pace = new Pace(facts);
  const scope = await openScope(model, extent, pace);
  const states = await NodeStates.read(scope, facts, pace);
  const byIndex = new Map<number, Automated>();
  for (const [key, automated] of assets.byKey) byIndex.set(model.indexOf(key), automated);
  const automated = (index: number): Automated | undefined => byIndex.get(index);
  const nodes = nodesInQuestion({ scope, states, automated });
  const [factsOf, flow] = await Promise.all([
    readFacts(scope, nodes, ledger()),
    readFlow(assets, scope, ledger(), quiet, model.now),
  ]);
  const question: Question = {
    ...{ scope, states, automated, flow, now: model.now, clocks: clocksAt(model.now), most: MOST_REQUESTED },
    factsOf: (node) => factsOf.get(node),
  };
  const decisions = decide(question);
  return { question, decisions, next: nextLook(question, decisions, nodes) };
}

async function readFacts(
  scope: PlanningScope,
  nodes: readonly number[],
  ledger: AutomationLedger,
): Promise<ReadonlyMap<number, AutomationFacts>> {
  const found = new Map<number, AutomationFacts>();
  for (let at = 0; at < nodes.length; at += READ_AT_ONCE) {
    const part = nodes.slice(at, at + READ_AT_ONCE);
    const facts = await ledger.facts(part.map((node) => placeOf(scope, node)));
    facts.forEach((each, place) => found.set(part[place]!, each));
  }
  return found;
}

export function placeOf(scope: PlanningScope, node: number): PlaceOfAsset {
  return { asset: scope.assetKeyOf(node), partition: scope.partitionKeyOf(node) };
}

async function readFlow(
  assets: AutomatedAssets,
  scope: PlanningScope,
  ledger: AutomationLedger,
  quiet: Quiet,
  now: Date,
): Promise<FlowGate> {
  const bounded = scope.blocks.flatMap(({ asset }) => {
    const { key } = scope.model.assets[asset]!;
    const { throttle, concurrency } = assets.byKey.get(key)?.automation ?? {};
    return (throttle ?? concurrency) ? [key] : [];
  });
  const [flows, open] = await Promise.all([ledger.flows(bounded), ledger.openRequests(bounded)]);
  const requestedAt = new Map(flows.map(({ asset, key, requestedAt: at }) => [`${asset} ${key}`, at]));
  const opened = new Map<string, number>();
  for (const { asset, partition } of open) {
    const place = `${asset} ${flowKey(assets.byKey.get(asset)!, partition)}`;
    opened.set(place, (opened.get(place) ?? 0) + 1);
  }
  const factsOf = (asset: string, key: string): FlowFacts => {
    const place = `${asset} ${key}`;
    return { open: opened.get(place) ?? 0, requestedAt: requestedAt.get(place) ?? null };
  };
  return new FlowGate(factsOf, quiet, now);
}

function nextLook(question: Question, { byNode }: Decisions, nodes: readonly number[]): number | undefined {
  let next = Infinity;
  for (const { until } of byNode.values()) if (until) next = Math.min(next, until.getTime());
  for (const node of nodes) {
    const ages = leavesOf(question.automated(question.scope.blockOf(node).asset)?.automation.when ?? { kind: 'never' });
    const head = question.factsOf(node)?.head;
    if (!head) continue;
    for (const leaf of ages) {
      const due = leaf.kind === 'older' ? head.at.getTime() + leaf.than + 1 : Infinity;
      if (due > question.now.getTime()) next = Math.min(next, due);
    }
  }
  return next === Infinity ? undefined : next;
}
