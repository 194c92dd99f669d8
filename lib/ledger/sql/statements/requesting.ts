// Statements that record runs and their plans.
import { MOST_TOLD } from '../../../../migrations/0001-functions/ending.js';
import { statement } from '../statement.js';

/** The dimension whose values are the keys of a pool `p`; null where nothing bounds its keys. */
const KEYED_BY = `CASE WHEN num_nonnulls(p.key_capacity, p.key_burst) > 0 THEN p.dimension END`;

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
  `WITH bound AS (
    INSERT INTO fs.limits (namespace, capacity) SELECT $1, ($2::jsonb ->> 'maxConcurrency')::integer
    WHERE $2::jsonb ->> 'maxConcurrency' IS NOT NULL RETURNING id
  ), run AS (
    INSERT INTO fs.runs (id, namespace, status, request, run_key, retry_of, priority, tags, requested_by, max_concurrency,
      limit_id, fail_fast, trace, total, failed, upstream_failed, cancelled, completed_at)
    SELECT COALESCE($5::bigint, nextval(pg_get_serial_sequence('fs.runs', 'id')::regclass)), $1, c.status, $3::json, n."runKey", n."retryOf", n.priority, n.tags, n."requestedBy", n."maxConcurrency",
      (SELECT b.id FROM bound b), n."failFast", n.trace, c.total, c.failed, c.upstream_failed, c.cancelled,
      CASE WHEN c.status NOT IN ('planning', 'running') THEN clock_timestamp() END
    FROM jsonb_to_record($2::jsonb) AS n ("runKey" text, "retryOf" bigint, priority integer, tags jsonb,
      "requestedBy" text, "maxConcurrency" integer, "failFast" boolean, trace json),
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
  SELECT r.* FROM run r`,
);

/**
 * Purpose: a run of one materialization, recorded as already running, with what the process needs of its claim (function
 * `insert_running`). No row: nothing was written. Values: namespace, run (json, without maxConcurrency), request (json,
 * kept as written), process, asset, partition, forced, priority.
 */
export const INSERT_RUNNING = statement(
  'insert_running',
  `SELECT (i.run).*, i.claims FROM fs.insert_running($1, $2::jsonb, $3::json, $4, $5, $6, $7, $8) i WHERE i.claims IS NOT NULL`,
);

/**
 * Purpose: the most urgent run without a planner, or whose planner is gone, gets one that knows all its targets. So does
 * one whose planner asks: the answer to its claim, or its attempt to plan, was lost in an outage. What else it is the
 * planner of is for others: it is not planning that, and may not be able to any more, where it was superseded.
 * Plan: runs_planning, runs_planner. Guard: still in planning, by the lock; the process knows which definitions count. Values: namespace, process, asset keys.
 */
