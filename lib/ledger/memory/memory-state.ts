// The state of the in-memory ledger and the one way a row ends. Everything is synchronous, hence atomic.
import { isTerminal, mayBecome, openCount, plannedRunStatus } from '../transitions.js';
import type { Claim } from '../work.js';
import type { ErrorRecord, EventKind, EventRecord, HeadRecord, JsonObject, MaterializationStatus } from '../records.js';
import { ATTEMPTS, type AttemptNotice } from '../outbox.port.js';
import type { CheckResult } from '../check.records.js';
import type { LogLine } from '../logs.port.js';
import { MemoryOutbox } from './memory-outbox.js';
import { MemoryPools } from './memory-pools.js';
import {
  located,
  type ApprovalRow,
  type DefinitionRow,
  type Head,
  type ProcessRow,
  type Row,
  type RunRow,
  type Superseded,
  type Timer,
} from './memory-rows.js';

type AttemptEnd = AttemptNotice['ended'][number][2];

export class MemoryState {
  readonly rows = new Map<number, Row>();
  readonly runs = new Map<number, RunRow>();
  readonly runKeys = new Map<string, { readonly request: string; readonly run: number; removed?: RunRow }>();
  readonly heads = new Map<string, Map<string, Head>>();
  readonly processes = new Map<string, ProcessRow>();
  readonly definitions = new Map<string, Map<string, DefinitionRow>>();
  readonly dynamic = new Map<string, Map<string, { retired: boolean }>>();
  readonly timers = new Map<string, Timer>();
  readonly approvals = new Map<number, ApprovalRow>();
  /** Told of each materialization that waited for a decision and does so no more, since it was cancelled. */
  approvalClosed: (row: Row) => void = () => undefined;
  /** What attempts of each materialization have logged. */
  readonly logs = new Map<number, LogLine[]>();
  /** What checks found of each materialization. */
  readonly checks = new Map<number, readonly CheckResult[]>();
  events: EventRecord[] = [];
  lastEvent = 0;
  /** The last of those that retention has removed. */
  lastRemovedEvent = 0;
  /** In the order in which they were superseded. */
  readonly superseded = new Map<number, Superseded>();
  /** The attempts that ran when something was condemned, by collection. */
  readonly collections = new Map<number, readonly { readonly id: number; readonly epoch: number | null }[]>();
  readonly #ready = new Map<number, Set<number>>();
  readonly #dependents = new Map<number, number[]>();
  readonly #waiters = new Map<number, Set<number>>();
  readonly pools: MemoryPools;
  readonly outbox: MemoryOutbox;
  /** Whether notices are written of attempts (AttemptNotice). */
  tellsAttempts = false;
  /** How many of each batch are running. */
  readonly #batches = new Map<number, number>();
  #lastBatch = 0;
  #lastId = 0;
  #lastRun = 0;
  #lastCollection = 0;

  constructor(readonly clock: () => number) {
    this.pools = new MemoryPools(clock);
    this.outbox = new MemoryOutbox(clock, (kind, about) => this.tell(kind, about));
  }

  nextId(): number {
    return ++this.#lastId;
  }

  nextBatch(): number {
    return ++this.#lastBatch;
  }

  nextRunId(): number {
    return ++this.#lastRun;
  }

  tell(kind: EventKind, about: Partial<Omit<EventRecord, 'id' | 'at' | 'kind'>>): void {
    this.events.push({
      id: ++this.lastEvent,
      at: new Date(this.clock()),
      kind,
      run: null,
      materialization: null,
      asset: null,
      partition: null,
      actor: null,
      detail: null,
      ...about,
    });
  }

  head(asset: string, partition: string): Head {
    let ofAsset = this.heads.get(asset);
    if (!ofAsset) this.heads.set(asset, (ofAsset = new Map()));
    let head = ofAsset.get(partition);
    if (!head)
      ofAsset.set(partition, (head = { materialization: null, active: null, invalidated: false, failed: false }));
    return head;
  }

  /** Another version becomes the head, or none. */
  moveHead(head: Head, materialization: number | null): void {
    const former = head.materialization;
    if (former !== null) this.superseded.set(former, { at: this.clock(), collection: null, gone: false });
    head.materialization = materialization;
    head.invalidated = false;
  }

