// Statements of sensors. There are few of them; of their evaluations many, each looked up by its key.
import { statement } from '../statement.js';

/** Purpose: those that code declares come to be. Plan: sensors_name. Values: namespace, rows as JSON. */
export const ADD_SENSORS = statement(
  'sensors_add',
  `INSERT INTO fs.sensors (namespace, name, definition, hash, paused_at, paused_reason)
  SELECT $1, d.name, d.definition, d.hash, CASE WHEN d.paused THEN clock_timestamp() END,
    CASE WHEN d.paused THEN 'declared so' END
  FROM json_to_recordset($2::json) AS d (name text, definition json, hash text, paused boolean) ORDER BY d.name
  ON CONFLICT (namespace, name) DO NOTHING`,
);

/** Plan: sensors_name, sensor_definitions_hash. Values: namespace, rows as JSON. */
export const ADD_SENSOR_DEFINITIONS = statement(
  'sensors_add_definitions',
  `INSERT INTO fs.sensor_definitions (sensor_id, hash, definition)
  SELECT s.id, d.hash, d.definition FROM json_to_recordset($2::json) AS d (name text, definition json, hash text)
  CROSS JOIN LATERAL (SELECT s.id FROM fs.sensors s WHERE s.namespace = $1 AND s.name = d.name OFFSET 0) s ORDER BY s.id
  ON CONFLICT (sensor_id, hash) DO NOTHING`,
);

/** Purpose: this process declares these. Plan: primary keys. Values: namespace, process, names, hashes. */
export const DECLARE_SENSORS = statement(
  'sensors_declare',
  `INSERT INTO fs.sensor_processes (namespace, process, definition_id)
  SELECT $1, $2, f.id FROM unnest($3::text[], $4::text[]) d (name, hash)
  CROSS JOIN LATERAL (SELECT s.id FROM fs.sensors s WHERE s.namespace = $1 AND s.name = d.name OFFSET 0) s
  CROSS JOIN LATERAL (SELECT f.id FROM fs.sensor_definitions f WHERE f.sensor_id = s.id AND f.hash = d.hash OFFSET 0) f
  ON CONFLICT (namespace, process, definition_id) DO NOTHING`,
);

const LIVE = `EXISTS (SELECT FROM fs.sensor_processes e
      CROSS JOIN LATERAL (SELECT FROM fs.processes p WHERE p.namespace = e.namespace AND p.id = e.process
        AND p.lease_until > clock_timestamp() OFFSET 0) p
      WHERE e.definition_id = f.id OFFSET 0)`;

/**
 * Purpose: of each sensor the definition counts that was first declared latest by a process that lives; without one what
 * counted last. Plan: sensors_name, then primary keys. Values: namespace.
 */
export const SETTLE_SENSORS = statement(
  'sensors_settle',
  `UPDATE fs.sensors s SET hash = c.hash, definition = c.definition, generation = s.generation + 1, held_by = NULL,
    held_until = NULL
  FROM (
    SELECT s.id, f.hash, f.definition FROM fs.sensors s
    CROSS JOIN LATERAL (SELECT f.* FROM fs.sensor_definitions f WHERE f.sensor_id = s.id AND ${LIVE}
      ORDER BY f.first_declared_at DESC, f.id DESC LIMIT 1) f
    WHERE s.namespace = $1 AND f.hash <> s.hash
    ORDER BY s.id FOR UPDATE OF s) c
  WHERE s.id = c.id`,
);

/** Plan: sensors_name, then primary keys. Values: namespace. */
export const ALL_SENSORS = statement(
  'sensors_all',
  `SELECT s.id, s.name, s.definition, s.hash, s.cursor, s.evaluated_at, s.next_at, s.failures, s.last_error, s.paused_at,
    s.paused_by, s.paused_reason, s.created_at, clock_timestamp() AS now,
    EXISTS (SELECT FROM fs.sensor_definitions f WHERE f.sensor_id = s.id AND f.hash = s.hash AND ${LIVE} OFFSET 0) AS live
  FROM fs.sensors s WHERE s.namespace = $1 ORDER BY s.name`,
);

