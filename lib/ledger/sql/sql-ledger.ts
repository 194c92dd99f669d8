// The ledger in PostgreSQL, served or embedded: a thin facade over the concerns beside it.
import type { Pool } from 'pg';
import type { DataSource, EntityManager } from 'typeorm';
import { FlowStoneError } from '../../flowstone.errors.js';
import type { ApprovalLedger } from '../approvals.port.js';
import type { AutomationLedger } from '../automation.port.js';
import type { CollectionLedger } from '../collection.port.js';
import type { Ledger, PageRequest, Transactional } from '../ledger.port.js';
import type { EventLogLedger } from '../event-log.port.js';
import type { HookLedger } from '../hooks.port.js';
import type { LogLedger } from '../logs.port.js';
import type { LineageLedger } from '../lineage.port.js';
import type { OutboxLedger } from '../outbox.port.js';
import type { CheckLedger } from '../checks.port.js';
import type { FreshnessLedger } from '../freshness.port.js';
import type { ProcessLedger } from '../processes.port.js';
import type { ScheduleLedger } from '../schedules.port.js';
import type { SensorLedger } from '../sensors.port.js';
import type { SummaryLedger } from '../summaries.port.js';
import type { Renewal, TakenBack } from '../registrations.js';
import type { LedgerValues } from '../value-database.port.js';
import type { Beat, Claim, Claimant, ClaimRequest, Outcome, PlanningClaim, PlanRows, Settled } from '../work.js';
import type { ErrorRecord } from '../records.js';
import { Acts } from './acts.js';
import { Approvals } from './approvals.js';
import { AssetNumbers } from './asset-numbers.js';
import { Automation } from './automation.js';
import { Beats } from './beats.js';
import { Checks } from './checks.js';
import { Claims } from './claims.js';
import { Collection } from './collection.js';
import { Database, type Sql, type Transaction } from './database.js';
import { isOutage, unavailable } from './failures.js';
import { afterCommit } from './host-commits.js';
import { EventLog } from './event-log.js';
import { ServerNews } from './server-news.js';
import type { SoleConnectionConfig } from './sole-connection.js';
import { FellowProcesses } from './fellow-processes.js';
import { Freshness } from './freshness.js';
import { Hooks } from './hooks.js';
import { Logs } from './logs.js';
import { LineageReads } from './lineage.js';
import { Outbox } from './outbox.js';
import { Schedules } from './schedules.js';
import { Sensors } from './sensors.js';
import { Summaries } from './summaries.js';
import { Processes } from './processes.js';
import { Reads } from './reads.js';
import { Requests } from './requests.js';
import { migrateLedger, readInstallation, requireUsable } from './schema.js';
import { steady } from './steady-pool.js';
import { NAMESPACE } from './statements/registering.js';
import { CLOCK } from './statements/timing.js';
import { ValueTransactions } from './value-transactions.js';

/** What a SQL ledger is made of. */
export interface SqlLedgerOptions {
  /** Where the tables are: one of the ledger's own (see ledgerDataSource), or one of the host's. */
  readonly dataSource: DataSource;
  /** Whether the DataSource is only the ledger's: its sessions are tuned, and it is closed with the ledger. */
  readonly own: boolean;
  /** Schema of the tables: letters, digits and `_`. Default `flowstone`. */
  readonly schema?: string;
  /** What one application owns in a shared database. Default `default`. */
  readonly namespace?: string;
  /** Whether `open` creates and migrates the schema; else it refuses one that is missing or older. */
  readonly migrate: boolean;
  /** Whether no other process can have this database open (embedded): what others held is handed back at once. */
  readonly exclusive?: boolean;
  /** How to connect to listen for news of events; undefined: this process does not. */
  readonly listening?: SoleConnectionConfig | undefined;
  /** How long to wait for an answer on a host's connection, ms. Default 90 s. */
  readonly longestSilence?: number;
}

/** What works once the ledger is open. */
interface Opened {
  readonly installation: string;
  readonly processes: Processes;
  readonly requests: Requests;
  readonly claims: Claims;
  readonly beats: Beats;
  readonly acts: Acts;
  readonly approvals: Approvals;
  readonly automation: Automation;
  readonly checks: Checks;
  readonly freshness: Freshness;
  readonly fellows: FellowProcesses;
  readonly schedules: Schedules;
  readonly sensors: Sensors;
  readonly collection: Collection;
  readonly eventLog: EventLog;
  readonly hooks: Hooks;
  readonly logs: Logs;
  readonly lineage: LineageReads;
  readonly outbox: Outbox;
  readonly summaries: Summaries;
  readonly reads: Reads;
}

