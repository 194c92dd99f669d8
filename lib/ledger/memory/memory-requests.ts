// Requests for runs in memory: recording them, once per run key or open retry, and their plans.
import canonicalize from 'canonicalize';
import { FlowStoneError } from '../../flowstone.errors.js';
import type { Transactional } from '../ledger.port.js';
import type { Claim, Claimant, ClaimRequest, PlanningClaim, PlanRows } from '../work.js';
import type { ErrorRecord, NewRun, RunRecord } from '../records.js';
import { isTerminal } from '../transitions.js';
import { refuseTransaction } from './memory-acts.js';
import { runRecord } from './memory-reads.js';
import { newRunRow, type RunRow } from './memory-rows.js';
import type { MemoryState } from './memory-state.js';
import * as work from './memory-work.js';

export type InsertOptions = Transactional & { readonly plan?: PlanRows; readonly claim?: ClaimRequest };

export function insertRun(
  state: MemoryState,
  run: NewRun,
  options: InsertOptions,
): { run: RunRecord; created: boolean; claims: readonly Claim[] } {
  refuseTransaction(options);
  const existing = existingRun(state, run);
  if (existing) return { run: runRecord(existing), created: false, claims: [] };
  const row = newRunRow(state.nextRunId(), { ...run, createdAt: new Date(state.clock()) });
  state.runs.set(row.id, row);
  if (run.runKey !== null) state.runKeys.set(run.runKey, { request: requestText(run), run: row.id });
  state.tell('run.requested', { run: row.id, actor: run.requestedBy });
  if (options.plan) insertPlan(state, row, options.plan);
  const claims = options.claim ? work.claim(state, options.claim, row.id).claims : [];
  return { run: runRecord(row), created: true, claims };
}

function existingRun(state: MemoryState, run: NewRun): RunRow | undefined {
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

/** What must be equal for a run key to mean the same request. */
function requestText(run: NewRun): string {
  return canonicalize([run.request, run.priority, run.tags, run.maxConcurrency, run.failFast])!;
}

export function claimPlanning(state: MemoryState, { process, assets }: Claimant): PlanningClaim | undefined {
  const planning = [...state.runs.values()].filter(({ status }) => status === 'planning');
  const mayPlan = !state.processes.get(process)?.outdated;
  const waiting = planning.filter(
    (run) =>
      mayPlan &&
      (run.planner === null || run.planner === process || !state.processes.has(run.planner)) &&
      run.request.targets.every(({ asset }) => assets.includes(asset)),
  );
  const run = waiting.sort((a, b) => b.priority - a.priority || a.id - b.id)[0];
  for (const other of planning) if (other !== run && other.planner === process) other.planner = null;
  if (!run) return undefined;
  run.planner = process;
  return { run: runRecord(run), epoch: ++run.planningEpoch };
}

export function commitPlan(state: MemoryState, claim: PlanningClaim, plan: PlanRows): boolean {
  const run = planned(state, claim);
  if (run) insertPlan(state, run, plan);
  return run !== undefined;
}

export function failPlanning(state: MemoryState, claim: PlanningClaim, error: ErrorRecord): boolean {
  const run = planned(state, claim);
  if (run) state.failPlanning(run, error);
  return run !== undefined;
}

function planned(state: MemoryState, claim: PlanningClaim): RunRow | undefined {
  const run = state.runs.get(claim.run.id);
  return run?.status === 'planning' && run.planningEpoch === claim.epoch ? run : undefined;
}

function insertPlan(state: MemoryState, run: RunRow, plan: PlanRows): void {
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
