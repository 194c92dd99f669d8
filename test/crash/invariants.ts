// The invariants of the ledger as queries for what violates them, once every run has ended.
import { dataVersionOf, isRowStream } from '../../lib/io/data-version.js';
import { RowEncoder } from '../../lib/io/row-encoder.js';
import type { JsonValue } from '../../lib/ledger/records.js';
import { inputsFingerprint } from '../../lib/planning/inputs-fingerprint.js';
import { APPROVAL_VIOLATIONS } from './approval-invariants.js';
import type { LoadRecorded } from './recorded-values.js';

const TERMINAL = `('success', 'failed', 'upstream_failed', 'skipped', 'cancelled')`;
/** Events of materializations, a row for each: one of the table tells of many. */
const EVENTS = `(SELECT e.id + t.place - 1 AS id, e.kind, t.id AS materialization_id FROM flowstone.events e
  CROSS JOIN LATERAL unnest(e.materializations) WITH ORDINALITY t (id, place))`;
const ENDING = `e.kind IN ('materialization.success', 'materialization.failed', 'materialization.upstream_failed',
  'materialization.skipped', 'materialization.cancelled')`;

/** Each query gives what violates the invariant of its name: nothing, if it holds. */
const VIOLATIONS = {
  'SingleCommit: more than one success, or another end than the recorded one': `
    SELECT m.id, m.status, array_agg(e.kind) AS ends FROM flowstone.materializations m
    JOIN ${EVENTS} e ON e.materialization_id = m.id AND ${ENDING}
    GROUP BY m.id HAVING count(*) <> 1 OR min(e.kind) <> 'materialization.' || m.status`,
  'Absorbing: something happened to a materialization after its end': `
    SELECT m.id, later.kind FROM flowstone.materializations m
    JOIN ${EVENTS} e ON e.materialization_id = m.id AND ${ENDING}
    JOIN ${EVENTS} later ON later.materialization_id = m.id AND later.id > e.id
      -- People may say something about a decision later, too.
      AND later.kind NOT IN ('process.blocked', 'approval.commented')`,
  'Fence: the value is of another attempt than the row says': `
    SELECT m.id, m.epoch, m.location FROM flowstone.materializations m
    WHERE m.status = 'success' AND m.location IS NOT NULL
      AND CASE WHEN m.location ? 'path' THEN m.location ->> 'path' NOT LIKE '%/' || m.id || '-' || m.epoch || '.%'
        ELSE (m.location -> 'materialization', m.location -> 'epoch') <> (to_jsonb(m.id), to_jsonb(m.epoch)) END`,
  'Joined: rows in a table are of another attempt than the head of their partition': `
    SELECT s.*, m.id, m.epoch AS recorded FROM flowstone.value_slices s
    JOIN flowstone.namespaces n ON n.name = s.namespace
    LEFT JOIN flowstone.value_tables t ON t.table_name = s.table_name AND t.namespace = s.namespace
    LEFT JOIN flowstone.assets a ON a.namespace = n.id AND a.key = t.asset
    LEFT JOIN flowstone.heads h ON h.asset_id = a.id AND h.partition = s.partition
    LEFT JOIN flowstone.materializations m ON m.id = h.materialization_id
    WHERE (s.materialization_id, s.epoch) IS DISTINCT FROM (m.id, m.epoch)`,
  'Joined: a document of an attempt that is not on record': `
    SELECT d.materialization_id, d.epoch FROM flowstone.value_documents d
    LEFT JOIN flowstone.materializations m ON m.id = d.materialization_id
    WHERE m.status IS DISTINCT FROM 'success' OR m.epoch <> d.epoch`,
  'NoLost: a run has not ended': `
    SELECT r.id, r.status FROM flowstone.runs r WHERE r.status NOT IN ('success', 'failed', 'cancelled')`,
  'NoLost: a materialization has not ended': `
    SELECT m.id, m.status, m.blockers, m.waiting_for FROM flowstone.materializations m WHERE m.status NOT IN ${TERMINAL}`,
  'NoLost: a run key without its run': `
    SELECT k.run_key FROM flowstone.run_keys k LEFT JOIN flowstone.runs r ON r.id = k.run_id WHERE r.id IS NULL`,
  'HeadConsistent: the head is not the newest success': `
    SELECT h.id, h.materialization_id, newest.id AS newest FROM flowstone.heads h
    LEFT JOIN (
      SELECT DISTINCT ON (m.head_id) m.head_id, m.id FROM flowstone.materializations m
      JOIN ${EVENTS} e ON e.materialization_id = m.id AND e.kind = 'materialization.success'
      ORDER BY m.head_id, e.id DESC) newest ON newest.head_id = h.id
    WHERE h.materialization_id IS DISTINCT FROM newest.id`,
  'ActiveUnique: a lock was left over': `
    SELECT h.id, h.active_materialization FROM flowstone.heads h WHERE h.active_materialization IS NOT NULL`,
  'ActiveUnique: a materialization waits for a lock': `
    SELECT m.id, m.waiting_for FROM flowstone.materializations m WHERE m.waiting_for IS NOT NULL`,
  'DepsFirst: an input was committed after what consumed it': `
    SELECT l.downstream, l.upstream FROM flowstone.lineage l
    JOIN ${EVENTS} d ON d.materialization_id = l.downstream AND d.kind = 'materialization.success'
    LEFT JOIN ${EVENTS} u ON u.materialization_id = l.upstream AND u.kind = 'materialization.success' AND u.id < d.id
    WHERE u.id IS NULL AND NOT l.ordering`,
  'ReadyLive: something is ready of what has ended': `SELECT y.* FROM flowstone.ready y`,
  'ReadyLive: what is in a lane is of none of its assets': `
    SELECT m.id, m.asset_id, l.id AS lane FROM flowstone.materializations m JOIN flowstone.lanes l ON l.id = m.lane_id
    WHERE m.asset_id <> ALL (l.assets)`,
  'ActiveUnique: a claim was left over': `SELECT c.* FROM flowstone.claims c`,
  'ActiveUnique: a place was left over': `SELECT l.* FROM flowstone.limits l WHERE l.used <> 0`,
  'TimerOnce: a timer was left over': `SELECT t.owner, t.kind, t.generation FROM flowstone.timers t`,
  'Counted: the counters of a run are not its rows': `
    SELECT r.* FROM flowstone.runs r LEFT JOIN LATERAL (
      SELECT count(*) AS total, count(*) FILTER (WHERE m.status = 'success') AS success,
        count(*) FILTER (WHERE m.status = 'failed') AS failed,
        count(*) FILTER (WHERE m.status = 'upstream_failed') AS upstream_failed,
        count(*) FILTER (WHERE m.status = 'skipped') AS skipped,
        count(*) FILTER (WHERE m.status = 'cancelled') AS cancelled
      FROM flowstone.materializations m WHERE m.run_id = r.id) c ON true
    WHERE (r.total, r.success, r.failed, r.upstream_failed, r.skipped, r.cancelled, r.running)
      <> (c.total, c.success, c.failed, c.upstream_failed, c.skipped, c.cancelled, 0)`,
  'Told: a run was not requested, planned and ended exactly once': `
    SELECT r.id, array_agg(e.kind ORDER BY e.id) AS told FROM flowstone.runs r
    LEFT JOIN flowstone.events e ON e.run_id = r.id AND e.kind LIKE 'run.%' AND e.kind <> 'run.cancel_requested'
    GROUP BY r.id HAVING array_agg(e.kind ORDER BY e.id) <> ARRAY['run.requested', 'run.planned', 'run.ended']
      -- Cancelled before it was planned, or it could not be planned.
      AND NOT (r.total = 0 AND r.status <> 'success' AND array_agg(e.kind ORDER BY e.id) = ARRAY['run.requested', 'run.ended'])`,
  'Concluded: a run ended otherwise than its rows': `
    SELECT r.id, r.status FROM flowstone.runs r WHERE r.total > 0 AND r.completed_at IS NOT NULL AND r.status <> CASE
      WHEN r.cancel_requested_at IS NOT NULL AND r.cancelled > 0 THEN 'cancelled'
      WHEN r.failed + r.upstream_failed > 0 THEN 'failed' ELSE 'success' END`,
  ...APPROVAL_VIOLATIONS,
} as const;

