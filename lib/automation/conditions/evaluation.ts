// One look of automation: which partitions it is about, what is recorded of them, and what is decided.
import type { DeclaredAsset } from '../../assets/asset.definition.js';
import { leavesOf } from '../../assets/condition.js';
import type { CheckLedger } from '../../ledger/checks.port.js';
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
import { isOutage } from '../../runs/patience.js';
import { FlowGate, type FlowFacts, type Quiet } from './flow.js';
import { readChecked } from './checked.js';
import { clocksAt } from './truth.js';
import type { Windows } from './windows.js';

/** Partitions whose facts are read at once. */
const READ_AT_ONCE = 5000;
/** So many partitions are requested at once at most. */
const MOST_REQUESTED = 5000;

/** Partitions of an asset by key, or all of them. */
export type Changes = ReadonlyMap<string, 'all' | ReadonlySet<string>>;

export interface Evaluated {
  readonly question: Question;
  readonly decisions: Decisions;
  /** Assets that were asked about. */
  readonly looked: ReadonlySet<string>;
  /** By asset, when something of it may be decided otherwise though nothing changes. */
  readonly looks: ReadonlyMap<string, number>;
  /** Assets of which something waits until others of the same key have ended. */
  readonly crowded: ReadonlySet<string>;
}

/** What the evaluation reads. */
export interface EvaluationParts {
  readonly facts: PlanningFacts;
  readonly ledger: () => AutomationLedger;
  readonly quiet: Quiet;
  readonly checks: () => Pick<CheckLedger, 'latest'>;
  /** All that is declared. */
  readonly definitions: () => readonly DeclaredAsset[];
}

/** What extents are made by. */
export interface ExtentParts {
  readonly facts: PlanningFacts;
  readonly windows: Windows;
  /** An asset cannot be looked at. */
  readonly failed: (error: unknown) => void;
}

/** Everything that has automation, as far as it is looked at in one pass. */
export function extentOfAll(model: PlanningModel, assets: AutomatedAssets, parts: ExtentParts): Promise<Extent> {
  return extentOf(model, assets, new Map([...assets.byKey.keys()].map((key) => [key, 'all'])), parts);
}

async function extentOf(
  model: PlanningModel,
  assets: AutomatedAssets,
  changes: Changes,
  { facts, windows, failed }: ExtentParts,
): Promise<Extent> {
  const extent = new Map<number, OrdinalRanges>();
  for (const [key, partitions] of changes) {
    const index = model.indexOf(key);
    if (index === -1) continue;
    try {
      const all = partitions === 'all' ? await inQuestion(model, facts, assets, key) : named(model, index, partitions);
      extent.set(index, partitions === 'all' ? windows.take(key, all, assets.tickOf(key)) : all);
    } catch (error) {
      // Its partitions cannot be told, which is nobody else's business.
      if (isOutage(error)) throw error;
      failed(error);
    }
  }
  return extent;
}

function named(model: PlanningModel, index: number, partitions: ReadonlySet<string>): OrdinalRanges {
  const set = model.setOf(index);
  const ordinals = [...partitions].map((partition) => set.ordinalOf(partition)).filter((ordinal) => ordinal >= 0);
  return OrdinalRanges.of(ordinals.flatMap((ordinal) => [ordinal, ordinal + 1]));
}

/** Of a large asset what is not fresh, unless it is computed by its age; of others all. */
async function inQuestion(
  model: PlanningModel,
  facts: PlanningFacts,
  assets: AutomatedAssets,
  key: string,
): Promise<OrdinalRanges> {
  const index = model.requireIndex(key);
  const when = assets.byKey.get(key)?.automation.when;
  const byAge = when !== undefined && leavesOf(when).some(({ kind }) => kind === 'older');
  const large = byAge ? undefined : await readLargeStates(model, facts, index);
  if (!large) return OrdinalRanges.of([0, model.setOf(index).size]);
  const open: number[] = [];
  eachRunOf(large.states, (state, from, to) => {
    if (state !== STATE.fresh) open.push(from, to);
  });
  return OrdinalRanges.of(open);
}

/** What changed, and all that may have to be computed since it did. */
export async function extentOfChanges(
  model: PlanningModel,
  assets: AutomatedAssets,
  changes: Changes,
  parts: ExtentParts,
): Promise<Extent> {
  const extent = await extentOf(model, assets, changes, parts);
  return withDownstream(model, extent, new Pace(parts.facts), { ordering: true });
}

/** Decides about all of the extent, and all above it. */
export async function evaluate(
  model: PlanningModel,
  assets: AutomatedAssets,
  extent: Extent,
  { facts, ledger, quiet, checks, definitions }: EvaluationParts,
): Promise<Evaluated> {
  const pace = new Pace(facts);
  const scope = await openScope(model, extent, pace);
  const states = await NodeStates.read(scope, facts, pace);
  const byIndex = new Map<number, Automated>();
  for (const [key, automated] of assets.byKey) byIndex.set(model.indexOf(key), automated);
  const automated = (index: number): Automated | undefined => byIndex.get(index);
  const nodes = nodesInQuestion({ scope, states, automated });
  const [factsOf, flow, isChecked] = await Promise.all([
    readFacts(scope, nodes, ledger()),
    readFlow(assets, scope, ledger(), quiet, model.now),
    readChecked({ scope, states, automated }, nodes, checks(), definitions()),
  ]);
  const question: Question = {
    ...{ scope, states, automated, flow, isChecked, now: model.now, clocks: clocksAt(model.now), most: MOST_REQUESTED },
    factsOf: (node) => factsOf.get(node),
  };
  const decisions = decide(question);
  const crowded = [...decisions.byNode].filter(([, { kind }]) => kind === 'concurrency');
  return {
    ...{ question, decisions, looks: nextLooks(question, decisions, nodes) },
    looked: new Set([...extent.keys()].map((asset) => model.assets[asset]!.key)),
    crowded: new Set(crowded.map(([node]) => scope.assetKeyOf(node))),
  };
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

/** By asset, when it is to be looked at again. */
function nextLooks(question: Question, { byNode }: Decisions, nodes: readonly number[]): ReadonlyMap<string, number> {
  const { scope, now } = question;
  const looks = new Map<string, number>();
  const look = (asset: string, at: number): void => void looks.set(asset, Math.min(looks.get(asset) ?? Infinity, at));
  for (const [node, { until }] of byNode) if (until) look(scope.assetKeyOf(node), until.getTime());
  for (const node of nodes) {
    const head = question.factsOf(node)?.head;
    const condition = question.automated(scope.blockOf(node).asset)?.automation.when;
    if (!head || !condition) continue;
    for (const leaf of leavesOf(condition)) {
      const due = leaf.kind === 'older' ? head.at.getTime() + leaf.than + 1 : -Infinity;
      if (due > now.getTime()) look(scope.assetKeyOf(node), due);
    }
  }
  return looks;
}
