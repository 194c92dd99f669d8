// From a validated request to a recorded run and its handle; cancelling and retrying runs.
import { currentContext } from '../assets/asset.context.js';
import { FlowStoneError } from '../flowstone.errors.js';
import type { EntityManager, Ledger } from '../ledger/ledger.port.js';
import type { ClaimRequest, PlanRows } from '../ledger/work.js';
import type { NewRun, RunRecord, RunRequest } from '../ledger/records.js';
import type { Plan } from '../planning/plan.js';
import type { PlanningModel } from '../planning/planning-model.js';
import { requireStorable } from '../request.options.js';
import type { Coordinator } from './coordinator.js';
import { crashPoint } from './crash-points.js';
import { RunHandle, type RunHandleParts } from './run.handle.js';
import type { RunPlanner } from './run.planner.js';
import type { RunSignals } from './run.signals.js';
import type { RunViews } from './run.view.js';
import type { RequestTrace, RequestTracing } from './tracing.port.js';

/** Partitions that a request names one by one and that are planned before materialize() answers. */
const PLANNED_AT_ONCE = 64;

/** What a request says beside what is to be materialized. */
export interface RunOptions {
  /** The same key and request return the same run, whatever became of it. */
  readonly runKey?: string;
  /** Higher goes first; default 0. Each minute in which nothing of the run was begun in a pool counts as one more there. */
  readonly priority?: number;
  readonly tags?: Readonly<Record<string, string>>;
  readonly requestedBy?: string;
  /** At most so many of this run's materializations at once. */
  readonly maxConcurrency?: number;
  /** End the run's pending work at the first failure. */
  readonly failFast?: boolean;
  /** An open transaction on the ledger's database: the request exists exactly if it commits. */
  readonly manager?: EntityManager;
}

/** A run that is to be recorded; without rows, it is planned later. */
export interface PreparedRun {
  readonly run: NewRun;
  readonly plan: Plan | undefined;
  readonly rows: PlanRows | undefined;
  /** With telemetry. */
  readonly trace?: RequestTrace | undefined;
}

interface TransactionalRequest {
  readonly manager: EntityManager;
  /** Once it has committed. */
  awaitPlan(): void;
}

interface RequesterHooks extends Pick<RunHandleParts, 'beforeRead' | 'waits'> {
  runEnded(run: number): void;
}

export class RunRequester {
  constructor(
    private readonly ledger: Ledger,
    private readonly planner: RunPlanner,
    private readonly coordinator: Coordinator,
    private readonly views: RunViews,
    private readonly signals: RunSignals,
    private readonly options: { readonly cancelGrace: number; readonly alone: boolean },
    private readonly hooks: RequesterHooks,
    private readonly tracing?: RequestTracing,
  ) {}

  /** @param model of the moment at which the request was read */
  async request(request: RunRequest, options: RunOptions, model: PlanningModel): Promise<RunHandle> {
    const trace = this.tracing?.request(request);
    try {
      return await this.#request(request, options, model, trace);
    } catch (error) {
      trace?.failed(error);
      throw error;
    }
  }

