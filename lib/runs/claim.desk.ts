// The look-again: what each claimed materialization would consume now, pinned, and whether that makes it run.
import type { AssetDefinition } from '../assets/asset.definition.js';
import type { AssetRegistry } from '../assets/asset.registry.js';
import type { SignalTokens } from '../checkpoints/signal.tokens.js';
import { FlowStoneError } from '../flowstone.errors.js';
import type { AssetPartitions, Ledger } from '../ledger/ledger.port.js';
import type { Claim, DueDeadline } from '../ledger/work.js';
import type { HeadRecord } from '../ledger/records.js';
import { combinationOf } from '../planning/combination.js';
import { inputsFingerprint } from '../planning/inputs-fingerprint.js';
import { mustRun } from '../planning/must-run.js';
import type { InputVersion } from '../planning/planning.port.js';
import type { PlanningModel } from '../planning/planning-model.js';
import { AssetViews, type AssetView } from './asset.view.js';
import { decideAfterClaim, decideAfterFailure, NO_RETRY, type RetryRule } from './attempt.machine.js';
import type { AttemptHost } from './attempt.host.js';
import type { Catalogue } from './catalogue.js';
import { DecisionDesk, type Asking } from './decision.desk.js';
import type { MakeExecution } from './execution.js';
import type { ClaimDesk, Examined, Execution, Finished } from './execution.port.js';
import { errorRecord, placeName, wrapUserError, type Failure, type FailurePlace } from './failure.js';
import type { Pin, PinnedDependency } from './input.loader.js';
import { headFact, type LostValue } from './ledger.facts.js';
import { isOutage } from './patience.js';
import type { PartitionMoments } from './partition.moments.js';
import type { PlacedClaim, Want, Wanting } from './placed.claim.js';
import type { Presence } from './presence.js';
import { limitsOf, timedOut } from './timed-out.js';

/** Missing inputs that a message names. */
const NAMED_AT_MOST = 10;

export class LookAgainDesk implements ClaimDesk {
  readonly #views: AssetViews;
  readonly #decisions: DecisionDesk;
  /** Assets that others only have to come after. */
  readonly #awaited: ReadonlySet<string>;

  constructor(
    private readonly ledger: Pick<Ledger, 'approvals' | 'heads'>,
    private readonly registry: AssetRegistry,
    private readonly catalogue: Pick<Catalogue, 'find'>,
    private readonly moments: PartitionMoments,
    private readonly presence: Presence,
    private readonly host: AttemptHost,
    private readonly lostValue: LostValue,
    tokens: SignalTokens,
    private readonly execution: MakeExecution,
  ) {
    this.#decisions = new DecisionDesk(ledger, host, tokens, execution);
    this.#views = new AssetViews(registry);
    const all = registry.definitions.flatMap(({ dependencies }) => dependencies);
    this.#awaited = new Set(all.filter(({ ordering }) => ordering).map(({ upstream }) => upstream));
  }

  apart(claims: readonly Claim[]): readonly (readonly Claim[])[] {
    const waiting = this.moments.withCustomKeys(claims.map(({ asset }) => asset));
    if (waiting.size === 0) return [claims];
    const groups = [...waiting].map((asset) => claims.filter((claim) => claim.asset === asset));
    const others = claims.filter(({ asset }) => !waiting.has(asset));
    return others.length > 0 ? [others, ...groups] : groups;
  }