export const CLAIM_PLANNING = statement(
  'claim_planning',
  `WITH me AS MATERIALIZED (SELECT p.id FROM fs.processes p WHERE p.id = $2 AND p.namespace = $1 AND NOT p.outdated FOR KEY SHARE),
  chosen AS MATERIALIZED (
    SELECT r.id FROM fs.runs r
    WHERE r.namespace = $1 AND r.status = 'planning' AND EXISTS (SELECT FROM me)
      AND (r.planner IS NULL OR r.planner = $2 OR NOT EXISTS (SELECT FROM fs.processes p WHERE p.namespace = r.namespace AND p.id = r.planner))
      AND NOT EXISTS (
        SELECT FROM json_array_elements(r.request -> 'targets') t WHERE t ->> 'asset' <> ALL ($3::text[]))
    ORDER BY r.priority DESC, r.id LIMIT 1 FOR UPDATE OF r SKIP LOCKED
  ), forsaken AS MATERIALIZED (
    -- What is locked is changed just now: the next time, if need be.
    SELECT r.id FROM fs.runs r
    WHERE r.namespace = $1 AND r.status = 'planning' AND r.planner = $2 AND r.id <> ALL (ARRAY(SELECT c.id FROM chosen c))
    FOR UPDATE OF r SKIP LOCKED
  ), left_to_others AS (
    UPDATE fs.runs r SET planner = NULL WHERE r.id = ANY (ARRAY(SELECT f.id FROM forsaken f))
  )
  UPDATE fs.runs r SET planner = $2, planning_epoch = r.planning_epoch + 1
  WHERE r.id = ANY (ARRAY(SELECT c.id FROM chosen c)) RETURNING r.*`,
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
    SELECT nextval((SELECT pg_get_serial_sequence('fs.materializations', 'id')::regclass)) AS id
    FROM generate_series(1, cardinality($1::integer[]))) n`,
);

/**
 * Purpose: the lanes of a run, one per pool of its assets; which asset goes through which. What has a key (the pool's
 * dimension is among the asset's) goes through one of MAKE_KEY_LANES. Plan: primary keys.
 * Values: namespace, run, asset ids.
 */
export const MAKE_LANES = statement(
  'make_lanes',
  `WITH asset AS MATERIALIZED (
    SELECT a.id, a.pool_id, a.dimensions FROM fs.assets a WHERE a.id = ANY ($3::integer[])
  ), pool AS MATERIALIZED (
    -- Shared, so that no pool gets its first limit before its new lanes can be seen (bound_pools).
    SELECT p.id, p.limit_id, ${KEYED_BY} AS dimension FROM fs.pools p WHERE p.id = ANY (ARRAY(SELECT a.pool_id FROM asset a)) ORDER BY p.id FOR SHARE
  ), made AS (
    INSERT INTO fs.lanes (namespace, run_id, pool_id, limits, has_ready, assets)
    SELECT $1, $2, p.id, NULLIF(array_remove(ARRAY[r.limit_id, p.limit_id], NULL), '{}'), true,
      ARRAY(SELECT a.id FROM asset a WHERE a.pool_id = p.id)
    FROM fs.runs r CROSS JOIN pool p WHERE r.id = $2
    RETURNING id, pool_id
  )
  SELECT a.id AS asset, m.id AS lane, p.id AS pool, a.dimensions,
    CASE WHEN a.dimensions ? p.dimension THEN p.dimension END AS dimension
  FROM asset a JOIN made m ON m.pool_id = a.pool_id JOIN pool p ON p.id = a.pool_id`,
);

/** Purpose: those of some assets that have keys in their pools. Plan: primary keys. Values: asset ids. */
export const KEYED_ASSETS = statement(
  'keyed_assets',
  `SELECT a.id AS asset, p.id AS pool, p.dimension, a.dimensions
  FROM (SELECT a.* FROM fs.assets a WHERE a.id = ANY ($1::integer[]) OFFSET 0) a
  CROSS JOIN LATERAL (SELECT p.id, ${KEYED_BY} AS dimension FROM fs.pools p WHERE p.id = a.pool_id OFFSET 0) p
  WHERE a.dimensions ? p.dimension`,
);

/**
 * Purpose: the limits of keys that are new. Inserted in their order, since two plans may meet here, and under a share of
 * the pools, so that they begin with what bounds keys now (bound_pools). Plan: limits_key, primary key of pools.
 * Values: namespace, pools and keys.
 */
export const ADD_KEYS = statement(
  'add_keys',
  `WITH pool AS MATERIALIZED (
    SELECT p.* FROM fs.pools p WHERE p.id = ANY ($2::integer[]) ORDER BY p.id FOR SHARE
  )
  INSERT INTO fs.limits (namespace, pool_id, key, capacity, burst, period, tokens, refilled_at)
  SELECT $1, p.id, k.key, p.key_capacity, p.key_burst, p.key_period, p.key_burst,
    CASE WHEN p.key_burst IS NOT NULL THEN clock_timestamp() END
  FROM unnest($2::integer[], $3::text[]) AS k (pool, key) JOIN pool p ON p.id = k.pool
  WHERE NOT EXISTS (SELECT FROM fs.limits x WHERE x.pool_id = k.pool AND x.key = k.key OFFSET 0)
  ORDER BY p.id, k.key COLLATE "C"
  ON CONFLICT (pool_id, key) WHERE key IS NOT NULL DO NOTHING`,
);

/**
 * Purpose: lanes of a run for keys (ADD_KEYS first), each for whatever the run has in the pool (MAKE_LANES).
 * Plan: limits_key, lanes_pool, primary keys. Values: namespace, run, pools, keys.
 */
export const MAKE_KEY_LANES = statement(
  'make_key_lanes',
  `WITH made AS (
    INSERT INTO fs.lanes (namespace, run_id, pool_id, key_limit, limits, has_ready, assets)
    SELECT $1, $2, k.pool, x.id, array_remove(ARRAY[r.limit_id, p.limit_id, x.id], NULL), true, l.assets
    FROM unnest($3::integer[], $4::text[]) AS k (pool, key)
    CROSS JOIN LATERAL (SELECT x.id FROM fs.limits x WHERE x.pool_id = k.pool AND x.key = k.key OFFSET 0) x
    CROSS JOIN LATERAL (SELECT p.limit_id FROM fs.pools p WHERE p.id = k.pool OFFSET 0) p
    CROSS JOIN LATERAL (SELECT r.limit_id FROM fs.runs r WHERE r.id = $2 OFFSET 0) r
    CROSS JOIN LATERAL (SELECT l.assets FROM fs.lanes l
      WHERE l.run_id = $2 AND l.pool_id = k.pool AND l.key_limit IS NULL OFFSET 0) l
    RETURNING id, pool_id, key_limit
  )
  SELECT m.id AS lane, m.pool_id AS pool, x.key FROM made m
  CROSS JOIN LATERAL (SELECT x.key FROM fs.limits x WHERE x.id = m.key_limit OFFSET 0) x`,
);

/**
 * Purpose: rows of a plan, with the edges known at plan time; those that can begin are offered. Plan: heads_partition
 * per row. Values: namespace, run, priorities, ids, asset ids, partitions, forced flags, blockers, statuses, errors
 * (null but for failures), edges as three arrays (downstream, upstream, ordering), lanes.
 */
export const INSERT_ROWS = statement(
  'insert_rows',
  `WITH edges AS (
    INSERT INTO fs.lineage (downstream, upstream, ordering)
    SELECT * FROM unnest($11::bigint[], $12::bigint[], $13::boolean[])
  ), made AS (
    INSERT INTO fs.materializations (id, namespace, run_id, lane_id, priority, asset_id, head_id, forced, blockers,
      status, error, completed_at)
    SELECT n.id, $1, $2, n.lane, n.priority, n.asset, h.id, n.forced, n.blockers, n.status, n.error::jsonb,
      CASE WHEN n.status <> 'pending' THEN clock_timestamp() END
    FROM unnest($3::integer[], $4::bigint[], $5::integer[], $6::text[], $7::boolean[], $8::integer[], $9::text[],
      $10::text[], $14::bigint[]) AS n (priority, id, asset, partition, forced, blockers, status, error, lane)
    CROSS JOIN LATERAL (
      SELECT h.id FROM fs.heads h WHERE h.asset_id = n.asset AND h.partition = n.partition OFFSET 0) h
  )
  INSERT INTO fs.ready (lane_id, rank, materialization_id, asset_id)
  SELECT n.lane, -n.priority, n.id, n.asset
  FROM unnest($3::integer[], $4::bigint[], $5::integer[], $8::integer[], $9::text[], $14::bigint[])
    AS n (priority, id, asset, blockers, status, lane)
  WHERE n.status = 'pending' AND n.blockers = 0`,
);

const numbers = (table: string): string =>
  `SELECT CASE WHEN max(n.id) - min(n.id) < count(*) THEN ARRAY[min(n.id)] ELSE array_agg(n.id) END AS ids FROM (
    SELECT nextval((SELECT pg_get_serial_sequence('fs.${table}', 'id')::regclass)) AS id
    FROM generate_series(1, $1::integer)) n`;

/**
 * Purpose: numbers for rows of a large plan, ascending; the first alone where those after it follow without a gap.
 * Values: how many.
 */
export const NUMBER_ROWS = statement('number_rows', numbers('materializations'));

/** Purpose: the same for heads that a large plan found missing. */
export const NUMBER_HEADS = statement('number_heads', numbers('heads'));

/**
 * Purpose: heads of a large plan, made where they are missing, ahead of its transaction, so that no other plan waits for
 * them until that ends. One that another transaction is making comes back as 0: ask again.
 * Plan: heads_partition per row. Values: asset ids, partitions.
 */
export const MAKE_HEADS = statement(
  'make_heads',
  `WITH row AS MATERIALIZED (
    SELECT n.asset, n.partition, n.place, h.id
    FROM unnest($1::integer[], $2::text[]) WITH ORDINALITY AS n (asset, partition, place)
    LEFT JOIN LATERAL (
      SELECT h.id FROM fs.heads h WHERE h.asset_id = n.asset AND h.partition = n.partition OFFSET 0) h ON true
  ), made AS (
    INSERT INTO fs.heads (asset_id, partition)
    SELECT r.asset, r.partition FROM row r WHERE r.id IS NULL ORDER BY r.asset, r.partition COLLATE "C"
    ON CONFLICT (asset_id, partition) DO NOTHING
    RETURNING id, asset_id, partition
  )
  SELECT array_agg(COALESCE(r.id, m.id, 0) ORDER BY r.place) AS heads FROM row r
  LEFT JOIN made m ON m.asset_id = r.asset AND m.partition = r.partition COLLATE "C"`,
);

/** Purpose: whether planning is still this planner's. Plan: primary key. Values: run, epoch. */
export const PLANNING_HELD = statement(
  'planning_held',
  `SELECT r.id FROM fs.runs r WHERE r.id = $1 AND r.status = 'planning' AND r.planning_epoch = $2`,
);

/**
 * Purpose: what of a plan ended before it began is told, its heads know of it. Plan: materializations_run.
 * Values: namespace, run, first and last id.
 */
export const TELL_BLOCKED = statement(
  'tell_blocked',
  `WITH ended AS MATERIALIZED (
    SELECT m.id, m.run_id, m.head_id, m.asset_id, m.status FROM fs.materializations m
    WHERE m.run_id = $2 AND m.id BETWEEN $3 AND $4 AND m.status <> 'pending'
  ), locked AS MATERIALIZED (
    SELECT h.id FROM fs.heads h WHERE h.id = ANY (ARRAY(SELECT e.head_id FROM ended e))
    ORDER BY h.id FOR UPDATE
  ), marked AS (
    UPDATE fs.heads h SET failed = true
    WHERE h.id = ANY (ARRAY(SELECT e.head_id FROM ended e JOIN locked l ON l.id = e.head_id
      WHERE e.status <> 'cancelled'))
    RETURNING h.id, h.asset_id
  ), told AS (
    INSERT INTO fs.events (namespace, kind, run_id, materializations, asset_id)
    SELECT $1, 'materialization.' || e.status, e.run_id, array_agg(e.id ORDER BY e.id), e.asset_id FROM ended e
    GROUP BY e.run_id, e.asset_id, e.status, (e.id - $3) / ${MOST_TOLD} ORDER BY min(e.id)
  )
  SELECT fs.note_changes(array_agg(m.asset_id), array_agg(m.id)) AS noted FROM marked m`,
);
