// What follows when materializations end or go back, inside the transaction in which they do: failures doom what
// depends on them, heads move, dependents and waiters are released, timers go, events are told, runs are counted.
import { plannedRunStatus } from '../transitions.js';
import type { EventKind, JsonObject, MaterializationStatus, RunRecord } from '../records.js';
import type { Sql } from './database.js';
import { CANCEL_PENDING, COUNT_RUNS, DOOM, END_RUNS, MOVE_HEADS, RECORD, RELEASE } from './statements/settling.js';
import { json } from './values.js';

/** A materialization that has left its status in this transaction. */
export interface Moved {
  readonly id: number;
  readonly run_id: number;
  readonly head_id: number;
  readonly status: MaterializationStatus;
  readonly epoch: number;
  /** Its run has a limit of its own, whose slot it gives back. Only for what was running. */
  readonly limited?: boolean;
  readonly fails_fast?: boolean;
}

/** A retry that waits for its time. */
export interface Retry {
  readonly id: number;
  readonly epoch: number;
  readonly delay: number;
}

interface Happening {
  readonly id: number;
  readonly kind: EventKind;
  readonly detail?: JsonObject;
}

/** What a transaction adds to the counters of one run. */
export interface RunDelta {
  readonly run: number;
  success: number;
  failed: number;
  upstream_failed: number;
  skipped: number;
  cancelled: number;
  slots: number;
}

export interface Effects {
  readonly released: number;
  readonly deltas: ReadonlyMap<number, RunDelta>;
}

/**
 * All effects on others but the counting of runs, which comes last in the lock order: see {@link countRuns}.
 * @param moved what was running, or was pending and is terminal now, {@link endWhatFollows} included.
 */
export async function takeEffect(
  sql: Sql,
  namespace: number,
  moved: readonly Moved[],
  told: readonly Happening[] = [],
  retries: readonly Retry[] = [],
): Promise<Effects> {
  const ended = moved.filter(({ status }) => status !== 'pending');
  await moveHeads(sql, ended);
  const released = await release(sql, ended);
  const happenings = [
    ...told,
    ...ended.map(({ id, status }) => ({ id, kind: `materialization.${status}` as EventKind })),
  ];
  await record(sql, namespace, moved, retries, happenings);
  return { released, deltas: deltasOf(moved) };
}

/** Failures doom what depends on them; a run that fails fast loses the rest. Returns what ended so. */
export async function endWhatFollows(sql: Sql, namespace: number, moved: readonly Moved[]): Promise<Moved[]> {
  const failed = moved.filter(({ status }) => status === 'failed' || status === 'cancelled').map(({ id }) => id);
  if (failed.length === 0) return [];
  const followed = await sql.rows<Moved>(DOOM, [failed]);
  const runs = [...new Set(moved.filter((row) => row.fails_fast).map((row) => row.run_id))];
  if (runs.length > 0) followed.push(...(await sql.rows<Moved>(CANCEL_PENDING, [namespace, runs])));
  return followed;
}

interface HeadChange {
  readonly head: number;
  success: number | null;
  holder: number | null;
  failed: boolean | null;
}

async function moveHeads(sql: Sql, ended: readonly Moved[]): Promise<void> {
  const changes = new Map<number, HeadChange>();
  for (const { id, head_id: head, status, epoch } of ended) {
    const change = changes.get(head) ?? { head, success: null, holder: null, failed: null };
    if (status === 'success') change.success = id;
    // Whatever was claimed once holds the lock of its head until it ends; at most one of a head.
    if (epoch > 0) change.holder = id;
    if (status === 'success' || status === 'skipped') change.failed = false;
    else if (status !== 'cancelled') change.failed ??= true;
    if (change.holder !== null || change.failed !== null) changes.set(head, change);
  }
  if (changes.size > 0) await sql.rows(MOVE_HEADS, [[...changes.keys()], json([...changes.values()])]);
}

async function release(sql: Sql, ended: readonly Moved[]): Promise<number> {
  const done = ended.filter(({ status }) => status === 'success' || status === 'skipped').map(({ id }) => id);
  const holders = ended.filter(({ epoch }) => epoch > 0).map(({ id }) => id);
  if (done.length + holders.length === 0) return 0;
  const [row] = await sql.rows<{ released: number }>(RELEASE, [done, holders]);
  return row!.released;
}

async function record(
  sql: Sql,
  namespace: number,
  moved: readonly Moved[],
  retries: readonly Retry[],
  happenings: readonly Happening[],
): Promise<void> {
  await sql.rows(RECORD, [
    namespace,
    moved.filter(({ epoch }) => epoch > 0).map(({ id }) => id),
    retries.map(({ id }) => id),
    retries.map(({ epoch }) => epoch),
    retries.map(({ delay }) => delay),
    happenings.map(({ id }) => id),
    happenings.map(({ kind }) => kind),
    happenings.map(({ detail }) => (detail ? json(detail) : null)),
  ]);
}

function deltasOf(moved: readonly Moved[]): Map<number, RunDelta> {
  const deltas = new Map<number, RunDelta>();
  for (const { run_id: run, status, limited } of moved) {
    const delta = deltas.get(run) ?? noDelta(run);
    deltas.set(run, delta);
    if (limited) delta.slots++;
    if (status !== 'pending' && status !== 'running' && status !== 'waiting_approval') delta[status]++;
  }
  return deltas;
}

export function noDelta(run: number): RunDelta {
  return { run, success: 0, failed: 0, upstream_failed: 0, skipped: 0, cancelled: 0, slots: 0 };
}

type CountedRun = Readonly<Record<'id' | 'total' | Exclude<keyof RunDelta, 'run' | 'slots'>, number>> & {
  readonly status: RunRecord['status'];
  readonly cancel_accepted: boolean;
};

/** Adds to the counters of runs and ends those in which nothing is open. Returns the ended ones. */
export async function countRuns(sql: Sql, namespace: number, deltas: ReadonlyMap<number, RunDelta>): Promise<number[]> {
  const changed = [...deltas.values()];
  if (changed.length === 0) return [];
  const runs = await sql.rows<CountedRun>(COUNT_RUNS, [changed.map(({ run }) => run), json(changed)]);
  const ended = runs.flatMap(({ id, status, cancel_accepted, ...counts }) => {
    const done = counts.success + counts.failed + counts.upstream_failed + counts.skipped + counts.cancelled;
    const pending = counts.total - done;
    const to = plannedRunStatus({ ...counts, pending, running: 0, waiting_approval: 0 }, cancel_accepted);
    return status === 'running' && to !== 'running' ? [{ id, to }] : [];
  });
  if (ended.length > 0) {
    await sql.rows(END_RUNS, [namespace, ended.map(({ id }) => id), ended.map(({ to }) => to)]);
  }
  return ended.map(({ id }) => id);
}
