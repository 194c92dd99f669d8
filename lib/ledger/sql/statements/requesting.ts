// Statements that record runs and their plans.
import { statement } from '../statement.js';

/**
 * Purpose: a run key is taken, once, with the number of the run that will have it. Waits for another transaction that
 * takes it just now. Values: namespace, key, hash of the request. Returns a row where the key was free.
 */
export const TAKE_RUN_KEY = statement(
  'take_run_key',
  `INSERT INTO fs.run_keys (namespace, run_key, request_hash, run_id)
  VALUES ($1, $2, $3, nextval(pg_get_serial_sequence('fs.runs', 'id')::regclass))
  ON CONFLICT (namespace, run_key) DO NOTHING RETURNING run_id`,
);

/** Purpose: who has a run key. Plan: primary key. Values: namespace, key. */
export const RUN_KEY = statement(
  'run_key',
  `SELECT k.run_id, k.request_hash, k.removed_run FROM fs.run_keys k WHERE k.namespace = $1 AND k.run_key = $2`,
);

/** Purpose: the open retry of a run. Plan: runs_open_retry. Values: namespace, run. */
export const OPEN_RETRY = statement(
  'open_retry',
  `SELECT r.id FROM fs.runs r WHERE r.namespace = $1 AND r.retry_of = $2 AND r.status IN ('planning', 'running')`,
);

/**
 * Purpose: a run is recorded, with the counts of its plan if it has one. No row: an open retry of that run exists.
 * Values: namespace, run (json), request (json, kept as written), counts (json), its number or null.
 */
export const INSERT_RUN = statement(
  'insert_run',
  `WITH run AS (
    INSERT INTO fs.runs (id, namespace, status, request, run_key, retry_of, priority, tags, requested_by, max_concurrency,
      fail_fast, total, failed, upstream_failed, cancelled, completed_at)
    SELECT COALESCE($5::bigint, nextval(pg_get_serial_sequence('fs.runs', 'id')::regclass)), $1, c.status, $3::json, n."runKey", n."retryOf", n.priority, n.tags, n."requestedBy", n."maxConcurrency",
      n."failFast", c.total, c.failed, c.upstream_failed, c.cancelled,
      CASE WHEN c.status NOT IN ('planning', 'running') THEN clock_timestamp() END
    FROM jsonb_to_record($2::jsonb) AS n ("runKey" text, "retryOf" bigint, priority integer, tags jsonb,
      "requestedBy" text, "maxConcurrency" integer, "failFast" boolean),
      jsonb_to_record($4::jsonb) AS c (status text, total integer, failed integer, upstream_failed integer,
      cancelled integer)
    ON CONFLICT (retry_of) WHERE status IN ('planning', 'running') DO NOTHING
    RETURNING *
  ), told AS (
    INSERT INTO fs.events (namespace, kind, run_id, actor, detail)
    SELECT $1, e.kind, r.id, e.actor, e.detail FROM run r CROSS JOIN LATERAL (VALUES
      ('run.requested', r.requested_by, NULL::jsonb),
      ('run.planned', NULL, jsonb_build_object('materializations', r.total)),
      ('run.ended', NULL, jsonb_build_object('status', r.status))) AS e (kind, actor, detail)
    WHERE e.kind = 'run.requested' OR (e.kind = 'run.planned' AND r.status <> 'planning')
      OR (e.kind = 'run.ended' AND r.completed_at IS NOT NULL)
  )
  SELECT r.*, 0 AS running FROM run r`,
);

/**
 * Purpose: a run of one materialization, recorded as already running: one statement, one commit. No row where the
 * process was given up or another materialization holds (asset, partition): then nothing was written.
 * Plan: processes_pkey, heads_partition. Guard: the lock of single flight is free, judged under its row lock.
 * Values: namespace, run (json), request (json, kept as written), process, asset, partition, forced, priority.
 */