  async examine(claims: readonly Claim[]): Promise<Examined> {
    try {
      return await this.#examine(claims);
    } catch (error) {
      if (isOutage(error)) throw error;
      // Claimed and forgotten they would never end: the one that cannot be examined fails, the others go on.
      if (claims.length === 1) return { executions: [], settled: [this.#unexamined(claims[0]!, error)] };
      const each = await Promise.all(claims.map((claim) => this.examine([claim])));
      return {
        executions: each.flatMap(({ executions }) => executions),
        settled: each.flatMap(({ settled }) => settled),
      };
    }
  }

  async #examine(claims: readonly Claim[]): Promise<Examined> {
    const executions: Execution[] = [];
    const settled: Finished[] = [];
    const wanted: Wanting[] = [];
    for (const placed of await this.#place(claims)) {
      if (placed.view.counts) wanted.push({ ...placed, wants: this.#wantsOf(placed) });
      else {
        // A worker with a newer definition entered since the claim: it is for that one.
        const { id, epoch, run } = placed.claim;
        settled.push({ run, outcome: { kind: 'handed_back', id, epoch } });
      }
    }
    const { open, examined: decided, asking } = await this.#decisions.examine(wanted);
    executions.push(...decided.executions);
    settled.push(...decided.settled);
    const heads = await this.#readHeads(open);
    for (const wanting of open) {
      const examined = this.#decide(wanting, heads, asking);
      if ('outcome' in examined) settled.push(examined);
      else executions.push(examined);
    }
    return { executions, settled };
  }

  succeeded({ asset, partition }: Claim): void {
    if (this.#awaited.has(asset)) this.presence.saw(asset, partition);
  }

  refused({ claim, failure }: Finished, error: FlowStoneError): Failure | undefined {
    const place = failure ?? (claim && placeOf(claim, this.registry.require(claim.asset).definition));
    return place && { ...place, error, retrying: false };
  }

  // By the definition that counts, since it may be another process's attempt, of an asset that this one has not.
  afterTimeout(due: DueDeadline): Finished | undefined {
    const declared = this.catalogue.find(due.asset);
    return declared && { run: due.run, ...timedOut(due, limitsOf(declared), this.host.random()) };
  }

  #unexamined(claim: Claim, thrown: unknown): Finished {
    const { definition } = this.registry.require(claim.asset);
    const place = placeOf(claim, definition);
    return this.#failed(claim, place, wrapUserError(thrown, place), definition.retry);
  }

  #failed(
    { id, epoch, run, attempt, rescues }: Pick<Claim, 'id' | 'epoch' | 'run' | 'attempt' | 'rescues'>,
    place: FailurePlace,
    error: FlowStoneError,
    rule: RetryRule = NO_RETRY,
  ): Finished {
    const record = errorRecord(error);
    const decision = decideAfterFailure({ error: record, attempt, rescues, rule, random: this.host.random() });
    const failure = { ...place, error, retrying: decision.kind === 'retry' };
    if (decision.kind === 'retry') return { run, failure, outcome: { ...decision, id, epoch, error: record } };
    return { run, failure, outcome: { kind: 'failed', id, epoch, error: record, startedAt: null } };
  }

  /** A claim may name a partition that appeared, or a definition that counts, after the model was made. */
  async #place(claims: readonly Claim[]): Promise<readonly PlacedClaim[]> {
    const assets = new Set(claims.map(({ asset }) => asset));
    const placed = this.#placeIn(await this.moments.recent(assets), claims);
    const known = placed.every(({ view, ordinal }) => view.counts && ordinal >= 0);
    return known ? placed : this.#placeIn(await this.moments.fresh({ assets }), claims);
  }

  #placeIn(model: PlanningModel, claims: readonly Claim[]): PlacedClaim[] {
    return claims.map((claim) => {
      const view = this.#views.of(model, claim.asset);
      return { claim, view, ordinal: view.counts ? view.partitions.ordinalOf(claim.partition) : -1 };
    });
  }

  #wantsOf({ view, ordinal }: PlacedClaim): readonly Want[] {
    return view.dependencies.map((of): Want => {
      if (ordinal < 0) return { of, partitions: NONE, absent: NONE };
      const { upstream, ordering } = of.dependency;
      const partitions: string[] = [];
      of.mapping.upstreamOf(ordinal, (from, to) => {
        for (let at = from; at < to; at++) {
          const key = of.partitions.keyAt(at);
          if (!ordering || !this.presence.has(upstream, key)) partitions.push(key);
        }
      });
      return { of, partitions, absent: of.mapping.missingOf(ordinal) };
    });
  }

  async #readHeads(wanting: readonly Wanting[]): Promise<Heads> {
    const byAsset = new Map<string, Set<string>>();
    for (const { wants } of wanting) {
      for (const { of, partitions } of wants) {
        if (partitions.length === 0) continue;
        const { upstream } = of.dependency;
        let known = byAsset.get(upstream);
        if (!known) byAsset.set(upstream, (known = new Set()));
        for (const partition of partitions) known.add(partition);
      }
    }
    if (byAsset.size === 0) return new Map();
    const queries: AssetPartitions[] = [...byAsset].map(([asset, partitions]) => ({
      asset,
      partitions: [...partitions],
    }));
    const found = await this.ledger.heads(queries);
    return new Map(queries.map(({ asset }, index) => [asset, found[index]!]));
  }

  #decide({ claim, view, ordinal, wants }: Wanting, heads: Heads, asking: Asking): Execution | Finished {
    const { definition, partitions, upstreams } = view;
    const pinned = wants.map((want) => this.#pin(want, heads.get(want.of.dependency.upstream)));
    const dependencies = pinned.filter(({ dependency }) => !dependency.ordering);
    const versions = consumedVersions(dependencies);
    const lacking = ordinal < 0 && wants.length > 0 ? retired(claim) : missingInput(claim, view, wants, pinned);
    const missing = lacking && errorRecord(lacking);
    const forced = claim.forced && !isRecent(claim);
    const decision = decideAfterClaim({
      claim: { joined: claim.joined, forced },
      // What is forced is not compared.
      differs: forced || missing !== undefined || mustRun(definition, headFact(claim.head, this.lostValue), versions),
      missing,
    });
    const { id, epoch, run } = claim;
    if (decision.kind === 'skip') {
      return { run, outcome: { kind: 'skipped', id, epoch, reason: decision.reason, joined: decision.joined } };
    }
    if (decision.kind === 'fail') {
      const combination = combinationOf(definition, inputsFingerprint(versions));
      const outcome = { kind: 'failed', id, epoch, error: decision.error, startedAt: null, combination } as const;
      // The failure of a holder was told when that failed.
      if (!lacking || decision.error !== missing) return { run, outcome };
      return { run, outcome, failure: { ...placeOf(claim, definition), error: lacking, retrying: false } };
    }
    const executable = asking(view, claim);
    const inputs = inputsFingerprint(versions);
    const prepared = { claim, definition, executable, dependencies, inputs, upstreams, partitions, ordinal };
    return this.execution(this.host, prepared);
  }

  #pin({ of, partitions }: Want, heads: ReadonlyMap<string, HeadRecord> | undefined): PinnedDependency {
    const { dependency, mapping, partitioned } = of;
    const asset = dependency.upstream;
    const pins = partitions.map((partition): Pin => {
      const found = heads?.get(partition);
      const head = found && this.#hasValue(found) ? found : undefined;
      if (head && dependency.ordering) this.presence.saw(asset, partition);
      return { asset, partition: partitioned ? partition : undefined, head };
    });
    return { dependency, cardinality: mapping.cardinality, pins };
  }

  #hasValue({ materialization, value }: HeadRecord): boolean {
    return materialization !== null && (value === null || this.lostValue(value) === undefined);
  }
}

