// Statements that give work to a process: claiming, describing what was claimed, beginning, and asking for ready work.
import { statement } from '../statement.js';

// Lock order: this half never waits. Materializations, limited runs and heads are taken FOR UPDATE SKIP LOCKED; what
// cannot be locked stays ready for the next claim. The process row is shared (KEY SHARE), so that a rescue, which
// takes it FOR UPDATE, comes wholly before (then there is no row, and nothing is claimed) or wholly after.
//
// A row whose lock is free, or its own already, takes it; of several for one head the first by priority, then id.
// The others record whom they wait for: under the head's row lock, so that the holder's end cannot miss them.
function claiming(candidates: string): string {
  return `WITH me AS MATERIALIZED (
    SELECT p.id FROM fs.processes p WHERE p.id = $1 AND p.namespace = $2 FOR KEY SHARE
  ), candidates AS MATERIALIZED (
    ${candidates}
  ), limited AS MATERIALIZED (
    SELECT r.id, r.max_concurrency - r.slots AS free FROM fs.runs r
    WHERE r.id = ANY (ARRAY(SELECT DISTINCT c.run_id FROM candidates c WHERE c.limited))
    ORDER BY r.id FOR UPDATE SKIP LOCKED
  ), ranked AS (
    SELECT c.*, row_number() OVER (PARTITION BY c.run_id ORDER BY c.priority DESC, c.id) AS rank FROM candidates c
  ), allowed AS MATERIALIZED (
    SELECT k.* FROM ranked k LEFT JOIN limited l ON l.id = k.run_id
    WHERE NOT k.limited OR k.rank <= COALESCE(l.free, 0)
  ), free_heads AS MATERIALIZED (
    SELECT h.id, h.active_materialization AS active FROM fs.heads h
    WHERE h.id = ANY (ARRAY(SELECT a.head_id FROM allowed a)) FOR UPDATE SKIP LOCKED
  ), judged AS MATERIALIZED (
    SELECT a.id, a.run_id, a.head_id, a.limited, a.priority,
      COALESCE(h.active, first_value(a.id) OVER (PARTITION BY a.head_id ORDER BY a.priority DESC, a.id)) AS holder
    FROM allowed a JOIN free_heads h ON h.id = a.head_id
  ), taken AS MATERIALIZED (
    SELECT j.id, j.run_id, j.head_id, j.limited FROM judged j WHERE j.holder = j.id
  ), locked_heads AS (
    UPDATE fs.heads h SET active_materialization = t.id FROM taken t
    WHERE h.id = ANY (ARRAY(SELECT x.head_id FROM taken x)) AND t.head_id = h.id
      AND h.active_materialization IS DISTINCT FROM t.id
  ), raised AS (
    UPDATE fs.materializations m SET priority = w.priority
    FROM (SELECT j.holder, max(j.priority) AS priority FROM judged j WHERE j.holder <> j.id GROUP BY j.holder) w
    WHERE m.id = ANY (ARRAY(
        SELECT x.id FROM fs.materializations x
        WHERE x.id = ANY (ARRAY(SELECT j.holder FROM judged j WHERE j.holder <> j.id)) AND x.status = 'pending'
        FOR UPDATE SKIP LOCKED))
      AND m.id = w.holder AND m.status = 'pending' AND m.priority < w.priority
      AND m.id <> ALL (ARRAY(SELECT t.id FROM taken t))
  ), slots AS (
    UPDATE fs.runs r SET slots = r.slots + n.count
    FROM (SELECT t.run_id, count(*)::integer AS count FROM taken t WHERE t.limited GROUP BY t.run_id) n
    WHERE r.id = ANY (ARRAY(SELECT t.run_id FROM taken t WHERE t.limited)) AND r.id = n.run_id
  ), moved AS (
    UPDATE fs.materializations m SET
      ready = false,
      status = CASE WHEN j.holder = j.id THEN 'running' ELSE 'pending' END,
      epoch = m.epoch + CASE WHEN j.holder = j.id THEN 1 ELSE 0 END,
      process = CASE WHEN j.holder = j.id THEN $1 END,
      waiting_for = NULLIF(j.holder, j.id)
    FROM judged j
    WHERE m.id = ANY (ARRAY(SELECT x.id FROM judged x)) AND j.id = m.id AND m.ready
    RETURNING m.id, m.status
  )
  SELECT v.id, v.status = 'running' AS taken, (SELECT count(*) FROM candidates)::integer AS candidates FROM moved v`;
}

const CANDIDATE = `SELECT m.id, m.run_id, m.head_id, m.priority,
      COALESCE((SELECT r.max_concurrency IS NOT NULL FROM fs.runs r WHERE r.id = m.run_id), false) AS limited
    FROM fs.materializations m`;

/**
 * Purpose: the most urgent ready materializations of some assets become running, or wait for their holder.
 * Plan: index scan of materializations_ready, stopped by LIMIT; the rest by primary keys.
 * Guard: `ready`, re-read under the row lock. Values: process, namespace, asset ids, limit.
 */