  async #request(
    request: RunRequest,
    options: RunOptions,
    model: PlanningModel,
    trace: RequestTrace | undefined,
  ): Promise<RunHandle> {
    const { manager } = options;
    if (manager) {
      const run = newRun(request, options, trace);
      const here = this.planner.canPlan(request);
      const awaitPlan = (): void => this.coordinator.awaitPlan(this.planner.targetPools(request), here);
      let id = 0;
      const committed = (): void => {
        trace?.recorded(id);
        awaitPlan();
      };
      ({ id } = (await this.ledger.insertRun(run, { manager, committed })).run);
      return this.handle(id, { manager, awaitPlan: committed });
    }
    const prepared = await this.#prepare(request, options, model, trace);
    const claim = this.#claim();
    const { rows } = prepared;
    const inserted = await this.ledger.insertRun(prepared.run, rows ? { plan: rows, ...(claim && { claim }) } : {});
    crashPoint('after-request');
    trace?.recorded(inserted.run.id);
    this.coordinator.accept(inserted.claims);
    if (inserted.created) await this.recorded(prepared, inserted.run);
    return this.handle(inserted.run.id);
  }

  /**
   * A run for whoever records it in a transaction with something else, and tells that by {@link recorded}. Planned where it
   * is small: by whoever asks, also where that executes nothing, so that it does not wait until larger ones are planned.
   * @param model of the moment at which the request was read
   */
  prepare(request: RunRequest, options: Omit<RunOptions, 'manager'>, model: PlanningModel): Promise<PreparedRun> {
    return this.#prepare(request, options, model, this.tracing?.request(request));
  }

  async #prepare(
    request: RunRequest,
    options: Omit<RunOptions, 'manager'>,
    model: PlanningModel,
    trace: RequestTrace | undefined,
  ): Promise<PreparedRun> {
    const run = newRun(request, options, trace);
    const small = isSmall(request) && this.planner.canPlan(request);
    const plan = small ? await this.planner.plan(request, model) : undefined;
    return { run, plan, rows: plan && this.planner.rows(plan, run.priority), ...(trace && { trace }) };
  }

  /** The run has been recorded, and is a new one: it begins, here or where it can. */
  async recorded({ run: { request }, plan, rows, trace }: PreparedRun, { id, completedAt }: RunRecord): Promise<void> {
    trace?.recorded(id);
    // Nothing to do, or nothing that can be done.
    if (completedAt) this.hooks.runEnded(id);
    else this.signals.changed(id);
    if (rows) this.coordinator.offer(await this.planner.readyPools(rows));
    else this.coordinator.awaitPlan(this.planner.targetPools(request), this.planner.canPlan(request));
    if (plan) await this.planner.tellBlocked(id, plan);
  }

  /** A new run of what is left of another; while such a one is open, that one. */
  async retry(id: number, requestedBy: string | null): Promise<RunHandle> {
    requireStorable('requestedBy', [requestedBy ?? undefined]);
    const old = await this.handle(id).view();
    const plan = await this.ledger.leftovers(id);
    if (plan.size === 0 && (old.counts.total > 0 || old.status === 'success')) {
      throw new FlowStoneError('FLOWSTONE_REQUEST_INVALID', `Run ${id} has nothing to retry: all of it succeeded.`, {
        context: { run: id },
      });
    }
    const { request, priority, tags, maxConcurrency, failFast } = old;
    const trace = this.tracing?.request(request);
    const again: NewRun = {
      ...{ request, runKey: null, retryOf: id, priority, tags, requestedBy, maxConcurrency, failFast },
      ...(trace?.context && { trace: trace.context }),
    };
    // A run that was never planned has no materializations: its request is planned anew.
    const inserted = await this.ledger.insertRun(again, plan.size > 0 ? { plan } : {});
    trace?.recorded(inserted.run.id);
    this.signals.changed(inserted.run.id);
    if (plan.size > 0) this.coordinator.offer(await this.planner.readyPools(plan));
    else this.coordinator.awaitPlan(this.planner.targetPools(request), this.planner.canPlan(request));
    return this.handle(inserted.run.id);
  }

  async cancel(id: number, actor: string | null, reason: string | null): Promise<void> {
    requireStorable('by and reason', [actor ?? undefined, reason ?? undefined]);
    const grace = this.options.cancelGrace;
    const { accepted, ended, ...first } = await this.ledger.cancelRun(id, { actor, reason, grace });
    if (!accepted) await this.handle(id).view();
    let step: Awaited<ReturnType<Ledger['stopPending']>> = { ...first, ended: ended ? [id] : [] };
    for (;;) {
      this.coordinator.cancel(step.running);
      for (const run of step.ended) this.hooks.runEnded(run);
      if (!step.ended.includes(id)) this.signals.changed(id);
      this.coordinator.offer(step.rings);
      if (!step.more) return;
      crashPoint('amid-cancel');
      step = await this.ledger.stopPending(id);
    }
  }

  /** @param request how the run was requested, if that was in a transaction. */
  handle(id: number, request?: TransactionalRequest): RunHandle {
    return new RunHandle(id, {
      views: this.views,
      signals: this.signals,
      alone: this.options.alone,
      cancel: (run, reason) => this.cancel(run, null, reason),
      beforeRead: this.hooks.beforeRead,
      waits: this.hooks.waits,
      beforeWait: () => {
        refuseNested('Waiting for a run');
        if (request?.manager.queryRunner?.isTransactionActive) {
          throw new FlowStoneError(
            'FLOWSTONE_RUN_NOT_COMMITTED',
            `Run ${id} was requested in a transaction that is still open. Commit it, then wait.`,
            { context: { run: id } },
          );
        }
        // Nobody may have heard of its commit.
        request?.awaitPlan();
      },
    });
  }

  #claim(): ClaimRequest | undefined {
    const { free } = this.coordinator;
    if (free === 0) return undefined;
    return { ...this.coordinator.claimant(), limit: free };
  }
}

/** @throws FlowStoneError FLOWSTONE_NESTED_MATERIALIZATION inside `execute` */
export function refuseNested(what: string): void {
  const context = currentContext();
  if (!context) return;
  throw new FlowStoneError(
    'FLOWSTONE_NESTED_MATERIALIZATION',
    `${what} inside execute() of ${context.asset} would hold its slot meanwhile. Declare the dependency with @DependsOn instead.`,
    { context: { asset: context.asset } },
  );
}

function newRun(request: RunRequest, options: RunOptions, trace: RequestTrace | undefined): NewRun {
  const tags = Object.entries(options.tags ?? {});
  requireStorable('runKey, requestedBy and tags', [options.runKey, options.requestedBy, ...tags.flat()]);
  return {
    request,
    runKey: options.runKey ?? null,
    retryOf: null,
    priority: options.priority ?? 0,
    tags: options.tags ?? {},
    requestedBy: options.requestedBy ?? null,
    maxConcurrency: options.maxConcurrency ?? null,
    failFast: options.failFast ?? false,
    ...(trace?.context && { trace: trace.context }),
  };
}

/** Whether few partitions are named one by one, so that planning them takes no time worth mentioning. */
function isSmall({ targets, upstream, downstream }: RunRequest): boolean {
  const named = targets.map(({ partitions }) =>
    typeof partitions === 'object' && 'keys' in partitions ? partitions.keys.length : Infinity,
  );
  return upstream !== 'all' && !downstream && named.reduce((sum, count) => sum + count, 0) <= PLANNED_AT_ONCE;
}
