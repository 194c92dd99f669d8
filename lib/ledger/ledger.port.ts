// The port of the ledger: every durable fact of FlowStone goes through these operations, each of them atomic.
// Implementations stand in memory/ and sql/; one conformance suite (test/conformance/ledger) holds for both.
import type { EntityManager } from 'typeorm';
import type { ApprovalLedger } from './approvals.port.js';
import type { AutomationLedger } from './automation.port.js';
import type { CollectionLedger } from './collection.port.js';
import type { EventLogLedger } from './event-log.port.js';
import type { HookLedger } from './hooks.port.js';
import type { LogLedger } from './logs.port.js';
import type { LineageLedger } from './lineage.port.js';
import type { OutboxLedger } from './outbox.port.js';
import type { CheckLedger } from './checks.port.js';
import type { FreshnessLedger } from './freshness.port.js';
import type { ProcessLedger } from './processes.port.js';
import type { ScheduleLedger } from './schedules.port.js';
import type { SensorLedger } from './sensors.port.js';
import type { SummaryLedger } from './summaries.port.js';
import type {
  Act,
  ConsumedInput,
  ErrorRecord,
  EventRecord,
  HeadRecord,
  JsonObject,
  MaterializationRecord,
  MaterializationStatus,
  NewRun,
  RemovedInput,
  RunRecord,
} from './records.js';
import type { Page, PageRequest } from './page.js';
import type { LedgerValues } from './value-database.port.js';
import type {
  AssetRegistration,
  CurrentDefinition,
  PoolRegistration,
  ProcessRegistration,
  Renewal,
  TakenBack,
} from './registrations.js';
import type {
  Beat,
  Claim,
  Claimant,
  ClaimRequest,
  DueDeadline,
  Outcome,
  PlanningClaim,
  PlanRows,
  Settled,
} from './work.js';

export type { DataSource, EntityManager } from 'typeorm';
export type { Page, PageRequest } from './page.js';
export type { Act } from './records.js';

/** Some heads of an asset. */
export interface HeadPage {
  readonly heads: ReadonlyMap<string, HeadRecord>;
  /** The partition from which on there are more; null: there are none. */
  readonly next: string | null;
}

/** Which partitions of an asset an act names. */
export interface AssetPartitions {
  readonly asset: string;
  readonly partitions: 'all' | readonly string[];
}

/** An act that joins the caller's own open transaction on the ledger's database (SQL only). */
export interface Transactional {
  readonly manager?: EntityManager | undefined;
}

/** How full something is that is bounded. */
export interface PlaceFacts {
  readonly concurrency: number | null;
  readonly running: number;
  /** In how many ms the next token of its rate comes; null: there is one, or no rate. */
  readonly tokenDue: number | null;
}

/** What is recorded of why a materialization does not run: the bounds of its run and pool, and how full they are. */
export interface WaitFacts {
  readonly asset: string;
  readonly status: MaterializationStatus;
  /** The run it is of; running: how many of that run are, with a bound a batch counting as one. */
  readonly run: { readonly id: number; readonly concurrency: number | null; readonly running: number };
  /** The materialization that holds its (asset, partition), if it waits for that; retryAt: when that is tried again. */
  readonly holder: { readonly id: number; readonly run: number | null; readonly retryAt: Date | null } | null;
  /** Its upstream materializations that are not done: how many, and the first. */
  readonly upstreams: { readonly open: number; readonly first: number | null };
  readonly retryAt: Date | null;
  readonly pool: PlaceFacts & { readonly name: string };
  /** The key that it has in its pool, if it has one. */
  readonly key: (PlaceFacts & { readonly name: string }) | null;
  /** The ledger's time. */
  readonly now: Date;
}

/** What is recorded of what would hinder a materialization that nobody has requested yet: as in WaitFacts. */
export interface StartFacts extends Pick<WaitFacts, 'asset' | 'holder' | 'pool' | 'key' | 'now'> {
  readonly partition: string;
}