const SCHEMA_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,39}$/;

export class SqlLedger implements Ledger {
  readonly durable = true;
  readonly #options: SqlLedgerOptions;
  readonly #database: Database;
  readonly values: LedgerValues;
  readonly #transactions: ValueTransactions;
  #opened: Opened | undefined;

  /** Connects to nothing yet. FLOWSTONE_OPTIONS_INVALID: the schema's name is no plain identifier. */
  constructor(options: SqlLedgerOptions) {
    const { dataSource, schema = 'flowstone', own, longestSilence } = options;
    if (!SCHEMA_NAME.test(schema)) {
      throw new FlowStoneError(
        'FLOWSTONE_OPTIONS_INVALID',
        `The ledger's schema "${schema}" is no plain name. Use a letter or _, then at most 39 letters, digits or _.`,
        { context: { schema } },
      );
    }
    this.#options = options;
    this.#database = new Database(dataSource, schema, own, longestSilence);
    const transactions = new ValueTransactions(this.#database);
    this.#transactions = transactions;
    this.values = {
      schema,
      get single() {
        return transactions.single;
      },
      read: transactions.read,
      transaction: (fn) => transactions.transaction(fn),
      settle: (attempt, write) =>
        transactions.limited(() => this.#open.beats.joined(attempt, (sql) => sql.values(write)), warnOfLock),
    };
  }

  async open(): Promise<void> {
    if (this.#opened) return;
    const { dataSource, migrate, namespace = 'default', exclusive = false, listening } = this.#options;
    const database = this.#database;
    try {
      if (!dataSource.isInitialized) await dataSource.initialize();
      // TypeORM does not say what a driver's pool is: that of the `pg` package, whichever drives it.
      const pool = (dataSource.driver as unknown as { readonly master: Pool }).master;
      steady(pool);
      this.#transactions.allow(pool.options.max);
      if (migrate) await migrateLedger(dataSource, database.schema);
      const installation = requireUsable(await this.#installation(), database.schema);
      const number = await this.#namespaceNumber(namespace);
      const assets = new AssetNumbers(number);
      const claims = new Claims(database, number, assets);
      const collection = new Collection(database, number, assets);
      // Connections of a host may all be held by transactions that wait for us.
      const requests = new Requests(database, number, claims, this.#options.own && pool.options.max > 1);
      const acts = new Acts(database, number, assets, collection);
      const eventLog = new EventLog(
        database,
        number,
        assets,
        exclusive ? undefined : new ServerNews(database, number, listening),
      );
      this.#opened = {
        installation: installation.id,
        processes: new Processes(database, number, assets, exclusive),
        requests,
        claims,
        beats: new Beats(database, number, claims),
        acts,
        sensors: new Sensors(database, number, requests, acts),
        automation: new Automation(database, number, assets, requests),
        freshness: new Freshness(database, number, assets),
        checks: new Checks(database, number, assets),
        fellows: new FellowProcesses(database, number, assets),
        schedules: new Schedules(database, number, requests),
        approvals: new Approvals(database, number, assets, claims),
        collection,
        eventLog,
        hooks: new Hooks(database, number, assets, eventLog),
        logs: new Logs(database, number),
        lineage: new LineageReads(database, number, assets),
        outbox: new Outbox(database, number),
        summaries: new Summaries(database, number, assets),
        reads: new Reads(database, number, assets),
      };
      await eventLog.settleCopied();
    } catch (error) {
      if (this.#options.own && dataSource.isInitialized) await dataSource.destroy();
      throw isOutage(error) ? unavailable(error, false) : error;
    }
  }

  async close(): Promise<void> {
    this.#opened = undefined;
    const { dataSource, own } = this.#options;
    if (own && dataSource.isInitialized) await dataSource.destroy();
  }

  async readWithin<T>(manager: EntityManager, read: () => Promise<T>): Promise<T> {
    return this.#database.within(await this.#joined(manager), read);
  }

  async now(): Promise<Date> {
    const [row] = await this.#database.rows<{ now: Date }>(CLOCK);
    return row!.now;
  }

  register(...[process, assets, pools = []]: Parameters<Ledger['register']>): Promise<TakenBack> {
    return this.#open.processes.register(process, assets, pools);
  }

  renew(process: string, cutOff = false): Promise<Renewal> {
    return this.#open.processes.renew(process, cutOff);
  }

  recall(process: string, held: Renewal['held']): void {
    this.#open.claims.recall(process, held);
  }

  async unregister(process: string): Promise<TakenBack> {
    const left = await this.#open.processes.unregister(process);
    this.#open.claims.forgetProcess(process);
    return left;
  }

  rescue(rescuer: string): Promise<TakenBack> {
    return this.#open.processes.rescue(rescuer);
  }

  currentDefinitions(process?: string): ReturnType<Ledger['currentDefinitions']> {
    return this.#open.processes.currentDefinitions(process);
  }

  async insertRun(...[run, options = {}]: Parameters<Ledger['insertRun']>): ReturnType<Ledger['insertRun']> {
    const { manager, committed } = options;
    const joined = manager && (await this.#joined(manager));
    if (manager && committed) afterCommit(manager, committed);
    return this.#open.requests.insertRun(run, options, joined);
  }

  claimPlanning(claimant: Claimant): Promise<PlanningClaim | undefined> {
    return this.#open.requests.claimPlanning(claimant);
  }

  commitPlan(claim: PlanningClaim, plan: PlanRows): Promise<boolean> {
    return this.#open.requests.commitPlan(claim, plan);
  }

  failPlanning(claim: PlanningClaim, error: ErrorRecord): Promise<boolean> {
    return this.#open.requests.failPlanning(claim, error);
  }

  async claim(request: Parameters<Ledger['claim']>[0]): Promise<readonly Claim[]> {
    return (await this.#open.beats.beat([], request)).claims;
  }

  start(attempts: Parameters<Ledger['start']>[0]): Promise<ReadonlySet<number>> {
    return this.#open.claims.start(attempts);
  }

  async settle(outcomes: readonly Outcome[]): Promise<Settled> {
    const { verdicts, endedRuns, released } = await this.#open.beats.beat(outcomes, undefined);
    return { verdicts, endedRuns, released };
  }

  beat(outcomes: readonly Outcome[], request: ClaimRequest): Promise<Beat> {
    return this.#open.beats.beat(outcomes, request);
  }

  fireTimers(): ReturnType<Ledger['fireTimers']> {
    return this.#open.claims.fireTimers();
  }

  hasReady(assets: readonly string[]): Promise<boolean> {
    return this.#open.claims.hasReady(assets);
  }

  cancelRun(...[run, act]: Parameters<Ledger['cancelRun']>): ReturnType<Ledger['cancelRun']> {
    return this.#open.acts.cancelRun(run, act);
  }

  stopPending(run?: number): ReturnType<Ledger['stopPending']> {
    return this.#open.acts.stopPending(run);
  }

  invalidate(...[targets, act]: Parameters<Ledger['invalidate']>): Promise<number> {
    return this.#in(act, (sql) => this.#open.acts.invalidate(sql, targets, act));
  }

  deleteHeads(...[targets, act]: Parameters<Ledger['deleteHeads']>): ReturnType<Ledger['deleteHeads']> {
    return this.#open.acts.deleteHeads(targets, act);
  }

  reportVersion(...[report, act]: Parameters<Ledger['reportVersion']>): Promise<number> {
    return this.#in(act, (sql) => this.#open.acts.reportVersion(sql, report, act));
  }

  addPartitions(...[name, keys, act]: Parameters<Ledger['addPartitions']>): Promise<readonly string[]> {
    return this.#in(act, (sql) => this.#open.acts.addPartitions(sql, name, keys, act));
  }

  removePartitions(...[name, keys, act]: Parameters<Ledger['removePartitions']>): Promise<readonly string[]> {
    return this.#in(act, (sql) => this.#open.acts.removePartitions(sql, name, keys, act));
  }

  dynamicPartitions(name: string): Promise<readonly string[]> {
    return this.#open.reads.dynamicPartitions(name);
  }

  heads(queries: Parameters<Ledger['heads']>[0]): ReturnType<Ledger['heads']> {
    return this.#open.reads.heads(queries);
  }

  headsFrom(...page: Parameters<Ledger['headsFrom']>): ReturnType<Ledger['headsFrom']> {
    return this.#open.reads.headsFrom(...page);
  }

  consumed(materializations: readonly number[]): ReturnType<Ledger['consumed']> {
    return this.#open.reads.consumed(materializations);
  }

  run(id: number): ReturnType<Ledger['run']> {
    return this.#open.reads.run(id);
  }

  runByKey(runKey: string): ReturnType<Ledger['runByKey']> {
    return this.#open.reads.runByKey(runKey);
  }

  runs(filter: Parameters<Ledger['runs']>[0], page: PageRequest): ReturnType<Ledger['runs']> {
    return this.#open.reads.runs(filter, page);
  }

  materialization(id: number): ReturnType<Ledger['materialization']> {
    return this.#open.reads.materialization(id);
  }

  materializations(
    filter: Parameters<Ledger['materializations']>[0],
    page: PageRequest,
  ): ReturnType<Ledger['materializations']> {
    return this.#open.reads.materializations(filter, page);
  }

  leftovers(run: number): Promise<PlanRows> {
    return this.#open.reads.leftovers(run);
  }

  waitFacts(id: number): ReturnType<Ledger['waitFacts']> {
    return this.#open.reads.waitFacts(id);
  }

  waitingIn(run: number): Promise<readonly number[]> {
    return this.#open.reads.waitingIn(run);
  }

  startFacts(of: Parameters<Ledger['startFacts']>[0]): ReturnType<Ledger['startFacts']> {
    return this.#open.reads.startFacts(of);
  }

  progressOf(run: number, executed: readonly string[]): ReturnType<Ledger['progressOf']> {
    return this.#open.reads.progressOf(run, executed);
  }

  events(filter: Parameters<Ledger['events']>[0], page: PageRequest): ReturnType<Ledger['events']> {
    return this.#open.reads.events(filter, page);
  }

  get approvals(): ApprovalLedger {
    return this.#open.approvals;
  }

  get automation(): AutomationLedger {
    return this.#open.automation;
  }

  get checks(): CheckLedger {
    return this.#open.checks;
  }

  get freshness(): FreshnessLedger {
    return this.#open.freshness;
  }

  get processes(): ProcessLedger {
    return this.#open.fellows;
  }

  get schedules(): ScheduleLedger {
    return this.#open.schedules;
  }

  get sensors(): SensorLedger {
    return this.#open.sensors;
  }

  get collection(): CollectionLedger {
    return this.#open.collection;
  }

  get eventLog(): EventLogLedger {
    return this.#open.eventLog;
  }

  get hooks(): HookLedger {
    return this.#open.hooks;
  }

  get logs(): LogLedger {
    return this.#open.logs;
  }

  get lineage(): LineageLedger {
    return this.#open.lineage;
  }

  get outbox(): OutboxLedger {
    return this.#open.outbox;
  }

  get installation(): string {
    return this.#open.installation;
  }

  get summaries(): SummaryLedger {
    return this.#open.summaries;
  }

  get #open(): Opened {
    if (this.#opened) return this.#opened;
    throw new FlowStoneError(
      'FLOWSTONE_LEDGER_UNAVAILABLE',
      'The ledger is not open: the application has not started, or is shutting down. Call it between the two.',
    );
  }

  async #installation(): ReturnType<typeof readInstallation> {
    const runner = this.#options.dataSource.createQueryRunner();
    try {
      return await readInstallation(runner, this.#database.schema);
    } finally {
      await runner.release();
    }
  }

  async #namespaceNumber(name: string): Promise<number> {
    // Twice, since one that another process makes just now is seen only by the next statement.
    for (;;) {
      const [row] = await this.#database.rows<{ id: number }>(NAMESPACE, [name]);
      if (row) return row.id;
    }
  }

  /** In the caller's transaction, or in one of the ledger's. */
  async #in<T>({ manager }: Transactional, fn: (sql: Sql) => Promise<T>): Promise<T> {
    return manager ? fn(await this.#joined(manager)) : this.#database.transaction(fn);
  }

  /** The caller's transaction, once it is sure that it is open and on this ledger's database. */
  async #joined(manager: EntityManager): Promise<Transaction> {
    const { installation } = this.#open;
    const runner = manager.queryRunner;
    const active = runner !== undefined && runner.isTransactionActive && !runner.isReleased;
    const found = active ? await readInstallation(runner, this.#database.schema).catch(notPostgres) : undefined;
    if (found?.id === installation) return this.#database.joined(manager);
    throw new FlowStoneError(
      'FLOWSTONE_NOT_A_LEDGER_TRANSACTION',
      active
        ? `The transaction of \`manager\` is not on the ledger's database (schema "${this.#database.schema}"). Use a DataSource of that database, or leave \`manager\` out.`
        : 'The `manager` has no open transaction. Call within `dataSource.transaction(async (manager) => ...)`, or leave it out.',
    );
  }
}

/** Another kind of database does not know our question; an outage is told as one. */
function notPostgres(error: unknown): undefined {
  if (isOutage(error)) throw unavailable(error, false);
  return undefined;
}

/** The value is made already: its attempt goes on until it succeeds or is told to stop, which ends the writing. */
function warnOfLock(error: unknown): void {
  const { message } = error as Error;
  process.emitWarning(`${message}. It is tried on until its attempt ends: end the session that has the lock.`, {
    type: 'FlowStoneWarning',
    code: 'FLOWSTONE_TABLE_LOCKED',
  });
}
