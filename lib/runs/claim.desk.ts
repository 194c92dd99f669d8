// The look-again: what each claimed materialization would consume now, pinned, and whether that makes it run.
import type { AssetDefinition } from '../assets/asset.definition.js';
import type { AssetRegistry } from '../assets/asset.registry.js';
import { FlowStoneError } from '../flowstone.errors.js';
import type { AssetPartitions, Claim, DueDeadline, Ledger } from '../ledger/ledger.port.js';
import type { HeadRecord } from '../ledger/records.js';
import type { PartitionSet } from '../partitions/partition-set.js';
import { inputsFingerprint } from '../planning/inputs-fingerprint.js';
import { declaredUpstreams, mustRun } from '../planning/must-run.js';
import { hasValue, type InputVersion } from '../planning/planning.port.js';
import type { PlanningModel } from '../planning/planning-model.js';
import { decideAfterClaim, decideAfterFailure, NO_RETRY, type RetryRule } from './attempt.machine.js';
import { Attempt } from './attempt.js';
import type { AttemptHost, Executable } from './attempt.host.js';
import { BatchedAttempt } from './batch.js';
import type { ClaimDesk, Execution, Finished } from './coordinator.js';
import { errorRecord, placeName, wrapUserError, type FailurePlace } from './failure.js';
import type { Pin, PinnedDependency } from './input.loader.js';
import { headFact, type LostValue } from './ledger.facts.js';
import { isOutage } from './patience.js';
import type { PartitionMoments } from './partition.moments.js';
import { limitsOf, timedOut } from './timed-out.js';

/** Missing inputs that a message names. */
const NAMED_AT_MOST = 10;

export class LookAgainDesk implements ClaimDesk {
  constructor(
    private readonly ledger: Pick<Ledger, 'heads'>,
    private readonly registry: AssetRegistry,
    private readonly moments: PartitionMoments,
    private readonly host: AttemptHost,
    private readonly lostValue: LostValue,
  ) {}

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
    const model = await this.#modelFor(claims);
    const outdated = claims.filter((claim) => !this.#counts(model, claim));
    if (outdated.length > 0) {
      // A worker with a newer definition entered since the claim: it is for that one.
      const handedBack = outdated.map(({ id, epoch, run }): Finished => ({
        run,
        outcome: { kind: 'handed_back', id, epoch },
      }));
      const { executions, settled } = await this.#examine(claims.filter((claim) => !outdated.includes(claim)));
      return { executions, settled: [...settled, ...handedBack] };
    }
    const wanted = claims.map((claim) => upstreamPartitions(model, claim, this.registry.resolve(claim.asset)));
    const heads = await this.#readHeads(wanted.flat());
    const executions: Execution[] = [];
    const settled: Finished[] = [];
    claims.forEach((claim, index) => {
      const examined = this.#decide(model, claim, wanted[index]!, heads);
      if ('outcome' in examined) settled.push(examined);
      else executions.push(examined);
    });
    return { executions, settled };
  }

  afterTimeout(due: DueDeadline): Finished {
    const definition = this.registry.find(due.asset)?.definition;
    return { run: due.run, ...timedOut(due, definition && limitsOf(definition), this.host.random()) };
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
  async #modelFor(claims: readonly Claim[]): Promise<PlanningModel> {
    const model = await this.moments.recent();
    const known = claims.every(
      (claim) => this.#counts(model, claim) && setOf(model, claim.asset).ordinalOf(claim.partition) >= 0,
    );
    return known ? model : this.moments.fresh();
  }