export const CLAIM = statement(
  'claim',
  claiming(`${CANDIDATE}
    WHERE m.ready AND m.namespace = $2 AND m.asset_id = ANY ($3::integer[]) AND EXISTS (SELECT FROM me)
      AND COALESCE((SELECT r.max_concurrency IS NULL OR r.slots < r.max_concurrency
        FROM fs.runs r WHERE r.id = m.run_id), true)
    ORDER BY m.priority DESC, m.id LIMIT $4 FOR UPDATE OF m SKIP LOCKED`),
);

/**
 * Purpose: the same for materializations this transaction has just inserted.
 * Plan: primary keys. Values: process, namespace, ids.
 */
export const CLAIM_THESE = statement(
  'claim_these',
  claiming(`${CANDIDATE}
    WHERE m.ready AND m.id = ANY ($3::bigint[]) AND EXISTS (SELECT FROM me) FOR UPDATE OF m SKIP LOCKED`),
);

/**
 * Purpose: what a worker needs of its claims. A statement after the claim, since the head may have been committed
 * after the claim's snapshot was taken.
 * Plan: primary keys only. Values: ids.
 */
export const CLAIMED = statement(
  'claimed',
  `SELECT m.id, m.run_id, m.asset_id, h.partition, m.epoch, m.attempts, m.rescues, m.forced, m.priority,
    r.requested_by, r.tags, r.force_max_age, clock_timestamp() AS claimed_at, j.id AS joined_id, j.status AS joined_status, j.error AS joined_error,
    h.materialization_id, h.invalidated, h.failed, h.active_materialization, v.*
  FROM fs.materializations m
  CROSS JOIN LATERAL (SELECT * FROM fs.heads h WHERE h.id = m.head_id OFFSET 0) h
  CROSS JOIN LATERAL (SELECT r.requested_by, r.tags, (r.request ->> 'forceMaxAge')::float8 AS force_max_age
    FROM fs.runs r WHERE r.id = m.run_id OFFSET 0) r
  LEFT JOIN LATERAL (SELECT j.id, j.status, j.error FROM fs.materializations j WHERE j.id = m.waited_for OFFSET 0) j
    ON true
  LEFT JOIN LATERAL (
    SELECT v.data_version, v.code_version, v.inputs, v.upstreams, v.io, v.location, v.size, v.rows, v.hash,
      v.completed_at
    FROM fs.materializations v WHERE v.id = h.materialization_id OFFSET 0) v ON true
  WHERE m.id = ANY ($1::bigint[]) ORDER BY m.priority DESC, m.id`,
);

/**
 * Purpose: what a process holds, found through the locks of single flight.
 * Plan: heads_active, then primary keys. Values: namespace, process ids.
 */
export const HELD = statement(
  'held',
  `SELECT m.id, m.epoch, m.cancel_requested FROM fs.heads h
  CROSS JOIN LATERAL (SELECT m.id, m.epoch, m.status, m.namespace, m.process, m.cancel_requested FROM fs.materializations m
    WHERE m.id = h.active_materialization OFFSET 0) m
  WHERE h.active_materialization IS NOT NULL AND m.status = 'running' AND m.namespace = $1
    AND m.process = ANY ($2::text[])
  ORDER BY m.id`,
);

/**
 * Purpose: user code begins: start time, deadline and its timer. Plan: primary key.
 * Guard: running at this epoch. Values: namespace, ids, epochs, timeouts in ms (null: none).
 */
export const START = statement(
  'start',
  `WITH attempt AS MATERIALIZED (
    SELECT * FROM unnest($2::bigint[], $3::integer[], $4::float8[]) AS a (id, epoch, timeout)
  ), begun AS (
    UPDATE fs.materializations m SET started_at = clock_timestamp(),
      deadline = clock_timestamp() + a.timeout * interval '1 millisecond'
    FROM attempt a
    WHERE m.id = ANY ($2::bigint[]) AND a.id = m.id AND m.epoch = a.epoch AND m.status = 'running'
    RETURNING m.id, m.epoch, m.deadline
  ), timed AS (
    INSERT INTO fs.timers (owner, kind, generation, namespace, fires_at)
    SELECT b.id, 'timeout', b.epoch, $1, b.deadline FROM begun b WHERE b.deadline IS NOT NULL
    ON CONFLICT (owner, kind, generation) DO UPDATE SET fires_at = EXCLUDED.fires_at
  )
  SELECT b.id FROM begun b`,
);

/** Purpose: whether anything of these assets is ready. Plan: materializations_ready. Values: namespace, asset ids. */
export const HAS_READY = statement(
  'has_ready',
  `SELECT EXISTS (SELECT FROM fs.materializations m
    WHERE m.ready AND m.namespace = $1 AND m.asset_id = ANY ($2::integer[])) AS ready`,
);
