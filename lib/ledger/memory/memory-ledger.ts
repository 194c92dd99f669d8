// The ledger in memory: the behaviours of the SQL ledger without a database, for tests and `storage: 'memory'`.
// What each operation does stands by kind in memory-requests.ts, memory-work.ts, memory-acts.ts and memory-reads.ts.
import { randomUUID } from 'node:crypto';
import type { Act, AssetPartitions, EntityManager, Ledger, Page, PageRequest, Transactional } from '../ledger.port.js';
import {
  NOTHING_TAKEN,
  type AssetRegistration,
  type CurrentDefinition,
  type PoolRegistration,
  type ProcessRegistration,
  type Renewal,
  type TakenBack,
} from '../registrations.js';
import type { Beat, Claim, Claimant, ClaimRequest, Outcome, PlanningClaim, PlanRows, Settled } from '../work.js';
import type { ErrorRecord, EventRecord, HeadRecord, MaterializationRecord, NewRun, RunRecord } from '../records.js';
import * as acts from './memory-acts.js';
import { MemoryApprovals } from './memory-approvals.js';
import { MemoryAutomation } from './memory-automation.js';
import { MemoryChecks } from './memory-checks.js';
import { MemoryCollection } from './memory-collection.js';
import { MemoryEventLog } from './memory-event-log.js';
import { MemoryHooks } from './memory-hooks.js';
import { MemoryLogs } from './memory-logs.js';
import { MemoryLineage } from './memory-lineage.js';
import type { MemoryOutbox } from './memory-outbox.js';
import { MemoryFreshness } from './memory-freshness.js';
import { MemoryProcesses } from './memory-processes.js';
import { MemorySchedules } from './memory-schedules.js';
import { MemorySensors } from './memory-sensors.js';
import * as reads from './memory-reads.js';
import * as requests from './memory-requests.js';
import type { Row } from './memory-rows.js';
import { MemoryState } from './memory-state.js';
import * as work from './memory-work.js';

export class MemoryLedger implements Ledger {
  readonly durable = false;
  readonly installation = randomUUID();
  readonly approvals: MemoryApprovals;
  readonly collection: MemoryCollection;
  readonly eventLog: MemoryEventLog;
  readonly hooks: MemoryHooks;
  readonly logs: MemoryLogs;
  readonly lineage: MemoryLineage;
  readonly automation: MemoryAutomation;
  readonly processes: MemoryProcesses;
  readonly checks: MemoryChecks;
  readonly freshness: MemoryFreshness;
  readonly schedules: MemorySchedules;
  readonly sensors: MemorySensors;
  readonly outbox: MemoryOutbox;
  readonly #state: MemoryState;

