// Statements by which materializations end or go back, and what follows from it.
// Lock order of every transaction here: processes, materializations by id, heads by id, dependents and waiters by id,
// runs by id. Rows found by an older snapshot are re-judged when they are locked: each UPDATE repeats its guard.
import { statement } from '../statement.js';

/**
 * Purpose: attempts end or go back, as their outcomes say.
 * Plan: primary key. Guard: running at this epoch; a success also before its deadline. A row whose cancel was asked
 * for does not go back: it ends cancelled. Values: ids, outcomes (json).
 */
export const FENCE = statement(
  'fence',
  `WITH outcome AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset($2::jsonb) AS o (id bigint, epoch integer, status text, ready boolean,
      attempts integer, rescues integer, error jsonb, started_at timestamptz, skip_reason text, joined bigint,
      code_version text, data_version text, inputs text, upstreams text, io text, location jsonb, size bigint,
      rows bigint, hash text, metadata jsonb)
  ), locked AS MATERIALIZED (
    SELECT m.id FROM fs.materializations m WHERE m.id = ANY ($1::bigint[]) ORDER BY m.id FOR UPDATE
  )
  UPDATE fs.materializations m SET
    status = CASE WHEN o.status = 'pending' AND m.cancel_requested THEN 'cancelled' ELSE o.status END,
    ready = o.ready AND NOT m.cancel_requested,
    process = CASE WHEN o.status = 'pending' AND NOT m.cancel_requested THEN NULL ELSE m.process END,
    attempts = m.attempts + o.attempts,
    rescues = m.rescues + o.rescues,
    error = CASE WHEN o.status = 'pending' THEN COALESCE(o.error, m.error) ELSE o.error END,
    started_at = CASE WHEN o.status = 'pending' THEN NULL ELSE COALESCE(o.started_at, m.started_at) END,
    completed_at = CASE WHEN o.status <> 'pending' OR m.cancel_requested THEN clock_timestamp() END,
    deadline = NULL,
    skip_reason = o.skip_reason, joined = o.joined,
    code_version = o.code_version, data_version = o.data_version, inputs = o.inputs, upstreams = o.upstreams,
    io = o.io, location = o.location, size = o.size, rows = o.rows, hash = o.hash, metadata = o.metadata
  FROM outcome o
  WHERE m.id = ANY (ARRAY(SELECT l.id FROM locked l)) AND o.id = m.id AND m.epoch = o.epoch AND m.status = 'running'
    AND (o.status <> 'success' OR m.deadline IS NULL OR m.deadline > clock_timestamp())
  RETURNING m.id, m.run_id, m.head_id, m.status, m.epoch,
    COALESCE((SELECT r.max_concurrency IS NOT NULL FROM fs.runs r WHERE r.id = m.run_id), false) AS limited,
    m.status = 'failed' AND COALESCE((SELECT r.fail_fast FROM fs.runs r WHERE r.id = m.run_id), false) AS fails_fast`,
);

/** Purpose: how attempts stand that were not, or perhaps, settled. Plan: primary key. Values: ids. */
export const STANDING = statement(
  'standing',
  `SELECT m.id, m.epoch, m.status FROM fs.materializations m WHERE m.id = ANY ($1::bigint[])`,
);

/**
 * Purpose: the edges of successes become exactly what they consumed; only the difference is written.
 * Plan: primary key of lineage. Values: successes, and the wanted edges as two arrays.
 */
export const LINEAGE = statement(
  'lineage',
  `WITH wanted AS MATERIALIZED (
    SELECT DISTINCT * FROM unnest($2::bigint[], $3::bigint[]) AS w (downstream, upstream)
  ), known AS MATERIALIZED (
    SELECT l.downstream, l.upstream FROM fs.lineage l WHERE l.downstream = ANY ($1::bigint[])
  ), gone AS (
    DELETE FROM fs.lineage l USING (SELECT * FROM known EXCEPT SELECT * FROM wanted) g
    WHERE l.downstream = ANY ($1::bigint[]) AND l.downstream = g.downstream AND l.upstream = g.upstream
  )
  INSERT INTO fs.lineage (downstream, upstream) SELECT * FROM wanted EXCEPT SELECT * FROM known`,
);

/**
 * Purpose: what depends on failures, transitively, cannot run.
 * Plan: lineage_upstream per node, then primary key. Guard: pending. Edges of what failed lie within its run.
 * Values: failed ids.
 */
export const DOOM = statement(
  'doom',
  `WITH RECURSIVE doomed (id) AS (
    SELECT l.downstream FROM fs.lineage l WHERE l.upstream = ANY ($1::bigint[])
    UNION
    SELECT l.downstream FROM doomed d
    CROSS JOIN LATERAL (SELECT l.downstream FROM fs.lineage l WHERE l.upstream = d.id OFFSET 0) l
  ), locked AS MATERIALIZED (
    SELECT m.id FROM fs.materializations m
    WHERE m.id = ANY (ARRAY(SELECT d.id FROM doomed d)) AND m.status = 'pending' ORDER BY m.id FOR UPDATE
  )
  UPDATE fs.materializations m SET status = 'upstream_failed', completed_at = clock_timestamp()
  WHERE m.id = ANY (ARRAY(SELECT l.id FROM locked l)) AND m.status = 'pending'
  RETURNING m.id, m.run_id, m.head_id, m.status, m.epoch`,
);

