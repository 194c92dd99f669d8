// Statements of acts by people: cancelling, invalidating, deleting, reporting versions, changing partitions.
import { statement } from '../statement.js';

/** Purpose: a run that is still in planning ends cancelled. Guard: in planning. Values: namespace, run, actor, reason. */
export const CANCEL_PLANNING = statement(
  'cancel_planning',
  `WITH run AS (
    UPDATE fs.runs r SET status = 'cancelled', planner = NULL, completed_at = clock_timestamp(), cancel_by = $3,
      cancel_reason = $4, cancel_requested_at = clock_timestamp()
    WHERE r.id = $2 AND r.namespace = $1 AND r.status = 'planning' RETURNING r.id
  )
  INSERT INTO fs.events (namespace, kind, run_id, actor, detail)
  SELECT $1, e.kind, r.id, e.actor, e.detail FROM run r CROSS JOIN LATERAL (VALUES
    ('run.cancel_requested', $3, jsonb_build_object('reason', $4::text)),
    ('run.ended', NULL, jsonb_build_object('status', 'cancelled'))) AS e (kind, actor, detail)
  RETURNING run_id`,
);

/** Purpose: a planned run is cancelled (function `cancel_run`). Values: namespace, run, actor, reason, grace in ms. */
export const CANCEL_RUN = statement(
  'cancel_run',
  `SELECT c.accepted, c.running, c.is_ended AS ended, array_to_json(c.rings) AS rings, c.more
  FROM fs.cancel_run($1, $2, $3, $4, $5::float8) c`,
);

/**
 * Purpose: the next of what is pending in a run that is being stopped, or cannot run any more (function `stop_pending`).
 * Values: namespace, run or null: any.
 */
export const STOP_PENDING = statement(
  'stop_pending',
  `SELECT s.running, s.ended, array_to_json(s.rings) AS rings, s.more FROM fs.stop_pending($1, $2) s`,
);

const CHOSEN_HEADS = `chosen AS MATERIALIZED (
    SELECT h.id FROM fs.heads h WHERE h.asset_id = ANY ($2::integer[])
    UNION
    SELECT h.id FROM unnest($3::integer[], $4::text[]) AS n (asset, partition)
    CROSS JOIN LATERAL (
      SELECT h.id FROM fs.heads h WHERE h.asset_id = n.asset AND h.partition = n.partition OFFSET 0) h
  ), locked AS MATERIALIZED (
    SELECT h.id, h.asset_id, h.partition, h.materialization_id, h.active_materialization FROM fs.heads h
    WHERE h.id = ANY (ARRAY(SELECT c.id FROM chosen c)) ORDER BY h.id FOR UPDATE
  )`;

/**
 * Purpose: heads are marked as invalidated. Plan: heads_partition.
 * Values: namespace, whole assets, partitions as two arrays, actor, reason.
 */
export const INVALIDATE = statement(
  'invalidate',
  `WITH ${CHOSEN_HEADS}, marked AS (
    UPDATE fs.heads h SET invalidated = true
    WHERE h.id = ANY (ARRAY(SELECT l.id FROM locked l)) AND h.materialization_id IS NOT NULL
    RETURNING h.id, h.asset_id, h.partition
  ), told AS (
    INSERT INTO fs.events (namespace, kind, asset_id, partition, actor, detail)
    SELECT $1, 'asset.invalidated', m.asset_id, m.partition, $5, jsonb_build_object('reason', $6::text) FROM marked m
  )
  SELECT count(*) AS invalidated, fs.note_changes(array_agg(m.asset_id), array_agg(m.id)) AS noted FROM marked m`,
);

/** Purpose: heads that are about to be deleted, locked. Plan: heads_partition. Values: as INVALIDATE, without actor. */
export const LOCK_HEADS = statement(
  'lock_heads',
  `WITH ${CHOSEN_HEADS}
  SELECT l.id, l.asset_id, l.partition, l.materialization_id, l.active_materialization FROM locked l
  WHERE $1::integer IS NOT NULL AND (l.materialization_id IS NOT NULL OR l.active_materialization IS NOT NULL)`,
);

