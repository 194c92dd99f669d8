// What the torture's own records and the evidence of executions convict the ledger of, one line per violation, each
// beginning with the name of its invariant (durability). The invariants of the ledger by itself: test/crash/invariants.ts.
import type { JsonValue } from '../../lib/ledger/records.js';
import { isRowStream } from '../../lib/io/data-version.js';
import type { Queryable } from '../crash/invariants.js';
import type { LoadRecorded } from '../crash/recorded-values.js';
import { FURNACE, PRESS } from './assets.js';
import type { Witness, WitnessRow } from './evidence.js';

const TERMINAL = `('success', 'failed', 'upstream_failed', 'skipped', 'cancelled')`;

const CONVICTIONS = {
  'SingleCommit: more than one success': `
    SELECT t.materialization FROM torture.transitions t WHERE t.became = 'success' GROUP BY 1 HAVING count(*) > 1`,
  'Fence: committed by an attempt that was not running, or not the one that ran': `
    SELECT t.materialization, t.was, t.epoch_was, t.epoch FROM torture.transitions t
    WHERE t.became = 'success' AND t.was IS NOT NULL AND (t.was <> 'running' OR t.epoch_was <> t.epoch)`,
  'Fence: what was recorded is of another attempt': `
    SELECT m.id, m.epoch, m.metadata FROM flowstone.materializations m
    WHERE m.status = 'success' AND m.metadata ->> 'epoch' <> m.epoch::text`,
  'Epochs: an epoch fell, or a claim did not raise it': `
    SELECT t.materialization, t.was, t.became, t.epoch_was, t.epoch FROM torture.transitions t
    WHERE t.epoch < t.epoch_was OR (t.was = 'pending' AND t.became = 'running' AND t.epoch <> t.epoch_was + 1)`,
  'Absorbing: a terminal status was left': `
    SELECT t.materialization, t.was, t.became FROM torture.transitions t WHERE t.was IN ${TERMINAL}`,
  'Absorbing: a run that had ended changed': `
    SELECT e.run, e.was, e.became FROM torture.run_ends e WHERE e.was IN ('success', 'failed', 'cancelled')`,
  'HeadConsistent: a head moved to what had not succeeded then': `
    SELECT h.head, h.became FROM torture.head_moves h
    WHERE h.became IS DISTINCT FROM h.was AND h.became IS NOT NULL AND NOT EXISTS (
      SELECT FROM torture.transitions t WHERE t.materialization = h.became AND t.became = 'success' AND t.xid = h.xid)`,
  'HeadConsistent: a success that never was the head': `
    SELECT t.materialization FROM torture.transitions t
    WHERE t.became = 'success' AND NOT EXISTS (SELECT FROM torture.head_moves h WHERE h.became = t.materialization)`,
  'ActiveUnique: it ran without the lock of its partition': `
    SELECT t.materialization, t.holder FROM torture.transitions t
    WHERE t.became = 'running' AND t.holder IS DISTINCT FROM t.materialization`,
  'ActiveUnique: a lock was taken from its holder': `
    SELECT h.head, h.holder_was, h.holder FROM torture.head_moves h WHERE h.holder_was <> h.holder`,
  'ActiveUnique: two of one partition ran at once': `
    SELECT o.head, o.materialization FROM (
      SELECT t.head, t.materialization, sum(CASE WHEN t.became = 'running' THEN 1 ELSE 0 END
        - CASE WHEN t.was = 'running' THEN 1 ELSE 0 END) OVER (PARTITION BY t.head ORDER BY t.seq) AS running
      FROM torture.transitions t) o
    WHERE o.running > 1`,
  'DepsFirst: it ran before what it was planned after had ended well': `
    SELECT e.downstream, e.upstream FROM torture.edges e
    CROSS JOIN LATERAL (
      SELECT min(t.seq) AS seq, min(pg_xact_commit_timestamp(t.xid)) AS at FROM torture.transitions t
      WHERE t.materialization = e.downstream AND t.became = 'running') began
    WHERE began.seq IS NOT NULL AND pg_xact_commit_timestamp(e.xid) < began.at AND NOT EXISTS (
      SELECT FROM torture.transitions u WHERE u.materialization = e.upstream AND u.became IN ('success', 'skipped')
        AND pg_xact_commit_timestamp(u.xid) <= began.at)`,
  'DepsFirst: it consumed what was not yet committed': `
    SELECT l.downstream, l.upstream FROM flowstone.lineage l
    JOIN torture.transitions d ON d.materialization = l.downstream AND d.became = 'success'
    WHERE NOT l.ordering AND NOT EXISTS (
      SELECT FROM torture.transitions u WHERE u.materialization = l.upstream AND u.became = 'success'
        AND pg_xact_commit_timestamp(u.xid) <= pg_xact_commit_timestamp(d.xid))`,
  'CancelFence: it began although its run was cancelled': `
    SELECT t.materialization, t.run FROM torture.transitions t WHERE t.became = 'running' AND t.cancelled`,
  'TimerOnce: a success after its deadline': `
    SELECT t.materialization, t.epoch FROM torture.transitions t WHERE t.overdue`,
  'TimerOnce: a retry before its time': `
    SELECT r.owner, r.generation FROM torture.timers r
    JOIN torture.transitions t ON t.materialization = r.owner AND t.became = 'running' AND t.epoch = r.generation + 1
    WHERE r.kind = 'retry' AND t.at < r.fires_at - interval '1 millisecond'`,
  'Limited: more of a run at once than it allows': `
    SELECT t.run, t.beside, t.at_most FROM torture.transitions t WHERE t.became = 'running' AND t.beside > t.at_most`,
  'Limited: more of a pool at once than it has places': `
    SELECT t.materialization, t.alike FROM torture.transitions t JOIN flowstone.materializations m ON m.id = t.materialization
    JOIN flowstone.assets a ON a.id = m.asset_id
    JOIN (VALUES ${[PRESS, FURNACE].map(({ asset, concurrency }) => `('${asset}', ${concurrency})`).join()}) p (asset, places)
      ON p.asset = a.key
    WHERE t.became = 'running' AND t.alike > p.places`,
  'Limited: a place was not given back': `SELECT l.id, l.used FROM flowstone.limits l WHERE l.used <> 0`,
  'GcSafe: an input was removed that an attempt was to read': `
    SELECT t.materialization, t.failure FROM torture.transitions t
    WHERE t.was = 'running' AND t.failure IN ('FLOWSTONE_IO_VALUE_NOT_FOUND', 'FLOWSTONE_IO_VERSION_NOT_KEPT')`,
  'Joined: skipped for what did not succeed': `
    SELECT m.id, m.joined FROM flowstone.materializations m
    WHERE m.skip_reason = 'joined' AND NOT EXISTS (
      SELECT FROM flowstone.materializations j
      WHERE j.id = m.joined AND j.head_id = m.head_id AND j.status IN ('success', 'skipped'))`,
} as const;