  /** Whether the definition that this process would execute is the one that counts. */
  #counts(model: PlanningModel, { asset }: Claim): boolean {
    return model.assets[model.requireIndex(asset)] === this.registry.resolve(asset);
  }

  async #readHeads(wanted: readonly Wanted[]): Promise<ReadonlyMap<string, ReadonlyMap<string, HeadRecord>>> {
    const byAsset = new Map<string, Set<string>>();
    for (const { upstream, partitions } of wanted) {
      const known = byAsset.get(upstream) ?? new Set();
      for (const partition of partitions) known.add(partition);
      byAsset.set(upstream, known);
    }
    if (byAsset.size === 0) return new Map();
    const queries: AssetPartitions[] = [...byAsset].map(([asset, partitions]) => ({
      asset,
      partitions: [...partitions],
    }));
    const found = await this.ledger.heads(queries);
    return new Map(queries.map(({ asset }, index) => [asset, found[index]!]));
  }

  #decide(
    model: PlanningModel,
    claim: Claim,
    wanted: readonly Wanted[],
    heads: ReadonlyMap<string, ReadonlyMap<string, HeadRecord>>,
  ): Execution | Finished {
    const { definition, instance } = this.registry.require(claim.asset);
    const dependencies = wanted.map((want) => this.#pin(want, heads.get(want.upstream)!));
    const versions = consumedVersions(dependencies);
    const set = setOf(model, claim.asset);
    const ordinal = set.ordinalOf(claim.partition);
    const lacking =
      ordinal < 0 && wanted.length > 0
        ? retired(claim)
        : missingInput(claim, definition.scheme !== undefined, wanted, dependencies, this.registry);
    const missing = lacking && errorRecord(lacking);
    const decision = decideAfterClaim({
      claim: { joined: claim.joined, forced: claim.forced && !isRecent(claim) },
      differs: missing !== undefined || mustRun(definition, headFact(claim.head, this.lostValue), versions),
      missing,
    });
    const { id, epoch, run } = claim;
    if (decision.kind === 'skip') {
      return { run, outcome: { kind: 'skipped', id, epoch, reason: decision.reason, joined: decision.joined } };
    }
    if (decision.kind === 'fail') {
      const outcome = { kind: 'failed', id, epoch, error: decision.error, startedAt: null } as const;
      // The failure of a holder was told when that failed.
      if (!lacking || decision.error !== missing) return { run, outcome };
      return { run, outcome, failure: { ...placeOf(claim, definition), error: lacking, retrying: false } };
    }
    const prepared = {
      claim,
      definition,
      executable: instance as Executable,
      dependencies,
      inputs: inputsFingerprint(versions),
      upstreams: declaredUpstreams(definition),
      // A partition that was retired while its materialization waited has neither; it needs no inputs.
      window: ordinal < 0 ? undefined : set.windowAt(ordinal),
      dimensions: ordinal < 0 ? undefined : set.dimensionsAt(ordinal),
    };
    if (definition.batchSize !== undefined) return new BatchedAttempt(this.host, prepared);
    return new Attempt(this.host, prepared);
  }

  #pin({ dependency, cardinality, partitions }: Wanted, heads: ReadonlyMap<string, HeadRecord>): PinnedDependency {
    const { scheme } = this.registry.resolve(dependency.upstream);
    const pins = partitions.map((partition): Pin => {
      const head = heads.get(partition);
      const present = head && hasValue(headFact(head, this.lostValue));
      return {
        asset: dependency.upstream,
        partition: scheme ? partition : undefined,
        head: present ? head : undefined,
      };
    });
    return { dependency, cardinality, pins };
  }
}

interface Examined {
  readonly executions: readonly Execution[];
  readonly settled: readonly Finished[];
}

/** A dependency of a claim with the upstream partitions that its mapping names now. */
interface Wanted {
  readonly dependency: PinnedDependency['dependency'];
  readonly upstream: string;
  readonly cardinality: 'one' | 'many';
  readonly partitions: readonly string[];
  /** Partitions that the mapping names and that do not exist. */
  readonly absent: readonly string[];
}

function setOf(model: PlanningModel, asset: string): PartitionSet {
  return model.setOf(model.requireIndex(asset));
}

function upstreamPartitions(model: PlanningModel, claim: Claim, { dependencies }: AssetDefinition): Wanted[] {
  const index = model.requireIndex(claim.asset);
  const ordinal = model.setOf(index).ordinalOf(claim.partition);
  const resolved = new Map(model.dependenciesOf(index).map((dependency) => [dependency.declared.alias, dependency]));
  return dependencies.map((dependency) => {
    const { mapping, upstream } = resolved.get(dependency.alias)!;
    const set = model.setOf(upstream);
    const partitions: string[] = [];
    if (ordinal >= 0) {
      mapping.upstreamOf(ordinal, (from, to) => {
        for (let at = from; at < to; at++) partitions.push(set.keyAt(at));
      });
    }
    const absent = ordinal >= 0 ? mapping.missingOf(ordinal) : [];
    return { dependency, upstream: dependency.upstream, cardinality: mapping.cardinality, partitions, absent };
  });
}

function consumedVersions(dependencies: readonly PinnedDependency[]): InputVersion[] {
  return dependencies
    .filter(({ dependency }) => !dependency.ordering)
    .flatMap(({ pins }) =>
      pins.flatMap(({ asset, partition, head }) =>
        head ? [{ asset, partition: partition ?? '', dataVersion: head.dataVersion! }] : [],
      ),
    );
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
  partitioned: boolean,
  wanted: readonly Wanted[],
  dependencies: readonly PinnedDependency[],
  registry: AssetRegistry,
): FlowStoneError | undefined {
  const absent = wanted
    .filter(({ dependency }) => !dependency.optional)
    .flatMap(({ upstream, absent: keys }) => keys.map((key) => `${upstream}[${key}]`));
  const empty = dependencies
    .filter(({ dependency }) => !dependency.optional && !registry.resolve(dependency.upstream).external)
    .flatMap(({ pins }) => pins.filter(({ head }) => !head).map(placeName));
  const names = [...absent, ...empty];
  if (names.length === 0) return undefined;
  const place = placeName({ asset: claim.asset, partition: partitioned ? claim.partition : undefined });
  const more = names.length > NAMED_AT_MOST ? ` and ${names.length - NAMED_AT_MOST} more` : '';
  return new FlowStoneError(
    'FLOWSTONE_INPUT_MISSING',
    `${place} needs ${names.slice(0, NAMED_AT_MOST).join(', ')}${more}, which ${names.length === 1 ? 'has' : 'have'} no value. Materialize upstream first (upstream: 'stale'), or declare the dependency optional or allowMissing.`,
    { context: { asset: claim.asset, partition: claim.partition, missing: names.slice(0, NAMED_AT_MOST) } },
  );
}