/** Purpose: heads are forgotten; what was recorded stays. Plan: primary key. Values: namespace, head ids, actor, reason. */
export const DELETE_HEADS = statement(
  'delete_heads',
  `WITH gone AS (
    UPDATE fs.heads h SET materialization_id = NULL, invalidated = false WHERE h.id = ANY ($2::bigint[])
    RETURNING h.id, h.asset_id, h.partition
  ), told AS (
    INSERT INTO fs.events (namespace, kind, asset_id, partition, actor, detail)
    SELECT $1, 'asset.deleted', g.asset_id, g.partition, $3, jsonb_build_object('reason', $4::text) FROM gone g
  )
  SELECT fs.note_changes(array_agg(g.asset_id), array_agg(g.id)) AS noted FROM gone g`,
);

/** Purpose: the row of a head exists. Plan: heads_partition. Values: asset, partition. */
export const ENSURE_HEAD = statement(
  'ensure_head',
  `INSERT INTO fs.heads (asset_id, partition) VALUES ($1, $2) ON CONFLICT (asset_id, partition) DO NOTHING`,
);

/**
 * Purpose: a version reported of an external asset becomes its head. Plan: heads_partition.
 * Values: namespace, asset, partition, data version, metadata, actor.
 */
export const REPORT_VERSION = statement(
  'report_version',
  `WITH head AS MATERIALIZED (
    SELECT h.id FROM fs.heads h WHERE h.asset_id = $2 AND h.partition = $3 FOR UPDATE
  ), made AS (
    INSERT INTO fs.materializations (namespace, asset_id, head_id, status, data_version, metadata, started_at,
      completed_at)
    SELECT $1, $2, h.id, 'success', $4, $5::jsonb, clock_timestamp(), clock_timestamp() FROM head h RETURNING id
  ), moved AS (
    UPDATE fs.heads h SET materialization_id = m.id, invalidated = false, failed = false FROM made m
    WHERE h.id = ANY (ARRAY(SELECT x.id FROM head x))
    RETURNING h.id, h.materialization_id
  ), told AS (
    INSERT INTO fs.events (namespace, kind, materializations, asset_id, partition, actor, detail)
    SELECT $1, 'asset.version_reported', ARRAY[m.id], $2, $3, $6, jsonb_build_object('dataVersion', $4::text) FROM made m
  )
  SELECT m.materialization_id, fs.note_changes(ARRAY[$2::integer], ARRAY[m.id]) AS noted FROM moved m`,
);

/** Purpose: keys come into being, or back. Plan: primary key. Values: namespace, name, keys, actor. */
export const ADD_PARTITIONS = statement(
  'add_partitions',
  `WITH added AS (
    INSERT INTO fs.dynamic_partitions AS d (namespace, name, key)
    SELECT $1, $2, n.key FROM unnest($3::text[]) WITH ORDINALITY AS n (key, position) ORDER BY n.position
    ON CONFLICT (namespace, name, key) DO UPDATE SET retired = false WHERE d.retired
    RETURNING key
  ), told AS (
    INSERT INTO fs.events (namespace, kind, actor, detail)
    SELECT $1, 'partitions.added', $4, jsonb_build_object('name', $2::text, 'keys', jsonb_agg(a.key)) FROM added a
    HAVING count(*) > 0
  )
  SELECT a.key FROM added a`,
);

/** Purpose: keys are retired. Plan: primary key. Values: namespace, name, keys, actor. */
export const REMOVE_PARTITIONS = statement(
  'remove_partitions',
  `WITH removed AS (
    UPDATE fs.dynamic_partitions d SET retired = true
    WHERE d.namespace = $1 AND d.name = $2 AND d.key = ANY ($3::text[]) AND NOT d.retired
    RETURNING d.key
  ), told AS (
    INSERT INTO fs.events (namespace, kind, actor, detail)
    SELECT $1, 'partitions.removed', $4, jsonb_build_object('name', $2::text, 'keys', jsonb_agg(r.key)) FROM removed r
    HAVING count(*) > 0
  )
  SELECT r.key FROM removed r`,
);
