// The ledger in memory: the behaviours of the SQL ledger without a database, for tests and `storage: 'memory'`.
// Requests and work stand here; acts by people and reads in memory-acts.ts and memory-reads.ts.
import canonicalize from 'canonicalize';
import { FlowStoneError } from '../../flowstone.errors.js';
import type {
  Act,
  AssetRegistration,
  AssetPartitions,
  Beat,
  Claim,
  Claimant,
  ClaimRequest,
  CurrentDefinition,
  DueDeadline,
  EntityManager,
  Ledger,
  Outcome,
  Page,
  PageRequest,
  PlanningClaim,
  PlanRows,
  PoolRegistration,
  ProcessRegistration,
  Renewal,
  Settled,
  Transactional,
  Verdict,
} from '../ledger.port.js';
import type { ErrorRecord, EventRecord, HeadRecord, MaterializationRecord, NewRun, RunRecord } from '../records.js';
import { isTerminal, RESCUE_CAP } from '../transitions.js';
import * as acts from './memory-acts.js';
import { MemoryBatches } from './memory-batches.js';
import { MemoryCollection } from './memory-collection.js';
import * as reads from './memory-reads.js';
import { MemoryState, newRunRow, type Row, type RunRow } from './memory-state.js';

export class MemoryLedger implements Ledger {
  readonly durable = false;
  readonly collection: MemoryCollection;
  readonly #state: MemoryState;