export interface Ledger {
  /** Whether values in memory can vanish while the ledger stays (any ledger that outlives the process). */
  readonly durable: boolean;
  /** Its id, which no other ledger has. Known once the ledger is open. */
  readonly installation: string;
  /** Connects; migrates if so configured; refuses a schema that is newer than this library. */
  open(): Promise<void>;
  close(): Promise<void>;
  /** The ledger's clock: the only one that decides. */
  now(): Promise<Date>;
  /**
   * Runs `read` so that all it reads of the ledger is read in an open transaction of the caller's: what that has written
   * counts, and no second connection is waited for (embedded, there is none).
   */
  readWithin<T>(manager: EntityManager, read: () => Promise<T>): Promise<T>;

  // -- processes and definitions ----------------------------------------------------------------------------------
  /**
   * Enters a process with what it declares. Renames assets found under a `formerly` key. Refuses
   * (FLOWSTONE_LEDGER_PARTITIONING_CHANGED) an asset that was partitioned and is not now, or the reverse, all at once.
   * A ledger that cannot be shared (embedded) hands back whatever is found running by earlier processes.
   * `pools` are bounded as it says from now on, for open runs as well; others stay as they are.
   */
  register(
    process: ProcessRegistration,
    assets: readonly AssetRegistration[],
    pools?: readonly PoolRegistration[],
  ): Promise<TakenBack>;
  /** Renews the lease. `cutOff`: the ledger could not be reached since the renewal before. */
  renew(process: string, cutOff?: boolean): Promise<Renewal>;
  /**
   * A renewal said that the process holds these. What of it nobody was told of (the answer to a claim was lost, and the
   * claim took place only later) is given out by the next claim.
   */
  recall(process: string, held: Renewal['held']): void;
  /** Leaves: hands back whatever the process still holds. */
  unregister(process: string): Promise<TakenBack>;
  /**
   * Gives the work of processes whose lease has expired to others, unless an outage may have kept them from renewing:
   * the rescuer must have been in contact for as long as a lease.
   */
  rescue(rescuer: string): Promise<TakenBack>;
  /** With the process that asks: from now on it may claim what it declares as it counts now (see Beat.outdated). */
  currentDefinitions(process?: string): Promise<readonly CurrentDefinition[]>;

  // -- requests ---------------------------------------------------------------------------------------------------
  /**
   * Records a run: with `plan`, planned at once, in the same transaction; else `planning`. With `claim`, claims
   * what of it is ready for that process, in the same transaction. A known `runKey` returns that run
   * (`created: false`), or fails with FLOWSTONE_RUN_KEY_CONFLICT if it was another request; so does a `retryOf` whose
   * retry is still open.
   */
  insertRun(
    run: NewRun,
    options?: Transactional & {
      readonly plan?: PlanRows;
      readonly claim?: ClaimRequest;
      /** Called once the transaction of `manager` has committed; it may never be, where that cannot be heard. */
      readonly committed?: () => void;
    },
  ): Promise<{ readonly run: RunRecord; readonly created: boolean; readonly claims: readonly Claim[] }>;
  /**
   * The oldest run of highest priority that waits for planning, or whose planner was lost, and all of whose targets are
   * among the claimant's assets: who does not declare a target cannot plan for it. A process plans one at a time: what
   * it is the planner of already, it has lost; it gets that again, or leaves it to others.
   */
  claimPlanning(claimant: Claimant): Promise<PlanningClaim | undefined>;
  /** Records the plan, all or nothing. False: fenced (another planner, or cancelled). An empty plan ends the run. */
  commitPlan(claim: PlanningClaim, plan: PlanRows): Promise<boolean>;
  /** Ends a run that cannot be planned. */
  failPlanning(claim: PlanningClaim, error: ErrorRecord): Promise<boolean>;