  /** The values of these superseded versions are to be deleted, once no attempt runs any more that may have pinned them. */
  condemn(ids: readonly number[]): number | null {
    if (ids.length === 0) return null;
    const collection = ++this.#lastCollection;
    for (const id of ids) {
      this.superseded.get(id)!.collection = collection;
      this.rows.get(id)!.valueRemoved = true;
    }
    const running = [...this.rows.values()].filter(({ status }) => status === 'running');
    const asked = new Set(Array.from(this.approvals.values(), ({ record }) => record.materialization));
    this.collections.set(collection, [
      ...running.map(({ id, epoch }) => ({ id, epoch })),
      // What people are asked about, or have decided, is read by whatever attempt carries it out.
      ...Array.from(asked, (id) => ({ id, epoch: null })),
    ]);
    return collection;
  }

  removeRows(ids: readonly number[]): void {
    const gone = new Set(ids);
    const runs = new Set(ids.map((id) => this.rows.get(id)!.run));
    for (const id of runs) {
      const run = id === null ? undefined : this.runs.get(id);
      if (run) run.rows = run.rows.filter((row) => !gone.has(row));
    }
    for (const id of ids) {
      this.rows.delete(id);
      this.superseded.delete(id);
      this.checks.delete(id);
    }
  }

  /** Whether there was one. Its key keeps what became of it. */
  removeRun(id: number): boolean {
    const run = this.runs.get(id);
    const key = run?.runKey != null ? this.runKeys.get(run.runKey) : undefined;
    if (run && key?.run === id) key.removed = run;
    return this.runs.delete(id);
  }

  removeKeys(): number {
    const wanted = new Set(
      [...this.rows.values()].flatMap(({ run, places }) => (run !== null && this.runs.has(run) ? places : [])),
    );
    return this.pools.removeKeys((key) => wanted.has(key));
  }

  removeEvents(which: (event: EventRecord) => boolean, limit: number): number {
    const removed = new Set(this.events.filter(which).slice(0, limit));
    this.events = this.events.filter((event) => !removed.has(event));
    for (const { id } of removed) this.lastRemovedEvent = Math.max(this.lastRemovedEvent, id);
    return removed.size;
  }

  placesOf(asset: string, partition: string): ReturnType<MemoryPools['placesOf']> {
    return this.pools.placesOf(this.poolOf(asset), this.#newestOf(asset)?.dimensions ?? [], partition);
  }

  poolOf(asset: string): string {
    return this.#newestOf(asset)?.pool ?? 'default';
  }

  #newestOf(asset: string) {
    return [...(this.definitions.get(asset)?.values() ?? [])].at(-1);
  }

  isPartitioned(asset: string): boolean {
    const [definition] = this.definitions.get(asset)?.values() ?? [];
    return definition?.partitioned ?? false;
  }

  headRecord(partition: string, head: Head): HeadRecord {
    const row = head.materialization === null ? undefined : this.rows.get(head.materialization);
    return {
      partition,
      materialization: head.materialization,
      dataVersion: row?.dataVersion ?? null,
      codeVersion: row?.codeVersion ?? null,
      inputs: row?.inputs ?? null,
      upstreams: row?.upstreams ?? null,
      invalidated: head.invalidated,
      failed: head.failed,
      value: row ? located(row.value) : null,
      completedAt: row?.completedAt ?? null,
      active: head.active,
    };
  }

  insertRow(fields: Pick<Row, 'id' | 'run' | 'asset' | 'partition' | 'forced' | 'priority'> & Partial<Row>): Row {
    const row: Row = {
      places: [],
      batch: null,
      status: 'pending',
      epoch: 0,
      attempts: 0,
      rescues: 0,
      repins: 0,
      process: null,
      waitingFor: null,
      waitedFor: null,
      skipped: null,
      error: null,
      codeVersion: null,
      dataVersion: null,
      inputs: null,
      upstreams: null,
      definition: null,
      value: null,
      valueRemoved: false,
      metadata: null,
      createdAt: new Date(this.clock()),
      startedAt: null,
      completedAt: null,
      blockers: 0,
      ready: false,
      edges: [],
      deadline: null,
      toldAttempt: null,
      cancelRequested: false,
      ...fields,
    };
    this.rows.set(row.id, row);
    return row;
  }

  linkUpstreams(row: Row, upstreams: readonly number[]): void {
    row.edges = upstreams;
    for (const upstream of upstreams) {
      const list = this.#dependents.get(upstream);
      if (list) list.push(row.id);
      else this.#dependents.set(upstream, [row.id]);
    }
  }