  /** @param clock the time in ms; tests pass their own. */
  constructor(clock: () => number = Date.now) {
    this.#state = new MemoryState(clock);
    this.collection = new MemoryCollection(this.#state);
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
  ): Promise<void> {
    acts.register(this.#state, process, assets, pools);
  }

  async renew(id: string): Promise<Renewal> {
    const process = this.#state.processes.get(id);
    if (!process) return { alive: false, held: [], cancelled: [] };
    process.leaseUntil = this.#state.clock() + process.lease;
    const rows = this.#heldBy(id);
    const attempt = ({ id: row, epoch }: Row) => ({ id: row, epoch });
    return {
      alive: true,
      held: rows.map(attempt),
      cancelled: rows.filter((row) => row.cancelRequested).map(attempt),
    };
  }

  /** No answer is ever lost. */
  recall(): void {}

  async unregister(id: string): Promise<void> {
    for (const row of this.#heldBy(id)) this.#state.handBack(row);
    this.#state.processes.delete(id);
  }

  async rescue(): Promise<number> {
    let rescued = 0;
    for (const process of [...this.#state.processes.values()]) {
      if (process.leaseUntil > this.#state.clock()) continue;
      for (const row of this.#heldBy(process.id)) {
        rescued++;
        this.#rescueRow(row, process.id);
      }
      this.#state.processes.delete(process.id);
    }
    return rescued;
  }

  async currentDefinitions(id?: string): Promise<readonly CurrentDefinition[]> {
    const process = id === undefined ? undefined : this.#state.processes.get(id);
    if (process) process.outdated = false;
    return reads.currentDefinitions(this.#state);
  }

  async insertRun(
    run: NewRun,
    options: Transactional & { readonly plan?: PlanRows; readonly claim?: ClaimRequest } = {},
  ): Promise<{ run: RunRecord; created: boolean; claims: readonly Claim[] }> {
    acts.refuseTransaction(options);
    const existing = this.#existingRun(run);
    if (existing) return { run: reads.runRecord(existing), created: false, claims: [] };
    const state = this.#state;
    const row = newRunRow(state.nextRunId(), { ...run, createdAt: new Date(state.clock()) });
    state.runs.set(row.id, row);
    if (run.runKey !== null) state.runKeys.set(run.runKey, { request: requestText(run), run: row.id });
    state.tell('run.requested', { run: row.id, actor: run.requestedBy });
    if (options.plan) this.#insertPlan(row, options.plan);
    const claims = options.claim ? this.#claim(options.claim, row.id).claims : [];
    return { run: reads.runRecord(row), created: true, claims };
  }

  async claimPlanning({ process, assets }: Claimant): Promise<PlanningClaim | undefined> {
    if (this.#state.processes.get(process)?.outdated) return undefined;
    const waiting = [...this.#state.runs.values()].filter(
      (run) =>
        run.status === 'planning' &&
        (run.planner === null || run.planner === process || !this.#state.processes.has(run.planner)) &&
        run.request.targets.every(({ asset }) => assets.includes(asset)),
    );
    const run = waiting.sort((a, b) => b.priority - a.priority || a.id - b.id)[0];
    if (!run) return undefined;
    run.planner = process;
    return { run: reads.runRecord(run), epoch: ++run.planningEpoch };
  }

  async commitPlan(claim: PlanningClaim, plan: PlanRows): Promise<boolean> {
    const run = this.#planned(claim);
    if (run) this.#insertPlan(run, plan);
    return run !== undefined;
  }

  async failPlanning(claim: PlanningClaim, error: ErrorRecord): Promise<boolean> {
    const run = this.#planned(claim);
    if (!run) return false;
    run.status = 'failed';
    run.error = error;
    run.completedAt = new Date(this.#state.clock());
    this.#state.tell('run.ended', { run: run.id, detail: { status: 'failed' } });
    return true;
  }

  async claim(request: ClaimRequest): Promise<readonly Claim[]> {
    return this.#claim(request).claims;
  }

  async start(
    attempts: readonly { id: number; epoch: number; timeout: number | null }[],
  ): Promise<ReadonlySet<number>> {
    const held = new Set<number>();
    for (const { id, epoch, timeout } of attempts) {
      const row = this.#attempt(id, epoch);
      if (!row) continue;
      held.add(id);
      row.startedAt = new Date(this.#state.clock());
      if (timeout === null) continue;
      row.deadline = this.#state.clock() + timeout;
      this.#state.setTimer({ kind: 'timeout', owner: id, epoch, firesAt: row.deadline });
    }
    return held;
  }

  async settle(outcomes: readonly Outcome[]): Promise<Settled> {
    const verdicts: Verdict[] = [];
    const endedRuns: number[] = [];
    for (const outcome of outcomes) {
      const row = this.#attempt(outcome.id, outcome.epoch);
      const expired = outcome.kind === 'success' && row?.deadline != null && row.deadline <= this.#state.clock();
      verdicts.push(!row ? 'fenced' : expired ? 'expired' : 'committed');
      if (row && !expired) endedRuns.push(...this.#apply(row, outcome));
    }
    return { verdicts, endedRuns, released: !this.#state.ready()[Symbol.iterator]().next().done };
  }

  async beat(outcomes: readonly Outcome[], request: ClaimRequest): Promise<Beat> {
    const settled = await this.settle(outcomes);
    // A claim sees all that was released.
    const released = settled.released && request.limit === 0;
    // There are no others.
    return { ...settled, released, ...this.#claim(request), rings: [] };
  }

  async fireTimers(): Promise<{ released: number; due: readonly DueDeadline[]; next: Date | null }> {
    const now = this.#state.clock();
    const due: DueDeadline[] = [];
    let released = 0;
    let next: number | null = null;
    for (const [name, timer] of [...this.#state.timers]) {
      if (timer.firesAt > now) next = Math.min(next ?? timer.firesAt, timer.firesAt);
      const row = this.#state.rows.get(timer.owner);
      if (timer.firesAt > now || !row) continue;
      if (timer.kind === 'retry') {
        this.#state.timers.delete(name);
        this.#state.setReady(row, true);
        released++;
      } else {
        due.push({
          kind: timer.kind,
          id: row.id,
          epoch: timer.epoch,
          run: row.run!,
          asset: row.asset,
          partition: row.partition,
          attempt: row.attempts + 1,
        });
      }
    }
    return { released, due, next: next === null ? null : new Date(next) };
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
    return { running: [], ended: [], released: false, more: false };
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

  async progressOf(run: number): ReturnType<Ledger['progressOf']> {
    return reads.progressOf(this.#state, run);
  }

  async events(filter: Parameters<Ledger['events']>[0], page: PageRequest): Promise<Page<EventRecord>> {
    return reads.events(this.#state, filter, page);
  }

  #heldBy(process: string): Row[] {
    return [...this.#state.rows.values()].filter((row) => row.status === 'running' && row.process === process);
  }

  #rescueRow(row: Row, lost: string): void {
    row.rescues++;
    row.epoch++;
    this.#state.tell('materialization.rescued', {
      run: row.run,
      materialization: row.id,
      asset: row.asset,
      partition: row.partition,
    });
    if (row.rescues <= RESCUE_CAP) return void this.#state.handBack(row);
    const message = `${row.asset} lost its worker ${row.rescues} times, the last time ${lost}. Look for what kills the process.`;
    this.#state.end(row, 'failed', {
      code: 'FLOWSTONE_WORKER_LOST',
      family: 'infrastructure',
      message,
      retryable: true,
    });
  }

  /** The row, if it is running at this epoch: the fence. */
  #attempt(id: number, epoch: number): Row | undefined {
    const row = this.#state.rows.get(id);
    return row?.status === 'running' && row.epoch === epoch ? row : undefined;
  }

  #planned(claim: PlanningClaim): RunRow | undefined {
    const run = this.#state.runs.get(claim.run.id);
    return run?.status === 'planning' && run.planningEpoch === claim.epoch ? run : undefined;
  }

  #existingRun(run: NewRun): RunRow | undefined {
    const state = this.#state;
    if (run.retryOf !== null) {
      for (const other of state.runs.values())
        if (other.retryOf === run.retryOf && other.completedAt === null) return other;
    }
    const key = run.runKey === null ? undefined : state.runKeys.get(run.runKey);
    if (!key) return undefined;
    if (key.request === requestText(run)) return state.runs.get(key.run) ?? key.removed;
    throw new FlowStoneError(
      'FLOWSTONE_RUN_KEY_CONFLICT',
      `Run key "${run.runKey}" was used by run ${key.run} for another request. Choose another run key, or repeat that request unchanged.`,
      { context: { runKey: run.runKey, run: key.run } },
    );
  }

  #insertPlan(run: RunRow, plan: PlanRows): void {
    const state = this.#state;
    run.status = 'running';
    run.counts.total = run.counts.pending = plan.size;
    const { starts, upstreams } = plan.edges;
    for (let i = 0; i < plan.size; i++) {
      const row = state.insertRow({
        id: state.nextId(),
        run: run.id,
        asset: plan.assetAt(i),
        partition: plan.partitionAt(i),
        places: state.placesOf(plan.assetAt(i), plan.partitionAt(i)),
        forced: plan.forcedAt(i),
        priority: plan.priorityAt(i),
      });
      run.rows.push(row.id);
      state.head(row.asset, row.partition);
      row.blockers = starts[i + 1]! - starts[i]!;
      state.linkUpstreams(
        row,
        Array.from(upstreams.subarray(starts[i], starts[i + 1]), (index) => run.rows[index]!),
      );
      if (row.blockers === 0) state.setReady(row, true);
    }
    state.tell('run.planned', { run: run.id, detail: { materializations: plan.size } });
    for (let i = 0; i < plan.size; i++) {
      const error = plan.blockedAt(i);
      const row = state.rows.get(run.rows[i]!)!;
      if (error && !isTerminal(row.status)) state.end(row, 'failed', error);
    }
    state.endRunIfDone(run);
  }

  #claim(request: ClaimRequest, onlyRun?: number): Pick<Beat, 'claims' | 'again' | 'outdated'> {
    const state = this.#state;
    const assets = new Set(request.assets);
    const claims: Claim[] = [];
    const batches = new MemoryBatches(request.batchSizes, () => state.nextBatch());
    let places = 0;
    let again: number | null = null;
    // A process that was given up must not get work that nobody would rescue.
    const process = state.processes.get(request.process);
    const outdated = process?.outdated === true;
    if (!process || outdated) return { claims, again, outdated };
    for (const row of state.ready()) {
      if (places >= request.limit && !batches.anyOpen) break;
      if (!assets.has(row.asset) || (onlyRun !== undefined && row.run !== onlyRun)) continue;
      const run = state.runs.get(row.run!)!;
      const joins = batches.isOpenFor(row);
      if (!joins && (places >= request.limit || run.places >= (run.maxConcurrency ?? Infinity))) continue;
      const full = row.places.filter((place) => place?.isOpen === false);
      if (!joins && full.length > 0) {
        const due = Math.max(...full.map((place) => place!.facts().tokenDue ?? 0));
        if (due > 0) again = Math.min(again ?? due, due);
        continue;
      }
      const head = state.head(row.asset, row.partition);
      if (head.active !== null && head.active !== row.id) {
        state.waitFor(row, state.rows.get(head.active)!);
        continue;
      }
      if (!joins) places++;
      row.batch = batches.enter(row);
      head.active = row.id;
      state.setReady(row, false);
      state.move(row, 'running');
      row.epoch++;
      row.process = request.process;
      claims.push(state.claimOf(row, run));
    }
    return { claims, again, outdated };
  }

  #apply(row: Row, outcome: Outcome): number[] {
    const state = this.#state;
    switch (outcome.kind) {
      case 'success': {
        const { value, dataVersion, codeVersion, inputs, upstreams, consumed, metadata, startedAt } = outcome;
        Object.assign(row, {
          value,
          dataVersion,
          codeVersion,
          inputs,
          upstreams,
          edges: consumed,
          metadata,
          startedAt,
        });
        const head = state.head(row.asset, row.partition);
        state.moveHead(head, row.id);
        row.attempts++;
        return state.end(row, 'success');
      }
      case 'skipped':
        row.skipped = { reason: outcome.reason, joined: outcome.joined };
        return state.end(row, 'skipped');
      case 'failed':
        row.attempts++;
        row.startedAt = outcome.startedAt;
        return state.end(row, 'failed', outcome.error);
      case 'cancelled':
        return state.end(row, 'cancelled');
      case 'handed_back':
        return state.handBack(row);
      case 'retry':
        if (row.cancelRequested) return state.end(row, 'cancelled');
        if (outcome.infrastructure) row.rescues++;
        else row.attempts++;
        row.error = outcome.error;
        state.giveBack(row, false);
        state.setTimer({ kind: 'retry', owner: row.id, epoch: row.epoch, firesAt: state.clock() + outcome.delay });
        state.tell('materialization.retrying', {
          run: row.run,
          materialization: row.id,
          asset: row.asset,
          partition: row.partition,
        });
        return [];
    }
  }
}

/** What must be equal for a run key to mean the same request. */
function requestText(run: NewRun): string {
  return canonicalize([run.request, run.priority, run.tags, run.maxConcurrency, run.failFast])!;
}