export const INSERT_RUNNING = statement(
  'insert_running',
  `WITH me AS MATERIALIZED (
    SELECT p.id FROM fs.processes p WHERE p.namespace = $1 AND p.id = $4 FOR KEY SHARE
  ), numbers AS MATERIALIZED (
    SELECT nextval(pg_get_serial_sequence('fs.runs', 'id')::regclass) AS run,
      nextval(pg_get_serial_sequence('fs.materializations', 'id')::regclass) AS id
    FROM me
  ), head AS (
    INSERT INTO fs.heads AS h (asset_id, partition, active_materialization) SELECT $5, $6, n.id FROM numbers n
    ON CONFLICT (asset_id, partition) DO UPDATE SET active_materialization = EXCLUDED.active_materialization
      WHERE h.active_materialization IS NULL
    RETURNING *
  ), run AS (
    INSERT INTO fs.runs (id, namespace, status, request, priority, tags, requested_by, max_concurrency, fail_fast, total,
      slots)
    SELECT n.run, $1, 'running', $3::json, r.priority, r.tags, r."requestedBy", r."maxConcurrency", r."failFast", 1,
      CASE WHEN r."maxConcurrency" IS NULL THEN 0 ELSE 1 END
    FROM head h CROSS JOIN numbers n CROSS JOIN jsonb_to_record($2::jsonb) AS r (priority integer, tags jsonb,
      "requestedBy" text, "maxConcurrency" integer, "failFast" boolean)
    RETURNING *
  ), made AS (
    INSERT INTO fs.materializations (id, namespace, run_id, priority, asset_id, head_id, forced, status, epoch, process)
    SELECT n.id, $1, n.run, $8, $5, h.id, $7, 'running', 1, $4 FROM head h CROSS JOIN numbers n
  ), told AS (
    INSERT INTO fs.events (namespace, kind, run_id, actor, detail)
    SELECT $1, e.kind, r.id, e.actor, e.detail FROM run r CROSS JOIN LATERAL (VALUES
      ('run.requested', r.requested_by, NULL::jsonb),
      ('run.planned', NULL, jsonb_build_object('materializations', 1))) AS e (kind, actor, detail)
  )
  SELECT r.*, 1 AS running, n.id AS materialization FROM run r CROSS JOIN numbers n`,
);

/**
 * Purpose: the most urgent run without a planner, or whose planner is gone, gets one that knows all its targets. So does
 * one whose planner asks: the answer to its claim, or its attempt to plan, was lost in an outage.
 * Plan: runs_planning. Guard: still in planning, by the lock. Values: namespace, process, asset keys.
 */
export const CLAIM_PLANNING = statement(
  'claim_planning',
  `WITH me AS MATERIALIZED (SELECT p.id FROM fs.processes p WHERE p.id = $2 AND p.namespace = $1 FOR KEY SHARE),
  chosen AS MATERIALIZED (
    SELECT r.id FROM fs.runs r
    WHERE r.namespace = $1 AND r.status = 'planning' AND EXISTS (SELECT FROM me)
      AND (r.planner IS NULL OR r.planner = $2 OR NOT EXISTS (SELECT FROM fs.processes p WHERE p.namespace = r.namespace AND p.id = r.planner))
      AND NOT EXISTS (
        SELECT FROM json_array_elements(r.request -> 'targets') t WHERE t ->> 'asset' <> ALL ($3::text[]))
    ORDER BY r.priority DESC, r.id LIMIT 1 FOR UPDATE OF r SKIP LOCKED
  )
  UPDATE fs.runs r SET planner = $2, planning_epoch = r.planning_epoch + 1
  WHERE r.id = ANY (ARRAY(SELECT c.id FROM chosen c)) RETURNING r.*, 0 AS running`,
);

/**
 * Purpose: planning ends, with the counts of the plan. Plan: primary key.
 * Guard: in planning at this epoch. Values: namespace, run, epoch, counts (json), error (json or null).
 */