/**
 * Purpose: one process evaluates it; whatever was begun before is void. Plan: sensors_name. Guard: its definition counts, it
 * is to be evaluated, and nobody who lives evaluates it. Values: namespace, name, hash, process, ms, cause.
 */
export const TAKE_SENSOR = statement(
  'sensors_take',
  `UPDATE fs.sensors s SET held_by = $4, held_until = clock_timestamp() + $5::float8 * interval '1 millisecond',
    generation = s.generation + 1
  WHERE s.namespace = $1 AND s.name = $2 AND s.hash = $3
    AND ($6 = 'asked' OR s.paused_at IS NULL AND (s.next_at <= clock_timestamp() OR $6 = 'news' AND s.failures = 0))
    AND (s.held_by IS NULL OR s.held_until < clock_timestamp() OR NOT EXISTS (
      SELECT FROM fs.processes p WHERE p.namespace = s.namespace AND p.id = s.held_by
        AND p.lease_until > clock_timestamp() OFFSET 0))
  RETURNING s.id, s.generation, s.cursor, s.evaluated_at, s.failures, clock_timestamp() AS now`,
);

/** Plan: primary key. Guard: as it was taken. Values: id, generation. */
export const LEAVE_SENSOR = statement(
  'sensors_leave',
  `UPDATE fs.sensors s SET held_by = NULL, held_until = NULL WHERE s.id = $1 AND s.generation = $2`,
);

/**
 * Purpose: the cursor moves, and the evaluation is over. Plan: primary key. Guard: as it was taken, and the lease lasts.
 * Values: id, generation, whether the cursor moves, cursor, error, ms, whether it is paused.
 */
export const MOVE_SENSOR = statement(
  'sensors_move',
  `UPDATE fs.sensors s SET generation = s.generation + 1, held_by = NULL, held_until = NULL,
    cursor = CASE WHEN $3 THEN $4::json ELSE s.cursor END,
    evaluated_at = CASE WHEN $5::text IS NULL THEN clock_timestamp() ELSE s.evaluated_at END,
    failures = CASE WHEN $5::text IS NULL THEN 0 ELSE s.failures + 1 END, last_error = $5,
    next_at = clock_timestamp() + $6::float8 * interval '1 millisecond',
    paused_at = CASE WHEN $7 THEN clock_timestamp() ELSE s.paused_at END,
    paused_by = CASE WHEN $7 THEN NULL ELSE s.paused_by END,
    paused_reason = CASE WHEN $7 THEN $5 ELSE s.paused_reason END
  WHERE s.id = $1 AND s.generation = $2 AND s.held_by IS NOT NULL AND s.held_until > clock_timestamp()
  RETURNING s.name, s.failures`,
);

/** Purpose: nobody pauses it amid a delivery. Plan: primary key. Guard: not paused. Values: id. */
export const OPEN_SENSOR = statement(
  'sensors_open',
  `SELECT s.name FROM fs.sensors s WHERE s.id = $1 AND s.paused_at IS NULL FOR SHARE`,
);

/** Values: sensor, status, reason, detail, by. */
export const ADD_EVALUATION = statement(
  'sensors_add_evaluation',
  `INSERT INTO fs.sensor_evaluations (sensor_id, status, reason, detail, by) VALUES ($1, $2, $3, $4::json, $5)
  RETURNING id, at`,
);

/** Plan: sensor_evaluations_status. Values: sensor, whether those that did something, how many are kept. */
export const FORGET_EVALUATIONS = statement(
  'sensors_forget_evaluations',
  `DELETE FROM fs.sensor_evaluations e WHERE e.sensor_id = $1 AND (e.status = 'requested') = $2 AND e.id <= (
    SELECT k.id FROM fs.sensor_evaluations k WHERE k.sensor_id = $1 AND (k.status = 'requested') = $2
    ORDER BY k.id DESC OFFSET $3 LIMIT 1)`,
);

/** Plan: primary key, cut by LIMIT. Values: sensor, before, limit. */
export const EVALUATIONS = statement(
  'sensors_evaluations',
  `SELECT s.name, e.* FROM (
    SELECT e.id, e.status, e.reason, e.detail, e.by, e.at FROM fs.sensor_evaluations e
    WHERE e.sensor_id = $1 AND e.id < COALESCE($2::bigint, 9223372036854775807) ORDER BY e.id DESC LIMIT $3) e
  CROSS JOIN LATERAL (SELECT s.name FROM fs.sensors s WHERE s.id = $1 OFFSET 0) s ORDER BY e.id DESC`,
);

