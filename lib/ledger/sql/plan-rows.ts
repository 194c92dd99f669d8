// The rows of a plan on their way into the ledger: how each begins, and their insertion. Large plans: plan-copy.ts.
import { setImmediate as breath } from 'node:timers/promises';
import { plannedRunStatus, NO_COUNTS } from '../transitions.js';
import type { PlanRows } from '../work.js';
import type { RunRecord } from '../records.js';
import type { AssetNumbers } from './asset-numbers.js';
import type { Sql } from './database.js';
import { ROWS_AT_ONCE } from './plan-batches.js';
import { PlanLanes, type PlanPlace } from './plan-lanes.js';
import { INSERT_ROWS, PREPARE_ROWS, TELL_BLOCKED } from './statements/requesting.js';
import { json } from './values.js';

/** What a row may begin as. */
export const STATUSES = ['pending', 'failed', 'upstream_failed', 'cancelled'] as const;
const [PENDING, FAILED, UPSTREAM_FAILED, CANCELLED] = [0, 1, 2, 3];
export { FAILED, PENDING };

/** The counters of a run without materializations. */
export const NO_PLAN = { total: 0, failed: 0, upstream_failed: 0, cancelled: 0 };

/** How the rows of a plan begin. */
export interface PlanStart {
  readonly counts: typeof NO_PLAN & { readonly status: RunRecord['status'] };
  /** Index into STATUSES. */
  readonly statuses: Uint8Array;
}

/** Blocked rows begin failed, what depends on them cannot run, and a run that fails fast does not begin the rest. */
export async function beginPlan(plan: PlanRows, failFast: boolean): Promise<PlanStart> {
  const statuses = new Uint8Array(plan.size);
  if (!plan.hasBlocked) {
    const counts = { ...NO_PLAN, total: plan.size };
    return { counts: { ...counts, status: statusOf(counts, plan.size) }, statuses };
  }
  const { starts, upstreams } = plan.edges;
  const tally = [0, 0, 0, 0];
  let failing = false;
  for (let i = 0; i < plan.size; i++) {
    if (i % ROWS_AT_ONCE === ROWS_AT_ONCE - 1) await breath();
    let doomed = false;
    for (let edge = starts[i]!; edge < starts[i + 1]!; edge++) {
      const upstream = upstreams[edge]!;
      if (statuses[upstream] === FAILED || statuses[upstream] === UPSTREAM_FAILED) doomed = true;
    }
    if (doomed) statuses[i] = UPSTREAM_FAILED;
    else if (!failing && plan.isBlockedAt(i)) statuses[i] = FAILED;
    failing ||= failFast && statuses[i] === FAILED;
  }
  for (let i = 0; i < plan.size; i++) {
    if (failing && statuses[i] === PENDING) statuses[i] = CANCELLED;
    tally[statuses[i]!]!++;
  }
  const [pending = 0, failed = 0, upstream_failed = 0, cancelled = 0] = tally;
  const counts = { total: plan.size, failed, upstream_failed, cancelled };
  return { counts: { ...counts, status: statusOf(counts, pending) }, statuses };
}

function statusOf(counts: typeof NO_PLAN, pending: number): RunRecord['status'] {
  return plannedRunStatus({ ...NO_COUNTS, ...counts, pending }, false);
}

/** Inserts the rows of a small plan with lanes, heads and edges: few statements, for a short answer. */
export async function insertRows(
  sql: Sql,
  place: PlanPlace,
  plan: PlanRows,
  { counts, statuses: begins }: PlanStart,
  assetNumbers: AssetNumbers,
): Promise<void> {
  if (plan.size === 0) return;
  const { namespace, run } = place;
  const indices = Array.from({ length: plan.size }, (_, index) => index);
  const keys = indices.map((i) => plan.assetAt(i));
  const assets = keys.map(await assetNumbers.require(sql, keys));
  const lanes = await PlanLanes.make(sql, place, [...new Set(assets)]);
  await lanes.makeFor(sql, plan, assets, { from: 0, to: plan.size });
  const partitions = indices.map((i) => plan.partitionAt(i));
  const [prepared] = await sql.rows<{ ids: number[] }>(PREPARE_ROWS, [assets, partitions]);
  const { ids } = prepared!;
  const { starts, upstreams, ordering } = plan.edges;
  const downstream = indices.flatMap((i) => Array.from({ length: starts[i + 1]! - starts[i]! }, () => ids[i]!));
  const upstream = Array.from(upstreams, (index) => ids[index]!);
  const orders = Array.from(upstreams, (_, edge) => ordering?.[edge] === 1);
  const statuses = indices.map((i) => STATUSES[begins[i]!]!);
  const errors = indices.map((i) => (begins[i] === FAILED ? json(plan.blockedAt(i)) : null));
  const priorities = indices.map((i) => plan.priorityAt(i));
  const forced = indices.map((i) => plan.forcedAt(i));
  const blockers = indices.map((i) => starts[i + 1]! - starts[i]!);
  await sql.rows(INSERT_ROWS, [
    ...[namespace, run, priorities, ids, assets, partitions, forced, blockers, statuses, errors],
    ...[downstream, upstream, orders, assets.map((asset, i) => lanes.of(asset, plan, i))],
  ]);
  if (counts.failed > 0) await sql.rows(TELL_BLOCKED, [namespace, run, ids[0], ids.at(-1)]);
}
