// One torture from beginning to end: demands and faults for so many seconds; then quiet, until every run has ended; then
// the verdict.
import { setTimeout as pause } from 'node:timers/promises';
import type { Pool } from 'pg';
import { ledgerDataSource } from '../../lib/ledger/sql/data-source.js';
import { violations } from '../crash/invariants.js';
import { recordedValues, type LoadRecorded } from '../crash/recorded-values.js';
import { INDEXES } from './audit.js';
import { Demands, ROLLED_BACK } from './demands.js';
import { executions } from './evidence.js';
import { Faults, type FaultCounts } from './faults.js';
import { Random } from './random.js';
import { setStage, TIMES, type Stage, type StageOptions } from './stage.js';
import { contradictions, convictions } from './verdict.js';

/** Open materializations above which nobody asks for more. */
const OPEN_AT_MOST = 250;
/** Between two looks at how much is open, ms. */
const LOOK = 200;
/** After the faults: nothing happened for so long although something is open and no timer is awaited, ms. */
const PATIENCE = 15_000;
/** After the faults: so long and no longer, ms. */
const LONGEST_END = 240_000;
/** Between two words on how it goes on, ms. */
const TELL_EVERY = 5000;
/** Violations that are told one by one. */
const SHOWN = 50;

export interface TortureOptions extends StageOptions {
  readonly seconds: number;
}

export interface TortureResult extends FaultCounts {
  readonly seed: number;
  readonly seconds: number;
  /** Materializations that ended in success. */
  readonly committed: number;
  readonly runs: number;
  /** Superseded values that were removed. */
  readonly collected: number;
  readonly lostAnswers: number;
  /** How many violations of each invariant; none: all hold. */
  readonly violations: Readonly<Record<string, number>>;
  readonly ok: boolean;
}

/** A minute after its collector is lost another one takes the turn: for a torture that is too long. */
const HASTEN_COLLECTION = `UPDATE flowstone.namespaces n SET collect_at = clock_timestamp()
  WHERE n.collect_at > clock_timestamp() AND n.collector IS NOT NULL AND NOT EXISTS (
    SELECT FROM flowstone.processes p WHERE p.namespace = n.id AND p.id = n.collector)`;

interface Backlog {
  readonly runs: number;
  readonly open: number;
  /** Grows with whatever happens. */
  readonly happened: number;
  /** Whether some timer is still to fire. */
  readonly timed: boolean;
}

/** Tortures, and leaves no process and no file behind. */
export async function torture(options: TortureOptions): Promise<TortureResult> {
  const { seconds, seed, tell } = options;
  await using stage = await setStage(options);
  const { crew, database, redis, pool } = stage;
  const random = new Random(seed);
  let open = 0;
  const demands = new Demands(crew, random, () => open < OPEN_AT_MOST);
  const faults = new Faults(crew, database, redis, random, TIMES.lease, tell);
  const end = AbortSignal.timeout(seconds * 1000);
  const watching = watch(pool, end, (backlog) => (open = backlog.open));
  await Promise.all([demands.make(end), faults.inflict(end), watching]);
  tell('the faults are over');
  const stuck = await settle(pool, tell);
  await crew.dismiss();
  tell(`orders: ${[...demands.tally].map(([order, count]) => `${order} ${count}`).join(', ')}`);
  const found = [...stuck, ...(await judge(stage, demands))];
  for (const violation of found.slice(0, SHOWN)) tell(violation);
  const { rows } = await pool.query<{ committed: number; runs: number; collected: number }>(`SELECT
    (SELECT count(*)::integer FROM torture.transitions t WHERE t.became = 'success') AS committed,
    (SELECT count(*)::integer FROM flowstone.runs) AS runs,
    (SELECT count(*)::integer FROM flowstone.superseded s WHERE s.gone) AS collected`);
  return {
    ...{ seed, seconds, ...rows[0]!, ...faults.counts, lostAnswers: crew.lostAnswers },
    violations: countByInvariant(found),
    ok: found.length === 0,
  };
}