  setReady(row: Row, ready: boolean): void {
    row.ready = ready;
    let ofPriority = this.#ready.get(row.priority);
    if (!ofPriority) this.#ready.set(row.priority, (ofPriority = new Set()));
    if (ready) ofPriority.add(row.id);
    else ofPriority.delete(row.id);
  }

  /** Ready rows, highest priority first, then in the order in which they became ready. */
  *ready(): Iterable<Row> {
    for (const priority of [...this.#ready.keys()].sort((a, b) => b - a)) {
      for (const id of this.#ready.get(priority)!) yield this.rows.get(id)!;
    }
  }

  readyPools(): string[] {
    return [...new Set(Array.from(this.ready(), (row) => this.poolOf(row.asset)))];
  }

  /** The row waits for the holder of its (asset, partition), which inherits a higher priority. */
  waitFor(row: Row, holder: Row): void {
    this.setReady(row, false);
    row.waitingFor = holder.id;
    let waiters = this.#waiters.get(holder.id);
    if (!waiters) this.#waiters.set(holder.id, (waiters = new Set()));
    waiters.add(row.id);
    if (holder.status === 'pending' && holder.priority < row.priority) {
      const { ready } = holder;
      this.setReady(holder, false);
      holder.priority = row.priority;
      this.setReady(holder, ready);
    }
  }

  move(row: Row, status: MaterializationStatus): void {
    if (!mayBecome(row.status, status))
      throw new Error(`materialization ${row.id}: ${row.status} cannot become ${status}`);
    const run = row.run === null ? undefined : this.runs.get(row.run);
    if (run) {
      run.counts[row.status]--;
      run.counts[status]++;
    }
    if (row.status === 'running') this.#givePlaceBack(row, run);
    if (status === 'running') this.#takePlace(row, run);
    row.status = status;
    if (status === 'running' && this.tellsAttempts) this.#tellBegun(row);
    else if (isTerminal(status)) this.tellEnded(row, status as AttemptEnd);
  }

  #tellBegun(row: Row): void {
    row.toldAttempt = row.attempts + row.rescues + 1;
    const notice: AttemptNotice = { began: [[row.id, row.toldAttempt]], ended: [] };
    this.outbox.post(ATTEMPTS, notice as unknown as JsonObject);
  }

  /** If it was told that the attempt began. */
  tellEnded(row: Row, how: AttemptEnd, error: ErrorRecord | null = null): void {
    if (row.toldAttempt === null) return;
    const notice: AttemptNotice = { began: [], ended: [[row.id, row.toldAttempt, how, error]] };
    row.toldAttempt = null;
    this.outbox.post(ATTEMPTS, notice as unknown as JsonObject);
  }

  /** That of a batch is taken by the first of it. */
  #takePlace(row: Row, run: RunRow | undefined): void {
    if (row.batch !== null) {
      const others = this.#batches.get(row.batch) ?? 0;
      this.#batches.set(row.batch, others + 1);
      if (others > 0) return;
    }
    for (const place of row.places) place?.take();
    if (run) run.places++;
  }