export const END_PLANNING = statement(
  'end_planning',
  `WITH run AS (
    UPDATE fs.runs r SET status = c.status, total = c.total, failed = c.failed, upstream_failed = c.upstream_failed,
      cancelled = c.cancelled, error = $5::jsonb, planner = NULL,
      completed_at = CASE WHEN c.status <> 'running' THEN clock_timestamp() END
    FROM jsonb_to_record($4::jsonb) AS c (status text, total integer, failed integer, upstream_failed integer,
      cancelled integer)
    WHERE r.id = $2 AND r.status = 'planning' AND r.planning_epoch = $3
    RETURNING r.id, r.total, r.status
  ), told AS (
    INSERT INTO fs.events (namespace, kind, run_id, detail)
    SELECT $1, e.kind, r.id, e.detail FROM run r CROSS JOIN LATERAL (VALUES
      ('run.planned', jsonb_build_object('materializations', r.total)),
      ('run.ended', jsonb_build_object('status', r.status))) AS e (kind, detail)
    WHERE (e.kind = 'run.planned' AND $5 IS NULL) OR (e.kind = 'run.ended' AND r.status <> 'running')
  )
  SELECT r.id FROM run r`,
);

/**
 * Purpose: the heads that rows of a plan need, and numbers for these rows, ascending. Inserted in the order of their
 * key, since two plans may meet here. Plan: heads_partition. Values: asset ids, partitions.
 */
export const PREPARE_ROWS = statement(
  'prepare_rows',
  `WITH made AS (
    INSERT INTO fs.heads (asset_id, partition)
    SELECT n.asset, n.partition FROM unnest($1::integer[], $2::text[]) AS n (asset, partition)
    ORDER BY n.asset, n.partition COLLATE "C"
    ON CONFLICT (asset_id, partition) DO NOTHING
  )
  SELECT array_agg(n.id) AS ids FROM (
    SELECT nextval(pg_get_serial_sequence('fs.materializations', 'id')::regclass) AS id
    FROM generate_series(1, cardinality($1::integer[]))) n`,
);

/**
 * Purpose: rows of a plan, with the edges known at plan time. Plan: heads_partition per row.
 * Values: namespace, run, priorities, ids, asset ids, partitions, forced flags, blockers, statuses, errors (null but
 * for failures), edges as two arrays (downstream, upstream).
 */
export const INSERT_ROWS = statement(
  'insert_rows',
  `WITH edges AS (
    INSERT INTO fs.lineage (downstream, upstream) SELECT * FROM unnest($11::bigint[], $12::bigint[])
  )
  INSERT INTO fs.materializations (id, namespace, run_id, priority, asset_id, head_id, forced, blockers, status, ready,
    error, completed_at)
  SELECT n.id, $1, $2, n.priority, n.asset, h.id, n.forced, n.blockers, n.status, n.status = 'pending' AND n.blockers = 0,
    n.error::jsonb, CASE WHEN n.status <> 'pending' THEN clock_timestamp() END
  FROM unnest($3::integer[], $4::bigint[], $5::integer[], $6::text[], $7::boolean[], $8::integer[], $9::text[],
    $10::text[]) AS n (priority, id, asset, partition, forced, blockers, status, error)
  CROSS JOIN LATERAL (
    SELECT h.id FROM fs.heads h WHERE h.asset_id = n.asset AND h.partition = n.partition OFFSET 0) h`,
);

/** Purpose: what of a plan ended before it began is told, its heads know of it. Plan: materializations_run. Values: namespace, run. */
export const TELL_BLOCKED = statement(
  'tell_blocked',
  `WITH ended AS MATERIALIZED (
    SELECT m.id, m.run_id, m.head_id, m.asset_id, m.status FROM fs.materializations m
    WHERE m.run_id = $2 AND m.status <> 'pending'
  ), locked AS MATERIALIZED (
    SELECT h.id, h.partition FROM fs.heads h WHERE h.id = ANY (ARRAY(SELECT e.head_id FROM ended e))
    ORDER BY h.id FOR UPDATE
  ), marked AS (
    UPDATE fs.heads h SET failed = true
    WHERE h.id = ANY (ARRAY(SELECT e.head_id FROM ended e JOIN locked l ON l.id = e.head_id
      WHERE e.status <> 'cancelled'))
  )
  INSERT INTO fs.events (namespace, kind, run_id, materialization_id, asset_id, partition)
  SELECT $1, 'materialization.' || e.status, e.run_id, e.id, e.asset_id, l.partition
  FROM ended e JOIN locked l ON l.id = e.head_id ORDER BY e.id`,
);