/**
 * Purpose: what is pending in some runs is cancelled at once. Plan: materializations_run. Guard: pending.
 * Values: namespace, run ids.
 */
export const CANCEL_PENDING = statement(
  'cancel_pending',
  `WITH locked AS MATERIALIZED (
    SELECT m.id FROM fs.materializations m
    WHERE m.run_id = ANY ($2::bigint[]) AND m.namespace = $1 AND m.status = 'pending' ORDER BY m.id FOR UPDATE
  )
  UPDATE fs.materializations m SET status = 'cancelled', ready = false, waiting_for = NULL,
    completed_at = clock_timestamp()
  WHERE m.id = ANY (ARRAY(SELECT l.id FROM locked l)) AND m.status = 'pending'
  RETURNING m.id, m.run_id, m.head_id, m.status, m.epoch`,
);

/**
 * Purpose: heads after materializations of theirs have ended: the newest success, the lock, what failed.
 * Plan: primary key. Values: head ids, changes (json: head, success or null, holder that ended or null, failed or null).
 */
export const MOVE_HEADS = statement(
  'move_heads',
  `WITH change AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset($2::jsonb) AS c (head bigint, success bigint, holder bigint, failed boolean)
  ), locked AS MATERIALIZED (
    SELECT h.id FROM fs.heads h WHERE h.id = ANY ($1::bigint[]) ORDER BY h.id FOR UPDATE
  )
  UPDATE fs.heads h SET
    materialization_id = COALESCE(c.success, h.materialization_id),
    invalidated = h.invalidated AND c.success IS NULL,
    failed = COALESCE(c.failed, h.failed),
    active_materialization = NULLIF(h.active_materialization, c.holder)
  FROM change c WHERE h.id = ANY (ARRAY(SELECT l.id FROM locked l)) AND c.head = h.id`,
);

/**
 * Purpose: what waited for the ended: dependents lose blockers, waiters of a lock become ready and know whom they
 * waited for. A statement after the heads were locked, so that no waiter is missed.
 * Plan: lineage_upstream and materializations_waiting, then primary key. Guard: pending.
 * Values: ids that are done (success, skipped), ids of holders that ended.
 */
export const RELEASE = statement(
  'release',
  `WITH freed AS MATERIALIZED (
    SELECT l.downstream AS id, count(*)::integer AS n FROM fs.lineage l WHERE l.upstream = ANY ($1::bigint[])
    GROUP BY l.downstream
  ), locked AS MATERIALIZED (
    SELECT m.id FROM fs.materializations m
    WHERE m.id = ANY (ARRAY(
        SELECT f.id FROM freed f
        UNION ALL SELECT w.id FROM fs.materializations w WHERE w.waiting_for = ANY ($2::bigint[])))
      AND m.status = 'pending'
    ORDER BY m.id FOR UPDATE
  ), released AS (
    UPDATE fs.materializations m SET
      blockers = m.blockers - k.n, ready = m.blockers = k.n,
      waited_for = COALESCE(m.waiting_for, m.waited_for), waiting_for = NULL
    FROM (SELECT l.id, COALESCE(f.n, 0) AS n FROM locked l LEFT JOIN freed f ON f.id = l.id) k
    WHERE m.id = ANY (ARRAY(SELECT l.id FROM locked l)) AND k.id = m.id AND m.status = 'pending'
    RETURNING m.ready
  )
  SELECT count(*) AS released FROM released WHERE ready`,
);

/**
 * Purpose: the timers of attempts that are over go, those of retries come, and everything is told.
 * Plan: primary key of timers. Values: namespace, ids whose timers go, retries (ids, epochs, delays in ms), events
 * (ids, kinds, details).
 */
export const RECORD = statement(
  'record',
  `WITH gone AS (
    DELETE FROM fs.timers t WHERE t.owner = ANY ($2::bigint[])
  ), retries AS (
    INSERT INTO fs.timers (owner, kind, generation, namespace, fires_at)
    SELECT r.id, 'retry', r.epoch, $1, clock_timestamp() + r.delay * interval '1 millisecond'
    FROM unnest($3::bigint[], $4::integer[], $5::float8[]) AS r (id, epoch, delay)
  )
  INSERT INTO fs.events (namespace, kind, run_id, materialization_id, asset_id, partition, actor, detail)
  SELECT $1, e.kind, m.run_id, m.id, m.asset_id, m.partition, NULL, e.detail::jsonb
  FROM unnest($6::bigint[], $7::text[], $8::text[]) AS e (id, kind, detail)
  CROSS JOIN LATERAL (
    SELECT m.id, m.run_id, m.asset_id, h.partition FROM fs.materializations m
    CROSS JOIN LATERAL (SELECT h.partition FROM fs.heads h WHERE h.id = m.head_id OFFSET 0) h
    WHERE m.id = e.id OFFSET 0) m`,
);

