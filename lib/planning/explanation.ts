// Finds the reasons why one node is stale or missing, by comparing recorded edges with what is there.
// Reads facts of this node and its direct upstreams only, and so is for showing, not for deciding.

import { declaredUpstreams } from './must-run.js';
import type { NodeStates } from './node-states.js';
import type { HeadFact, InputVersion, PlanningAsset, PlanningFacts } from './planning.port.js';
import { hasValue } from './planning.port.js';
import type { PlanningScope } from './planning-scope.js';
import type { StaleReason, VersionChange } from './reasons.js';
import { MOST_LISTED, reasonOf } from './reasons.js';
import { ROLE } from './scope-edges.js';

/** What one upstream asset offers a node now: versions by partition, and what of it is required and not fresh. */
interface Offer {
  readonly versions: Map<string, string>;
  readonly missing: Set<string>;
  readonly stale: Set<string>;
}

/** Why the node is not fresh; empty when it is. */
export async function explainNode(
  scope: PlanningScope,
  states: NodeStates,
  facts: PlanningFacts,
  node: number,
): Promise<StaleReason[]> {
  if (states.isFresh(node)) return [];
  const asset = scope.model.assets[scope.blockOf(node).asset]!;
  const partition = scope.partitionKeyOf(node);
  const [heads] = await facts.heads([{ asset: asset.key, partitions: [partition] }]);
  const head = heads!.get(partition);
  if (!hasValue(head)) return [reasonOf({ kind: 'missing', lost: head?.lost ?? null })];
  const offers = await readOffers(scope, states, facts, node);
  const consumed = (await facts.consumed([head.materialization])).get(head.materialization) ?? [];
  const reasons = [
    ...declarationReasons(asset, head),
    ...inputReasons(versionsByAsset(consumed), offers, recordedUpstreams(head)),
    ...transitiveReasons(offers),
  ];
  return reasons.length > 0 ? reasons : [reasonOf({ kind: 'inputs_changed' })];
}

/** Upstream asset keys as the head recorded them, undefined when it did not. */
function recordedUpstreams(head: HeadFact): ReadonlySet<string> | undefined {
  if (head.upstreams === null) return undefined;
  return new Set(head.upstreams === '' ? [] : head.upstreams.split(','));
}

function declarationReasons(asset: PlanningAsset, head: HeadFact): StaleReason[] {
  const reasons: StaleReason[] = [];
  if (asset.codeVersion !== undefined && asset.codeVersion !== head.codeVersion) {
    reasons.push(reasonOf({ kind: 'code_changed', from: head.codeVersion, to: asset.codeVersion }));
  }
  const recorded = recordedUpstreams(head);
  if (recorded !== undefined && head.upstreams !== declaredUpstreams(asset)) {
    const declared = new Set(asset.dependencies.filter(({ ordering }) => !ordering).map(({ upstream }) => upstream));
    const added = [...declared].filter((key) => !recorded.has(key));
    const removed = [...recorded].filter((key) => !declared.has(key));
    reasons.push(reasonOf({ kind: 'upstreams_changed', added, removed }));
  }
  if (head.invalidated) reasons.push(reasonOf({ kind: 'invalidated' }));
  return reasons;
}

async function readOffers(
  scope: PlanningScope,
  states: NodeStates,
  facts: PlanningFacts,
  node: number,
): Promise<Map<string, Offer>> {
  const offers = new Map<string, Offer>();
  for (const { declared } of scope.model.dependenciesOf(scope.blockOf(node).asset)) {
    if (declared.ordering) continue;
    offers.set(declared.upstream, { versions: new Map(), missing: new Set(), stale: new Set() });
  }
  const wanted = new Map<string, Set<string>>();
  scope.eachUpstream(node, (upstream, role) => {
    if (role === ROLE.ordering) return;
    const key = scope.assetKeyOf(upstream);
    const partition = scope.partitionKeyOf(upstream);
    const state = states.stateOf(upstream);
    if (role === ROLE.required && state !== 'fresh') offers.get(key)![state].add(partition);
    if (!states.hasValue(upstream)) return;
    if (!wanted.has(key)) wanted.set(key, new Set());
    wanted.get(key)!.add(partition);
  });
  const queries = Array.from(wanted, ([asset, partitions]) => ({ asset, partitions: [...partitions] }));
  const found = await facts.heads(queries);
  queries.forEach(({ asset }, index) => {
    for (const [partition, head] of found[index]!) {
      if (hasValue(head)) offers.get(asset)!.versions.set(partition, head.dataVersion ?? '');
    }
  });
  return offers;
}

function versionsByAsset(consumed: readonly InputVersion[]): Map<string, Map<string, string>> {
  const versions = new Map<string, Map<string, string>>();
  for (const { asset, partition, dataVersion } of consumed) {
    if (!versions.has(asset)) versions.set(asset, new Map());
    versions.get(asset)!.set(partition, dataVersion);
  }
  return versions;
}

/** Differences between what was consumed and what is offered, for upstreams that were and are declared. */
function inputReasons(
  consumed: ReadonlyMap<string, ReadonlyMap<string, string>>,
  offers: ReadonlyMap<string, Offer>,
  recorded: ReadonlySet<string> | undefined,
): StaleReason[] {
  const reasons: StaleReason[] = [];
  for (const [asset, { versions, missing }] of offers) {
    if (recorded !== undefined && !recorded.has(asset)) continue;
    const before = consumed.get(asset) ?? new Map<string, string>();
    const changes: VersionChange[] = [];
    const added: string[] = [];
    for (const [partition, to] of versions) {
      const from = before.get(partition);
      if (from === undefined) added.push(partition);
      else if (from !== to) changes.push({ partition, from, to });
    }
    // What is missing only for now is told as such, not as no longer consumed.
    const removed = [...before.keys()].filter((partition) => !versions.has(partition) && !missing.has(partition));
    if (changes.length > 0) {
      const listed = changes.slice(0, MOST_LISTED);
      reasons.push(reasonOf({ kind: 'upstream_changed', asset, changes: listed, count: changes.length }));
    }
    reasons.push(...listReason('partitions_added', asset, added), ...listReason('partitions_removed', asset, removed));
  }
  return reasons;
}

function transitiveReasons(offers: ReadonlyMap<string, Offer>): StaleReason[] {
  return [...offers].flatMap(([asset, { missing, stale }]) => [
    ...listReason('upstream_missing', asset, [...missing]),
    ...listReason('upstream_stale', asset, [...stale]),
  ]);
}

function listReason(
  kind: 'partitions_added' | 'partitions_removed' | 'upstream_stale' | 'upstream_missing',
  asset: string,
  partitions: readonly string[],
): StaleReason[] {
  if (partitions.length === 0) return [];
  return [reasonOf({ kind, asset, partitions: partitions.slice(0, MOST_LISTED), count: partitions.length })];
}