  // -- work -------------------------------------------------------------------------------------------------------
  /**
   * Takes ready materializations, highest priority first, then oldest: `running`, epoch + 1, and the lock of
   * (asset, partition); as many as the limits of their runs, pools and keys allow. Where another materialization holds
   * that lock, the row records it (`waitingFor`) and is not ready until the holder has ended.
   */
  claim(request: ClaimRequest): Promise<readonly Claim[]>;
  /** Records that user code begins; `timeout` (ms) sets the deadline and its timer. Returns the ids still held. */
  start(attempts: readonly { id: number; epoch: number; timeout: number | null }[]): Promise<ReadonlySet<number>>;
  /** Commits outcomes with all their effects in one transaction: heads, lineage, dependents, waiters, runs, events. */
  settle(outcomes: readonly Outcome[]): Promise<Settled>;
  /**
   * Both at once, outcomes first: what they release may be among the claims. One round trip. `released` is false where
   * something was asked for (limit > 0): the claim saw all that was released.
   */
  beat(outcomes: readonly Outcome[], request: ClaimRequest): Promise<Beat>;
  /**
   * Makes due retries ready (`rings`: in these pools), and returns what else is due; of many only some. `next`: when to come
   * again, which may be now; null if nothing waits.
   */
  fireTimers(): Promise<{
    readonly rings: readonly string[];
    readonly due: readonly DueDeadline[];
    readonly next: Date | null;
  }>;
  /** Whether anything is ready among these assets (poll of a lost doorbell). */
  hasReady(assets: readonly string[]): Promise<boolean>;

  // -- acts -------------------------------------------------------------------------------------------------------
  /**
   * Cancels what is pending, flags what runs; those that ignore it are fenced after `grace` ms. `more`: too much is pending
   * for one transaction; nothing of the run is claimed any more, and stopPending goes on.
   */
  cancelRun(
    run: number,
    act: Act & { readonly grace: number },
  ): Promise<{
    readonly accepted: boolean;
    readonly running: readonly { id: number; epoch: number }[];
    readonly ended: boolean;
    /** Pools in which there may be work now. */
    readonly rings: readonly string[];
    readonly more: boolean;
  }>;
  /**
   * Goes on with a run of which too much was pending for one transaction: to be cancelled (after a cancel, or where it fails
   * fast; nothing of such a run is claimed meanwhile), or because it depends on what failed. One step; `more`: there may be
   * another. Of one run that is being cancelled, it waits for others who do the same; else it leaves that to them.
   */
  stopPending(run?: number): Promise<{
    readonly running: readonly { id: number; epoch: number }[];
    readonly ended: readonly number[];
    /** Pools in which there may be work now. */
    readonly rings: readonly string[];
    readonly more: boolean;
  }>;
  /** Marks heads as invalidated; returns how many. */
  invalidate(targets: readonly AssetPartitions[], act: Act & Transactional): Promise<number>;
  /**
   * Forgets heads, returns them, and condemns their values (see CollectionLedger). Refused (FLOWSTONE_ASSET_BUSY) while
   * one is active.
   */
  deleteHeads(
    targets: readonly AssetPartitions[],
    act: Act,
  ): Promise<{
    readonly heads: readonly { readonly asset: string; readonly partition: string }[];
    /** What their values were condemned with; null: there were none. */
    readonly collection: number | null;
  }>;
  /** Records a version of an external asset; returns its materialization. */
  reportVersion(
    report: { asset: string; partition: string; dataVersion: string; metadata: JsonObject | null },
    act: Act & Transactional,
  ): Promise<number>;
  /** Returns those that were not there (or were retired). */
  addPartitions(name: string, keys: readonly string[], act: Act & Transactional): Promise<readonly string[]>;
  /** Retires keys; returns those that were there. */
  removePartitions(name: string, keys: readonly string[], act: Act & Transactional): Promise<readonly string[]>;