/** A connection or a DataSource. */
export interface Queryable {
  query<T>(sql: string): Promise<T>;
}

interface HeadRow {
  readonly id: string;
  readonly asset: string;
  readonly partition: string;
  readonly namespace: string;
  readonly inputs: string | null;
  readonly io: string | null;
  readonly location: JsonValue;
  readonly hash: string | null;
  readonly rows: string | null;
  readonly consumed: readonly { asset: string; partition: string; dataVersion: string }[];
}

const HEADS = `
  SELECT m.id, a.key AS asset, h.partition, n.name AS namespace, m.inputs, m.io, m.location, m.hash, m.rows, (
    SELECT COALESCE(json_agg(json_build_object('asset', ua.key, 'partition', uh.partition, 'dataVersion',
      u.data_version)), '[]') FROM flowstone.lineage l JOIN flowstone.materializations u ON u.id = l.upstream
    JOIN flowstone.heads uh ON uh.id = u.head_id JOIN flowstone.assets ua ON ua.id = u.asset_id WHERE l.downstream = m.id AND NOT l.ordering) AS consumed
  FROM flowstone.heads h JOIN flowstone.materializations m ON m.id = h.materialization_id JOIN flowstone.assets a ON a.id = h.asset_id
  JOIN flowstone.namespaces n ON n.id = a.namespace`;

/** What violates the invariants, one line each; empty when all hold. */
export async function violations(database: Queryable, load: LoadRecorded): Promise<string[]> {
  const found: string[] = [];
  for (const [invariant, query] of Object.entries(VIOLATIONS)) {
    const rows = await database.query<readonly unknown[]>(query);
    found.push(...rows.map((row) => `${invariant}: ${JSON.stringify(row)}`));
  }
  for (const head of await database.query<HeadRow[]>(HEADS)) found.push(...(await headViolations(head, load)));
  return found;
}

async function headViolations(head: HeadRow, load: LoadRecorded): Promise<string[]> {
  const found: string[] = [];
  const place = `materialization ${head.id} of ${head.asset}[${head.partition}]`;
  if (inputsFingerprint(head.consumed) !== head.inputs) {
    found.push(`HeadConsistent: the lineage of ${place} is not what it consumed: ${JSON.stringify(head.consumed)}`);
  }
  if (head.io === null) return found;
  const { io, namespace, asset, partition, location } = head;
  try {
    const value = await load(io, { namespace, asset, partition, location });
    const { hash, rows } = await versionOf(value);
    if (hash !== head.hash || rows !== (head.rows === null ? null : Number(head.rows))) {
      found.push(`HeadConsistent: the value of ${place} has hash ${hash} and ${rows} rows, not as recorded`);
    }
  } catch (error) {
    found.push(`HeadConsistent: the value of ${place} cannot be loaded: ${String(error)}`);
  }
  return found;
}

async function versionOf(value: unknown): Promise<{ readonly hash: string; readonly rows: number | null }> {
  if (!isRowStream(value)) return dataVersionOf(value);
  const encoder = new RowEncoder();
  for await (const row of value) encoder.add(row);
  return { hash: encoder.digest(), rows: encoder.rows };
}