/** Purpose: a delivery counts once. Plan: primary key. Values: sensor, delivery, evaluation. */
export const ADD_DELIVERY = statement(
  'sensors_add_delivery',
  `INSERT INTO fs.sensor_deliveries (sensor_id, delivery, evaluation) VALUES ($1, $2, $3::json)
  ON CONFLICT (sensor_id, delivery) DO NOTHING RETURNING delivery`,
);

/** Plan: primary key. Values: sensor, delivery. */
export const DELIVERED = statement(
  'sensors_delivered',
  `SELECT d.evaluation FROM fs.sensor_deliveries d WHERE d.sensor_id = $1 AND d.delivery = $2`,
);

/** Plan: sensor_deliveries_at, cut by LIMIT. Values: sensor, ms. */
export const FORGET_DELIVERIES = statement(
  'sensors_forget_deliveries',
  `DELETE FROM fs.sensor_deliveries d WHERE d.sensor_id = $1 AND d.delivery = ANY (ARRAY(
    SELECT o.delivery FROM fs.sensor_deliveries o
    WHERE o.sensor_id = $1 AND o.at < clock_timestamp() - $2::float8 * interval '1 millisecond'
    ORDER BY o.at LIMIT 20 FOR UPDATE SKIP LOCKED))`,
);

/** Plan: sensors_name. Guard: once. Values: namespace, name, whether, actor, reason. */
export const PAUSE_SENSOR = statement(
  'sensors_pause',
  `UPDATE fs.sensors s SET generation = s.generation + 1, held_by = NULL, held_until = NULL,
    paused_at = CASE WHEN $3 THEN clock_timestamp() END, paused_by = CASE WHEN $3 THEN $4 END,
    paused_reason = CASE WHEN $3 THEN $5 END, next_at = CASE WHEN $3 THEN s.next_at ELSE clock_timestamp() END,
    failures = CASE WHEN $3 THEN s.failures ELSE 0 END
  WHERE s.namespace = $1 AND s.name = $2 AND (s.paused_at IS NULL) = $3 RETURNING s.id`,
);

/**
 * Purpose: the cursor is another; without one, as if it were new. Plan: sensors_name. Values: namespace, name, cursor, actor,
 * reason.
 */
export const SET_CURSOR = statement(
  'sensors_set_cursor',
  `WITH old AS (
    SELECT s.id, s.cursor FROM fs.sensors s WHERE s.namespace = $1 AND s.name = $2 FOR UPDATE
  ), changed AS (
    UPDATE fs.sensors s SET cursor = $3::json, generation = s.generation + 1, held_by = NULL, held_until = NULL,
      evaluated_at = CASE WHEN $3::json IS NULL THEN NULL ELSE s.evaluated_at END, failures = 0, last_error = NULL,
      next_at = clock_timestamp()
    FROM old o WHERE s.id = o.id RETURNING s.id
  ), told AS (
    INSERT INTO fs.events (namespace, kind, actor, detail)
    SELECT $1, 'sensor.cursor_set', $4, jsonb_build_object('sensor', $2::text, 'reason', $5::text, 'before', o.cursor,
      'after', $3::json) FROM old o
  )
  SELECT c.id FROM changed c`,
);

/** Plan: sensors_name. Guard: no live process declares it. Values: namespace, name. */
export const REMOVE_SENSOR = statement(
  'sensors_remove',
  `DELETE FROM fs.sensors s WHERE s.namespace = $1 AND s.name = $2 AND NOT EXISTS (
    SELECT FROM fs.sensor_definitions f WHERE f.sensor_id = s.id AND ${LIVE} OFFSET 0) RETURNING s.id`,
);

/** Values: namespace, kind, actor, detail. */
export const TELL_SENSOR = statement(
  'sensors_tell',
  `INSERT INTO fs.events (namespace, kind, actor, detail) VALUES ($1, $2, $3, $4::jsonb)`,
);