/** Heads by asset and partition. */
type Heads = ReadonlyMap<string, ReadonlyMap<string, HeadRecord>>;

const NONE: readonly never[] = [];

function consumedVersions(dependencies: readonly PinnedDependency[]): readonly InputVersion[] {
  if (dependencies.length === 0) return NONE;
  const versions: InputVersion[] = [];
  for (const { pins } of dependencies) {
    for (const { asset, partition, head } of pins) {
      if (head) versions.push({ asset, partition: partition ?? '', dataVersion: head.dataVersion! });
    }
  }
  return versions;
}

/** A forced request of ensure() is met by a head that is recent enough. */
function isRecent({ forceMaxAge, head, claimedAt }: Claim): boolean {
  if (forceMaxAge === null || head.completedAt === null) return false;
  return claimedAt.getTime() - head.completedAt.getTime() <= forceMaxAge;
}

function placeOf(
  { run, asset, partition, attempt }: Pick<Claim, 'run' | 'asset' | 'partition' | 'attempt'>,
  definition: AssetDefinition | undefined,
): FailurePlace {
  return { run, asset, partition: definition?.scheme ? partition : undefined, attempt };
}

/** No mapping says what a partition that does not exist any more consumes. */
function retired({ asset, partition }: Claim): FlowStoneError {
  return new FlowStoneError(
    'FLOWSTONE_PARTITION_UNKNOWN',
    `${placeName({ asset, partition })} was retired before it began, so that it has no inputs. Add the partition again, then retry the run.`,
    { context: { asset, partition } },
  );
}

function missingInput(
  claim: Claim,
  { definition }: AssetView,
  wants: readonly Want[],
  pinned: readonly PinnedDependency[],
): FlowStoneError | undefined {
  const absent: string[] = [];
  const empty: string[] = [];
  for (const [index, { of, absent: keys }] of wants.entries()) {
    if (of.dependency.optional) continue;
    for (const key of keys) absent.push(`${of.dependency.upstream}[${key}]`);
    if (of.external) continue;
    for (const pin of pinned[index]!.pins) if (!pin.head) empty.push(placeName(pin));
  }
  const names = [...absent, ...empty];
  if (names.length === 0) return undefined;
  const place = placeName({ asset: claim.asset, partition: definition.scheme ? claim.partition : undefined });
  const more = names.length > NAMED_AT_MOST ? ` and ${names.length - NAMED_AT_MOST} more` : '';
  return new FlowStoneError(
    'FLOWSTONE_INPUT_MISSING',
    `${place} needs ${names.slice(0, NAMED_AT_MOST).join(', ')}${more}, which ${names.length === 1 ? 'has' : 'have'} no value. Materialize upstream first (upstream: 'stale'), or declare the dependency optional or allowMissing.`,
    { context: { asset: claim.asset, partition: claim.partition, missing: names.slice(0, NAMED_AT_MOST) } },
  );
}
