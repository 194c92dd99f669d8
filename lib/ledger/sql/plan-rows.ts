// The rows of a plan on their way into the ledger: how each begins, and their insertion in batches.
import { plannedRunStatus, NO_COUNTS } from '../transitions.js';
import type { PlanRows } from '../ledger.port.js';
import type { RunRecord } from '../records.js';
import type { AssetNumbers } from './asset-numbers.js';
import type { Sql } from './database.js';
import { INSERT_ROWS, MAKE_LANES, PREPARE_ROWS, TELL_BLOCKED } from './statements/requesting.js';
import { json } from './values.js';

// Rows per statement: large enough that round trips do not count, small enough for memory and statement_timeout.
const BATCH = 5000;

const STATUSES = ['pending', 'failed', 'upstream_failed', 'cancelled'] as const;
const [PENDING, FAILED, UPSTREAM_FAILED, CANCELLED] = [0, 1, 2, 3];

/** The counters of a run without materializations. */
export const NO_PLAN = { total: 0, failed: 0, upstream_failed: 0, cancelled: 0 };

/** Which run the rows belong to. */
export interface PlanPlace {
  readonly namespace: number;
  readonly run: number;
}

/** How the rows of a plan begin. */
export interface PlanStart {
  readonly counts: typeof NO_PLAN & { readonly status: RunRecord['status'] };
  /** Index into the statuses a row may begin with. */
  readonly statuses: Uint8Array;
  /** Upstream rows per row. */
  readonly blockers: Int32Array;
}

/** Blocked rows begin failed, what depends on them cannot run, and a run that fails fast does not begin the rest. */
export function beginPlan(plan: PlanRows, failFast: boolean): PlanStart {
  const statuses = new Uint8Array(plan.size);
  const blockers = new Int32Array(plan.size);
  const { starts, upstreams } = plan.edges;
  const tally = [0, 0, 0, 0];
  let failing = false;
  for (let i = 0; i < plan.size; i++) {
    let doomed = false;
    for (let edge = starts[i]!; edge < starts[i + 1]!; edge++) {
      const upstream = upstreams[edge]!;
      if (statuses[upstream] === FAILED || statuses[upstream] === UPSTREAM_FAILED) doomed = true;
    }
    blockers[i] = starts[i + 1]! - starts[i]!;
    if (doomed) statuses[i] = UPSTREAM_FAILED;
    else if (!failing && plan.blockedAt(i)) statuses[i] = FAILED;
    failing ||= failFast && statuses[i] === FAILED;
  }
  for (let i = 0; i < plan.size; i++) {
    if (failing && statuses[i] === PENDING) statuses[i] = CANCELLED;
    tally[statuses[i]!]!++;
  }
  const [pending = 0, failed = 0, upstream_failed = 0, cancelled = 0] = tally;
  const counts = { total: plan.size, failed, upstream_failed, cancelled };
  const status = plannedRunStatus({ ...NO_COUNTS, ...counts, pending }, false);
  return {
    counts: { ...counts, status },
    statuses,
    blockers,
  };
}

/** Inserts the rows with lanes, heads and edges. */
export async function insertPlan(
  sql: Sql,
  place: PlanPlace,
  plan: PlanRows,
  start: PlanStart,
  assets: AssetNumbers,
): Promise<void> {
  const keys = new Set<string>();
  for (let i = 0; i < plan.size; i++) keys.add(plan.assetAt(i));
  const numberOf = await assets.require(sql, keys);
  const ids = new Float64Array(plan.size);
  const assetIds = [...keys].map(numberOf);
  const lanes = await sql.rows<{ asset: number; lane: number }>(MAKE_LANES, [place.namespace, place.run, assetIds]);
  const laneOf = new Map(lanes.map(({ asset, lane }) => [asset, lane]));
  for (let from = 0; from < plan.size; from += BATCH) {
    await insertBatch(sql, place, plan, start, numberOf, laneOf, ids, from, Math.min(from + BATCH, plan.size));
  }
  if (start.counts.failed > 0) await sql.rows(TELL_BLOCKED, [place.namespace, place.run]);
}

async function insertBatch(
  sql: Sql,
  { namespace, run }: PlanPlace,
  plan: PlanRows,
  start: PlanStart,
  numberOf: (key: string) => number,
  laneOf: ReadonlyMap<number, number>,
  ids: Float64Array,
  from: number,
  to: number,
): Promise<void> {
  const indices = Array.from({ length: to - from }, (_, offset) => from + offset);
  const assets = indices.map((i) => numberOf(plan.assetAt(i)));
  const partitions = indices.map((i) => plan.partitionAt(i));
  const [prepared] = await sql.rows<{ ids: number[] }>(PREPARE_ROWS, [assets, partitions]);
  ids.set(prepared!.ids, from);
  const downstream: number[] = [];
  const upstream: number[] = [];
  const ordering: boolean[] = [];
  const { starts, upstreams, ordering: orders } = plan.edges;
  for (const i of indices) {
    for (let edge = starts[i]!; edge < starts[i + 1]!; edge++) {
      downstream.push(ids[i]!);
      upstream.push(ids[upstreams[edge]!]!);
      ordering.push(orders?.[edge] === 1);
    }
  }
  const statuses = indices.map((i) => STATUSES[start.statuses[i]!]!);
  const errors = indices.map((i) => (start.statuses[i] === FAILED ? json(plan.blockedAt(i)) : null));
  const priorities = indices.map((i) => plan.priorityAt(i));
  const forced = indices.map((i) => plan.forcedAt(i));
  const blockers = indices.map((i) => start.blockers[i]!);
  await sql.rows(INSERT_ROWS, [
    ...[namespace, run, priorities, prepared!.ids, assets, partitions, forced, blockers, statuses, errors],
    ...[downstream, upstream, ordering, assets.map((asset) => laneOf.get(asset))],
  ]);
}