async function judge({ database, pool, values, evidence, misdeeds }: Stage, demands: Demands): Promise<string[]> {
  await pool.query(INDEXES);
  await using witness = await recordedIn(database.url, values);
  const { load } = witness;
  const court = { query: async <T>(sql: string): Promise<T> => (await pool.query(sql)).rows as T };
  return [
    ...misdeeds.map((what) => `Alive: ${what}`),
    ...demands.complaints.map((what) => `Promised: ${what}`),
    ...(await brokenPromises(pool, demands.acknowledged)),
    ...(await convictions(court)),
    ...(await contradictions(court, load, executions(evidence))),
    ...(await violations(court, load)),
  ];
}

/** What is recorded there. */
async function recordedIn(url: string, values: string): Promise<AsyncDisposable & { readonly load: LoadRecorded }> {
  const dataSource = await ledgerDataSource({ url }, 'flowstone').initialize();
  return { load: recordedValues(dataSource, values), [Symbol.asyncDispose]: () => dataSource.destroy() };
}

async function brokenPromises(pool: Pool, acknowledged: ReadonlySet<number>): Promise<string[]> {
  const { rows } = await pool.query<{ id: string; by: string }>(
    `SELECT r.id, r.requested_by AS by FROM flowstone.runs r`,
  );
  const recorded = new Set(rows.map(({ id }) => Number(id)));
  return [
    ...[...acknowledged]
      .filter((run) => !recorded.has(run))
      .map((run) => `NoLost: run ${run} was acknowledged, and there is none`),
    ...rows
      .filter(({ by }) => by === ROLLED_BACK)
      .map(({ id }) => `Transactional: run ${id} was rolled back, and is there`),
  ];
}

/** Waits until every run has ended. Returns what nobody claims although it is ready, if it does not come to that. */
async function settle(pool: Pool, tell: (what: string) => void): Promise<string[]> {
  const begun = performance.now();
  let last: Backlog | undefined;
  let moved = begun;
  let told = begun;
  for (;;) {
    const backlog = await look(pool);
    if (backlog.runs === 0) return [];
    const now = performance.now();
    if (backlog.happened !== last?.happened || backlog.timed) moved = now;
    last = backlog;
    if (now - told > TELL_EVERY) {
      told = now;
      tell(`  open: ${backlog.runs} runs, ${backlog.open} materializations`);
    }
    if (now - moved > PATIENCE || now - begun > LONGEST_END) break;
    await pause(LOOK);
  }
  tell(`still open: ${last.runs} runs, ${last.open} materializations`);
  const { rows } = await pool.query<{
    id: string;
  }>(`SELECT m.id, m.epoch, y AS ready, l AS lane FROM flowstone.materializations m
    LEFT JOIN flowstone.ready y ON y.materialization_id = m.id JOIN flowstone.lanes l ON l.id = m.lane_id
    WHERE m.status = 'pending' AND m.blockers = 0 AND m.waiting_for IS NULL
      AND NOT EXISTS (SELECT FROM flowstone.timers t WHERE t.owner = m.id)`);
  return rows.map((row) => `ReadyLive: it is ready, and nobody claims it: ${JSON.stringify(row)}`);
}

async function watch(pool: Pool, end: AbortSignal, see: (backlog: Backlog) => void): Promise<void> {
  while (!end.aborted) {
    // The database may be away.
    await look(pool).then(see, () => undefined);
    await pool.query(HASTEN_COLLECTION).catch(() => undefined);
    await pause(LOOK);
  }
}

async function look(pool: Pool): Promise<Backlog> {
  const { rows } = await pool.query<Backlog>(`SELECT count(*)::integer AS runs,
    COALESCE(sum(r.total - r.success - r.failed - r.upstream_failed - r.skipped - r.cancelled), 0)::integer AS open,
    (SELECT COALESCE(max(t.seq), 0)::integer FROM torture.transitions t) AS happened,
    EXISTS (SELECT FROM flowstone.timers t WHERE t.fires_at > clock_timestamp()) AS timed
    FROM flowstone.runs r WHERE r.status IN ('planning', 'running')`);
  return rows[0]!;
}

function countByInvariant(found: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const line of found) {
    const invariant = line.slice(0, line.indexOf(':'));
    counts[invariant] = (counts[invariant] ?? 0) + 1;
  }
  return counts;
}