  // -- reads ------------------------------------------------------------------------------------------------------
  dynamicPartitions(name: string): Promise<readonly string[]>;
  /** Heads by asset, keyed by partition; one result per query. */
  heads(queries: readonly AssetPartitions[]): Promise<readonly ReadonlyMap<string, HeadRecord>[]>;
  /** At most so many heads of an asset, in the order in which the ledger keeps partitions, from this one on (`''`: the first). */
  headsFrom(asset: string, partition: string, limit: number): Promise<HeadPage>;
  /** What each materialization consumed. */
  consumed(
    materializations: readonly number[],
  ): Promise<ReadonlyMap<number, readonly (ConsumedInput | RemovedInput)[]>>;
  /** Also one that was removed by retention, if it had a run key: keys outlive their runs. */
  run(id: number): Promise<RunRecord | undefined>;
  runByKey(runKey: string): Promise<RunRecord | undefined>;
  runs(
    filter: { readonly status?: readonly RunRecord['status'][]; readonly asset?: string },
    page: PageRequest,
  ): Promise<Page<RunRecord>>;
  materialization(id: number): Promise<MaterializationRecord | undefined>;
  /** Those of a run, in plan order (`before` pages by id, descending). */
  materializations(
    filter: {
      readonly ids?: readonly number[];
      readonly run?: number;
      readonly asset?: string;
      readonly partition?: string;
      readonly status?: readonly MaterializationStatus[];
    },
    page: PageRequest,
  ): Promise<Page<MaterializationRecord>>;
  /**
   * What of a run did not succeed, as a plan: failed, upstream_failed, cancelled and open ones, with their edges. Of a large
   * open run, each row may be read at another moment.
   */
  leftovers(run: number): Promise<PlanRows>;
  /** Undefined: no such materialization, or of no run. */
  waitFacts(materialization: number): Promise<WaitFacts | undefined>;
  /**
   * Materializations of a run that wait for something else than its own, at most 60: the first of each asset and key
   * among what is to begin next; those that wait for a holder; those that are to be tried again.
   */
  waitingIn(run: number): Promise<readonly number[]>;
  /** What would hinder these if they were to run now, in their order; without assets that nobody registered. */
  startFacts(of: readonly { readonly asset: string; readonly partition: string }[]): Promise<readonly StartFacts[]>;
  /**
   * Whether an open run of which nothing executes is `going` on by itself: something is ready of the assets given, those
   * that somebody executes, or is to be tried again. If not: whether anything is `ready` of others, and the runs that hold
   * what it waits for. Looks at what is ready up to the first of these assets.
   */
  progressOf(
    run: number,
    executed: readonly string[],
  ): Promise<{
    readonly going: boolean;
    readonly ready: boolean;
    readonly waitsFor: readonly number[];
  }>;
  events(filter: { readonly run?: number; readonly asset?: string }, page: PageRequest): Promise<Page<EventRecord>>;

  /** Its database, for values that are committed with their records; a ledger in memory has none. */
  readonly values?: LedgerValues;

  /** Materializations that wait for a decision, and decisions. Usable once the ledger is open. */
  readonly approvals: ApprovalLedger;

  /** By which retention works. Usable once the ledger is open. */
  readonly collection: CollectionLedger;
  /** By which all events are read, each once. Usable once the ledger is open. */
  readonly eventLog: EventLogLedger;
  /** By which hooks on events miss none. Usable once the ledger is open. */
  readonly hooks: HookLedger;
  /** What attempts log. Usable once the ledger is open. */
  readonly logs: LogLedger;
  /** Which versions came of which. Usable once the ledger is open. */
  readonly lineage: LineageLedger;
  /** By which automation works. Usable once the ledger is open. */
  readonly automation: AutomationLedger;
  /** What is overdue. Usable once the ledger is open. */
  readonly freshness: FreshnessLedger;
  /** What checks found of values. Usable once the ledger is open. */
  readonly checks: CheckLedger;
  /** By which processes see each other. Usable once the ledger is open. */
  readonly processes: ProcessLedger;
  /** By which schedules work. Usable once the ledger is open. */
  readonly schedules: ScheduleLedger;
  /** By which sensors work. Usable once the ledger is open. */
  readonly sensors: SensorLedger;
  /** By which notices leave the system. Usable once the ledger is open. */
  readonly outbox: OutboxLedger;
  /** What is kept of large assets; a ledger in memory has its heads at hand, and no summaries. Usable once it is open. */
  readonly summaries?: SummaryLedger;
}