  /** That of a batch is given back by the last of it. */
  #givePlaceBack(row: Row, run: RunRow | undefined): void {
    if (row.batch !== null) {
      const others = this.#batches.get(row.batch)! - 1;
      this.#batches.set(row.batch, others);
      if (others > 0) return;
      this.#batches.delete(row.batch);
    }
    for (const place of row.places) place?.giveBack();
    if (run) run.places--;
  }

  setTimer(timer: Timer): void {
    this.timers.set(`${timer.owner}:${timer.kind}`, timer);
  }

  clearTimers(id: number): void {
    for (const kind of ['retry', 'timeout', 'cancel']) this.timers.delete(`${id}:${kind}`);
  }

  /** Waits for a decision, free of its process; the lock of (asset, partition) stays with it. */
  pause(row: Row): void {
    this.clearTimers(row.id);
    this.move(row, 'waiting_approval');
    row.process = null;
    row.deadline = null;
    row.startedAt = null;
    this.tell('materialization.waiting_approval', {
      run: row.run,
      materialization: row.id,
      asset: row.asset,
      partition: row.partition,
    });
  }

  /** Back to pending, free for any process; the lock of (asset, partition) stays with it. */
  giveBack(row: Row, ready: boolean): void {
    this.clearTimers(row.id);
    this.move(row, 'pending');
    row.process = null;
    row.deadline = null;
    row.startedAt = null;
    this.setReady(row, ready);
  }

  /** Given back untouched, ready at once; what was asked to stop ends instead. Returns runs that ended by it. */
  handBack(row: Row): number[] {
    if (row.cancelRequested) return this.end(row, 'cancelled');
    this.giveBack(row, true);
    return [];
  }

  /** A row reaches a terminal status: lock, waiters, dependents and run follow. Returns runs that ended by it. */
  end(row: Row, status: MaterializationStatus, error: ErrorRecord | null = null): number[] {
    const ended: number[] = [];
    const unreachable: Row[] = [];
    this.#endOne(row, status, error, unreachable);
    // A worklist, not a recursion: a chain may be as long as a plan.
    for (let next = unreachable.pop(); next; next = unreachable.pop())
      this.#endOne(next, 'upstream_failed', null, unreachable);
    const run = row.run === null ? undefined : this.runs.get(row.run);
    if (run && status === 'failed' && run.failFast) ended.push(...this.cancelPending(run));
    if (run && this.endRunIfDone(run)) ended.push(run.id);
    return ended;
  }

  cancelPending(run: RunRow): number[] {
    const pending = run.rows
      .map((id) => this.rows.get(id)!)
      .filter((row) => !isTerminal(row.status) && row.status !== 'running');
    // Marked first, so that ending one does not make its dependents upstream_failed.
    for (const row of pending) row.blockers = Number.POSITIVE_INFINITY;
    return pending.flatMap((row) => this.end(row, 'cancelled'));
  }

  /** A run that cannot be planned. */
  failPlanning(run: RunRow, error: ErrorRecord): void {
    run.status = 'failed';
    run.error = error;
    run.completedAt = new Date(this.clock());
    this.tell('run.ended', { run: run.id, detail: { status: 'failed' } });
  }

  endRunIfDone(run: RunRow): boolean {
    if (run.completedAt !== null || run.status !== 'running' || openCount(run.counts) > 0) return false;
    run.status = plannedRunStatus(run.counts, run.cancelRequested !== null);
    run.completedAt = new Date(this.clock());
    this.tell('run.ended', { run: run.id, detail: { status: run.status } });
    return true;
  }

  claimOf(row: Row, run: RunRow): Claim {
    const head = this.head(row.asset, row.partition);
    const joined = row.waitedFor === null ? undefined : this.rows.get(row.waitedFor);
    return {
      id: row.id,
      run: run.id,
      asset: row.asset,
      partition: row.partition,
      epoch: row.epoch,
      attempt: row.attempts + 1,
      rescues: row.rescues,
      repins: row.repins,
      forced: row.forced,
      batch: row.batch,
      forceMaxAge: run.request.forceMaxAge,
      priority: row.priority,
      requestedBy: run.requestedBy,
      tags: run.tags,
      joined: joined ? { id: joined.id, status: joined.status, error: joined.error } : null,
      head: this.headRecord(row.partition, head),
      claimedAt: new Date(this.clock()),
    };
  }

  #release(row: Row, head: Head): void {
    head.active = null;
    for (const id of this.#waiters.get(row.id) ?? []) {
      const waiter = this.rows.get(id)!;
      waiter.waitingFor = null;
      waiter.waitedFor = row.id;
      this.setReady(waiter, true);
    }
    this.#waiters.delete(row.id);
  }

  #endOne(row: Row, status: MaterializationStatus, error: ErrorRecord | null, unreachable: Row[]): void {
    if (isTerminal(row.status)) return;
    this.clearTimers(row.id);
    this.setReady(row, false);
    const waited = row.status === 'waiting_approval';
    this.move(row, status);
    if (waited) this.approvalClosed(row);
    row.error = error;
    row.completedAt = new Date(this.clock());
    if (row.waitingFor !== null) this.#waiters.get(row.waitingFor)?.delete(row.id);
    row.waitingFor = null;
    this.tell(`materialization.${status}` as EventKind, {
      run: row.run,
      materialization: row.id,
      asset: row.asset,
      partition: row.partition,
    });
    const head = this.head(row.asset, row.partition);
    if (status === 'failed' || status === 'upstream_failed') head.failed = true;
    if (status === 'success' || status === 'skipped') head.failed = false;
    if (head.active === row.id) this.#release(row, head);
    for (const id of this.#dependents.get(row.id) ?? []) {
      const dependent = this.rows.get(id)!;
      if (dependent.status !== 'pending' || dependent.blockers === Number.POSITIVE_INFINITY) continue;
      if (status !== 'success' && status !== 'skipped') unreachable.push(dependent);
      else if (--dependent.blockers === 0) this.setReady(dependent, true);
    }
    this.#dependents.delete(row.id);
  }
}