interface SuccessRow {
  readonly id: string;
  readonly epoch: number;
  readonly asset: string;
  readonly partition: string;
  readonly namespace: string;
  readonly io: string;
  readonly location: JsonValue;
  readonly consumed: readonly number[];
}

/** Each success whose value is to be there: in a table, only the newest. */
const SUCCESSES = `
  SELECT m.id, m.epoch, a.key AS asset, h.partition, n.name AS namespace, m.io, m.location, (
    SELECT COALESCE(json_agg(l.upstream ORDER BY l.upstream), '[]') FROM flowstone.lineage l
    WHERE l.downstream = m.id AND NOT l.ordering) AS consumed
  FROM flowstone.materializations m JOIN flowstone.heads h ON h.id = m.head_id
  JOIN flowstone.assets a ON a.id = m.asset_id JOIN flowstone.namespaces n ON n.id = a.namespace
  WHERE m.status = 'success' AND m.location IS NOT NULL
    AND (NOT m.location ? 'table' OR h.materialization_id = m.id) AND NOT EXISTS (
    SELECT FROM flowstone.superseded s
    WHERE s.materialization_id = m.id AND (s.gone OR s.collection IS NOT NULL))`;

const EXECUTED = `
  SELECT m.id || ':' || m.epoch AS attempt FROM flowstone.materializations m
  WHERE m.status = 'success' AND m.run_id IS NOT NULL`;

/** What became of the materialization of an attempt (`id:epoch`), for who has to find out why. */
const historyOf = (attempt: string): string => `
  SELECT t.at, t.xid, t.was, t.became, t.epoch, t.process, t.failure FROM torture.transitions t
  WHERE t.materialization = ${Number(attempt.split(':')[0])} ORDER BY t.seq`;

/** What the torture's records convict the ledger of. */
export async function convictions(database: Queryable): Promise<string[]> {
  const found: string[] = [];
  for (const [invariant, query] of Object.entries(CONVICTIONS)) {
    const rows = await database.query<readonly unknown[]>(query);
    found.push(...rows.map((row) => `${invariant}: ${JSON.stringify(row)}`));
  }
  return found;
}

/** What the executions and the values themselves convict it of. */
export async function contradictions(
  database: Queryable,
  load: LoadRecorded,
  begun: ReadonlyMap<string, readonly string[]>,
): Promise<string[]> {
  const found: string[] = [];
  for (const [attempt, times] of begun) {
    if (times.length === 1) continue;
    const history = await database.query<readonly unknown[]>(historyOf(attempt));
    found.push(
      [
        `Fence: attempt ${attempt} was executed ${times.join(' and ')}`,
        ...history.map((row) => JSON.stringify(row)),
      ].join('\n  '),
    );
  }
  for (const { attempt } of await database.query<{ readonly attempt: string }[]>(EXECUTED)) {
    if (!begun.has(attempt)) found.push(`Fence: attempt ${attempt} was committed and never executed`);
  }
  for (const success of await database.query<SuccessRow[]>(SUCCESSES)) {
    const { id, epoch, namespace, asset, partition, io, location, consumed } = success;
    const place = `materialization ${id} of ${asset}[${partition}]`;
    try {
      const witness = await testimony(await load(io, { namespace, asset, partition, location }));
      if (witness.id !== Number(id) || witness.epoch !== epoch) {
        found.push(`Fence: the value of ${place} is by attempt ${witness.id}:${witness.epoch}, not ${id}:${epoch}`);
      }
      if (JSON.stringify(witness.seen) !== JSON.stringify(consumed)) {
        const both = `it read ${JSON.stringify(witness.seen)}, recorded is ${JSON.stringify(consumed)}`;
        found.push(`DepsFirst: the lineage of ${place} is not what it read: ${both}`);
      }
    } catch (error) {
      found.push(`GcSafe: the value of ${place} cannot be loaded: ${String(error)}`);
    }
  }
  return found;
}

async function testimony(value: unknown): Promise<Witness> {
  if (!isRowStream(value)) return value as Witness;
  for await (const { id, epoch, seen } of value as AsyncIterable<WitnessRow>) {
    return { id, epoch, seen: JSON.parse(seen) as number[] };
  }
  throw new Error('it has no rows');
}
