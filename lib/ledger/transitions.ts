// The rules of statuses as pure functions: which are terminal, which transition is allowed, how a run ends.
// Both ledgers follow them; the SQL ledger restates them as guards and constraints.
import type { ErrorRecord, MaterializationStatus, RunCounts, RunStatus } from './records.js';

const OPEN: ReadonlySet<MaterializationStatus> = new Set(['pending', 'running', 'waiting_approval']);

const NEXT: Readonly<Record<MaterializationStatus, readonly MaterializationStatus[]>> = {
  // Back to pending from running: retry, rescue, hand-back.
  pending: ['running', 'failed', 'upstream_failed', 'cancelled'],
  running: ['pending', 'waiting_approval', 'success', 'failed', 'skipped', 'cancelled'],
  waiting_approval: ['pending', 'running', 'success', 'failed', 'cancelled'],
  success: [],
  failed: [],
  upstream_failed: [],
  skipped: [],
  cancelled: [],
};

/**
 * Infrastructure failures of one materialization that are forgiven before it fails for good; and lost planners of one
 * run.
 */
export const RESCUE_CAP = 20;

/** The error of a materialization that more workers were lost with than are forgiven, the last time these. */
export function workerLost(processes: readonly string[]): ErrorRecord {
  return lost(`Its worker was lost more than ${RESCUE_CAP} times`, processes);
}

/** The same of a run that more workers were lost with while they planned it. */
export function plannerLost(processes: readonly string[]): ErrorRecord {
  return lost(`The worker that planned it was lost more than ${RESCUE_CAP} times`, processes);
}

function lost(how: string, processes: readonly string[]): ErrorRecord {
  return {
    code: 'FLOWSTONE_WORKER_LOST',
    family: 'infrastructure',
    message: `${how}, the last time ${processes.join(', ')}. Look for what kills the process.`,
    retryable: true,
  };
}

/** A terminal status absorbs: nothing leaves it. */
export function isTerminal(status: MaterializationStatus): boolean {
  return !OPEN.has(status);
}

/** Whether a materialization may go from one status to another. */
export function mayBecome(from: MaterializationStatus, to: MaterializationStatus): boolean {
  return NEXT[from].includes(to);
}

/** Counts of a run in which nothing is recorded yet. */
export const NO_COUNTS: RunCounts = {
  total: 0,
  pending: 0,
  running: 0,
  waiting_approval: 0,
  success: 0,
  failed: 0,
  upstream_failed: 0,
  skipped: 0,
  cancelled: 0,
};

/** Materializations of the run that have not ended. */
export function openCount(counts: RunCounts): number {
  return counts.pending + counts.running + counts.waiting_approval;
}

/**
 * The stored status of a planned run (semantics, Planning and running 5): open while anything is open, then
 * `cancelled` if a cancel was accepted and anything ended cancelled, `failed` if anything failed, else `success`.
 */
export function plannedRunStatus(
  counts: RunCounts,
  cancelAccepted: boolean,
): Extract<RunStatus, 'running' | 'success' | 'failed' | 'cancelled'> {
  if (openCount(counts) > 0) return 'running';
  if (cancelAccepted && counts.cancelled > 0) return 'cancelled';
  return counts.failed + counts.upstream_failed > 0 ? 'failed' : 'success';
}