/**
 * Purpose: runs after materializations of theirs have ended. Plan: primary key.
 * Values: run ids, deltas (json: run, one count per terminal status, slots given back).
 */
export const COUNT_RUNS = statement(
  'count_runs',
  `WITH delta AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset($2::jsonb) AS d (run bigint, success integer, failed integer,
      upstream_failed integer, skipped integer, cancelled integer, slots integer)
  ), locked AS MATERIALIZED (
    SELECT r.id FROM fs.runs r WHERE r.id = ANY ($1::bigint[]) ORDER BY r.id FOR UPDATE
  )
  UPDATE fs.runs r SET
    success = r.success + d.success, failed = r.failed + d.failed,
    upstream_failed = r.upstream_failed + d.upstream_failed, skipped = r.skipped + d.skipped,
    cancelled = r.cancelled + d.cancelled, slots = r.slots - d.slots
  FROM delta d WHERE r.id = ANY (ARRAY(SELECT l.id FROM locked l)) AND d.run = r.id
  RETURNING r.id, r.status, r.total, r.success, r.failed, r.upstream_failed, r.skipped, r.cancelled,
    r.cancel_requested_at IS NOT NULL AS cancel_accepted`,
);

/**
 * Purpose: runs end. Plan: primary key. Guard: running. The rows are locked already.
 * Values: namespace, run ids, statuses.
 */
export const END_RUNS = statement(
  'end_runs',
  `WITH ended AS (
    UPDATE fs.runs r SET status = e.status, completed_at = clock_timestamp()
    FROM unnest($2::bigint[], $3::text[]) AS e (id, status)
    WHERE r.id = ANY ($2::bigint[]) AND e.id = r.id AND r.status = 'running'
    RETURNING r.id, r.status
  )
  INSERT INTO fs.events (namespace, kind, run_id, detail)
  SELECT $1, 'run.ended', d.id, jsonb_build_object('status', d.status) FROM ended d`,
);

/**
 * Purpose: the work of lost processes goes back with the epoch raised, or ends: cancelled where that was asked for,
 * failed where workers were lost too often. Plan: primary key. Guard: running by one of these processes.
 * Values: ids, process ids, the cap of rescues, the error (json) of those past it.
 */
export const TAKE_BACK = statement(
  'take_back',
  `WITH locked AS MATERIALIZED (
    SELECT m.id, m.cancel_requested, m.rescues FROM fs.materializations m
    WHERE m.id = ANY ($1::bigint[]) ORDER BY m.id FOR UPDATE
  ), judged AS MATERIALIZED (
    SELECT l.id, CASE WHEN l.cancel_requested THEN 'cancelled' WHEN l.rescues >= $3 THEN 'failed' ELSE 'pending' END
      AS status
    FROM locked l
  )
  UPDATE fs.materializations m SET
    status = j.status, ready = j.status = 'pending', epoch = m.epoch + 1, rescues = m.rescues + 1,
    process = CASE WHEN j.status = 'pending' THEN NULL ELSE m.process END,
    error = CASE WHEN j.status = 'failed' THEN $4::jsonb END,
    started_at = CASE WHEN j.status = 'pending' THEN NULL ELSE m.started_at END,
    completed_at = CASE WHEN j.status <> 'pending' THEN clock_timestamp() END,
    deadline = NULL
  FROM judged j
  WHERE m.id = ANY (ARRAY(SELECT l.id FROM locked l)) AND j.id = m.id AND m.status = 'running'
    AND m.process = ANY ($2::text[])
  RETURNING m.id, m.run_id, m.head_id, m.status, m.epoch,
    COALESCE((SELECT r.max_concurrency IS NOT NULL FROM fs.runs r WHERE r.id = m.run_id), false) AS limited,
    m.status = 'failed' AND COALESCE((SELECT r.fail_fast FROM fs.runs r WHERE r.id = m.run_id), false) AS fails_fast`,
);

/**
 * Purpose: a process that leaves gives back what it still holds: no attempt used up, the epoch kept.
 * Plan: primary key. Guard: running by one of these processes. Values: ids, process ids.
 */
export const HAND_BACK = statement(
  'hand_back',
  `WITH locked AS MATERIALIZED (
    SELECT m.id FROM fs.materializations m WHERE m.id = ANY ($1::bigint[]) ORDER BY m.id FOR UPDATE
  )
  UPDATE fs.materializations m SET
    status = CASE WHEN m.cancel_requested THEN 'cancelled' ELSE 'pending' END, ready = NOT m.cancel_requested,
    process = CASE WHEN m.cancel_requested THEN m.process END,
    started_at = CASE WHEN m.cancel_requested THEN m.started_at END,
    completed_at = CASE WHEN m.cancel_requested THEN clock_timestamp() END,
    deadline = NULL
  WHERE m.id = ANY (ARRAY(SELECT l.id FROM locked l)) AND m.status = 'running' AND m.process = ANY ($2::text[])
  RETURNING m.id, m.run_id, m.head_id, m.status, m.epoch,
    COALESCE((SELECT r.max_concurrency IS NOT NULL FROM fs.runs r WHERE r.id = m.run_id), false) AS limited`,
);