  /** @param clock the time in ms; tests pass their own. */
  constructor(clock: () => number = Date.now) {
    this.#state = new MemoryState(clock);
    this.approvals = new MemoryApprovals(this.#state);
    this.collection = new MemoryCollection(this.#state);
    this.eventLog = new MemoryEventLog(this.#state, this.installation);
    this.hooks = new MemoryHooks(this.#state, this.eventLog);
    this.logs = new MemoryLogs(this.#state);
    this.lineage = new MemoryLineage(this.#state);
    this.automation = new MemoryAutomation(this.#state);
    this.freshness = new MemoryFreshness(this.#state);
    this.checks = new MemoryChecks(this.#state);
    this.processes = new MemoryProcesses(this.#state);
    this.schedules = new MemorySchedules(this.#state);
    this.sensors = new MemorySensors(this.#state);
    this.outbox = this.#state.outbox;
  }

  async open(): Promise<void> {}
  async close(): Promise<void> {}

  async now(): Promise<Date> {
    return new Date(this.#state.clock());
  }

  async readWithin<T>(manager: EntityManager, read: () => Promise<T>): Promise<T> {
    acts.refuseTransaction({ manager });
    return read();
  }

  async register(
    process: ProcessRegistration,
    assets: readonly AssetRegistration[],
    pools: readonly PoolRegistration[] = [],
  ): Promise<TakenBack> {
    acts.register(this.#state, process, assets, pools);
    return NOTHING_TAKEN;
  }

  async renew(id: string): Promise<Renewal> {
    const process = this.#state.processes.get(id);
    if (!process) return { alive: false, held: [], cancelled: [], listened: false };
    process.leaseUntil = this.#state.clock() + process.lease;
    const rows = work.heldBy(this.#state, id);
    const attempt = ({ id: row, epoch }: Row) => ({ id: row, epoch });
    return {
      alive: true,
      held: rows.map(attempt),
      cancelled: rows.filter((row) => row.cancelRequested).map(attempt),
      listened: false,
    };
  }

  /** No answer is ever lost. */
  recall(): void {}

  async unregister(id: string): Promise<TakenBack> {
    const held = work.heldBy(this.#state, id);
    const endedRuns = held.flatMap((row) => this.#state.handBack(row));
    this.#state.processes.delete(id);
    return { ...NOTHING_TAKEN, count: held.length, endedRuns, rings: held.length > 0 ? this.#state.readyPools() : [] };
  }

  async rescue(): Promise<TakenBack> {
    return work.rescue(this.#state);
  }

  async currentDefinitions(id?: string): Promise<readonly CurrentDefinition[]> {
    const process = id === undefined ? undefined : this.#state.processes.get(id);
    if (process) process.outdated = false;
    return reads.currentDefinitions(this.#state);
  }

  async insertRun(run: NewRun, options: requests.InsertOptions = {}): ReturnType<Ledger['insertRun']> {
    return requests.insertRun(this.#state, run, options);
  }

  async claimPlanning(claimant: Claimant): Promise<PlanningClaim | undefined> {
    return requests.claimPlanning(this.#state, claimant);
  }

  async commitPlan(claim: PlanningClaim, plan: PlanRows): Promise<boolean> {
    return requests.commitPlan(this.#state, claim, plan);
  }

  async failPlanning(claim: PlanningClaim, error: ErrorRecord): Promise<boolean> {
    return requests.failPlanning(this.#state, claim, error);
  }

  async claim(request: ClaimRequest): Promise<readonly Claim[]> {
    return work.claim(this.#state, request).claims;
  }

  async start(attempts: Parameters<Ledger['start']>[0]): Promise<ReadonlySet<number>> {
    return work.start(this.#state, attempts);
  }

  async settle(outcomes: readonly Outcome[]): Promise<Settled> {
    return work.settle(this.#state, outcomes);
  }

  async beat(outcomes: readonly Outcome[], request: ClaimRequest): Promise<Beat> {
    const settled = await this.settle(outcomes);
    // A claim sees all that was released.
    const released = settled.released && request.limit === 0;
    // There are no others.
    return { ...settled, released, fresh: settled.released, ...work.claim(this.#state, request), rings: [] };
  }

  async fireTimers(): ReturnType<Ledger['fireTimers']> {
    return work.fireTimers(this.#state);
  }

  async hasReady(assets: readonly string[]): Promise<boolean> {
    for (const row of this.#state.ready()) if (assets.includes(row.asset)) return true;
    return false;
  }

  async cancelRun(run: number, act: Act & { readonly grace: number }): ReturnType<Ledger['cancelRun']> {
    return acts.cancelRun(this.#state, run, act);
  }

  /** Whatever is to be cancelled is so at once. */
  async stopPending(): ReturnType<Ledger['stopPending']> {
    return { running: [], ended: [], rings: [], more: false };
  }

  async invalidate(targets: readonly AssetPartitions[], act: Act & Transactional): Promise<number> {
    return acts.invalidate(this.#state, targets, act);
  }

  async deleteHeads(targets: readonly AssetPartitions[], act: Act): ReturnType<Ledger['deleteHeads']> {
    return acts.deleteHeads(this.#state, targets, act);
  }

  async reportVersion(report: Parameters<Ledger['reportVersion']>[0], act: Act & Transactional): Promise<number> {
    return acts.reportVersion(this.#state, report, act);
  }

  async addPartitions(name: string, keys: readonly string[], act: Act & Transactional): Promise<readonly string[]> {
    return acts.addPartitions(this.#state, name, keys, act);
  }

  async removePartitions(name: string, keys: readonly string[], act: Act & Transactional): Promise<readonly string[]> {
    return acts.removePartitions(this.#state, name, keys, act);
  }

  async dynamicPartitions(name: string): Promise<readonly string[]> {
    return reads.dynamicPartitions(this.#state, name);
  }

  async heads(queries: readonly AssetPartitions[]): Promise<readonly ReadonlyMap<string, HeadRecord>[]> {
    return queries.map((query) => reads.heads(this.#state, query));
  }

  async headsFrom(...page: Parameters<Ledger['headsFrom']>): ReturnType<Ledger['headsFrom']> {
    return reads.headsFrom(this.#state, ...page);
  }

  async consumed(materializations: readonly number[]): ReturnType<Ledger['consumed']> {
    return reads.consumed(this.#state, materializations);
  }

  async run(id: number): Promise<RunRecord | undefined> {
    const removed = [...this.#state.runKeys.values()].find((key) => key.run === id)?.removed;
    const run = this.#state.runs.get(id) ?? removed;
    return run && reads.runRecord(run);
  }

  async runByKey(runKey: string): Promise<RunRecord | undefined> {
    const key = this.#state.runKeys.get(runKey);
    return key && this.run(key.run);
  }

  async runs(filter: Parameters<Ledger['runs']>[0], page: PageRequest): Promise<Page<RunRecord>> {
    return reads.runs(this.#state, filter, page);
  }

  async materialization(id: number): Promise<MaterializationRecord | undefined> {
    const row = this.#state.rows.get(id);
    return row && reads.materializationRecord(row);
  }

  async materializations(
    filter: Parameters<Ledger['materializations']>[0],
    page: PageRequest,
  ): Promise<Page<MaterializationRecord>> {
    return reads.materializations(this.#state, filter, page);
  }

  async leftovers(run: number): Promise<PlanRows> {
    return reads.leftovers(this.#state, run);
  }

  async waitFacts(id: number): ReturnType<Ledger['waitFacts']> {
    return reads.waitFacts(this.#state, id);
  }

  async waitingIn(run: number): Promise<readonly number[]> {
    return reads.waitingIn(this.#state, run);
  }

  async startFacts(of: Parameters<Ledger['startFacts']>[0]): ReturnType<Ledger['startFacts']> {
    return reads.startFacts(this.#state, of);
  }

  async progressOf(run: number, executed: readonly string[]): ReturnType<Ledger['progressOf']> {
    return reads.progressOf(this.#state, run, executed);
  }

  async events(filter: Parameters<Ledger['events']>[0], page: PageRequest): Promise<Page<EventRecord>> {
    return reads.events(this.#state, filter, page);
  }
}
