// Statements of schedules. There are few of them; of their ticks many, each looked up by its key.
import { statement } from '../statement.js';

/** Purpose: those that code declares come to be. Plan: schedules_name. Values: namespace, rows as JSON. */
export const ADD_DECLARED = statement(
  'schedules_add_declared',
  `INSERT INTO fs.schedules (namespace, name, declared, definition, hash, clock)
  SELECT $1, d.name, true, d.definition, d.hash, d.clock
  FROM json_to_recordset($2::json) AS d (name text, definition json, hash text, clock text) ORDER BY d.name
  ON CONFLICT (namespace, name) DO UPDATE SET declared = true WHERE NOT schedules.declared`,
);

/** Plan: schedules_name, schedule_definitions_hash. Values: namespace, rows as JSON. */
export const ADD_SCHEDULE_DEFINITIONS = statement(
  'schedules_add_definitions',
  `INSERT INTO fs.schedule_definitions (schedule_id, hash, clock, definition)
  SELECT s.id, d.hash, d.clock, d.definition
  FROM json_to_recordset($2::json) AS d (name text, definition json, hash text, clock text)
  CROSS JOIN LATERAL (SELECT s.id FROM fs.schedules s WHERE s.namespace = $1 AND s.name = d.name OFFSET 0) s ORDER BY s.id
  ON CONFLICT (schedule_id, hash) DO NOTHING`,
);

/** Purpose: this process declares these, and no others. Plan: primary keys. Values: namespace, process, names, hashes. */
export const DECLARE_SCHEDULES = statement(
  'schedules_declare',
  `INSERT INTO fs.schedule_processes (namespace, process, definition_id)
  SELECT $1, $2, f.id FROM unnest($3::text[], $4::text[]) d (name, hash)
  CROSS JOIN LATERAL (SELECT s.id FROM fs.schedules s WHERE s.namespace = $1 AND s.name = d.name OFFSET 0) s
  CROSS JOIN LATERAL (SELECT f.id FROM fs.schedule_definitions f WHERE f.schedule_id = s.id AND f.hash = d.hash OFFSET 0) f
  ON CONFLICT (namespace, process, definition_id) DO NOTHING`,
);

const LIVE = `EXISTS (SELECT FROM fs.schedule_processes e
      CROSS JOIN LATERAL (SELECT FROM fs.processes p WHERE p.namespace = e.namespace AND p.id = e.process
        AND p.lease_until > clock_timestamp() OFFSET 0) p
      WHERE e.definition_id = f.id OFFSET 0)`;

/**
 * Purpose: of each schedule that code declares, the definition counts that was first declared latest by a process that lives;
 * without one what counted last. Where the clock is another, no past tick fires. Plan: schedules_name, then primary keys.
 * Values: namespace.
 */
export const SETTLE_DEFINITIONS = statement(
  'schedules_settle_definitions',
  `UPDATE fs.schedules s SET hash = c.hash, definition = c.definition, clock = c.clock, generation = s.generation + 1,
    watermark = CASE WHEN c.clock = s.clock THEN s.watermark ELSE date_trunc('milliseconds', clock_timestamp()) END
  FROM (
    SELECT s.id, f.hash, f.clock, f.definition FROM fs.schedules s
    CROSS JOIN LATERAL (SELECT f.* FROM fs.schedule_definitions f WHERE f.schedule_id = s.id AND ${LIVE}
      ORDER BY f.first_declared_at DESC, f.id DESC LIMIT 1) f
    WHERE s.namespace = $1 AND s.declared AND f.hash <> s.hash
    ORDER BY s.id FOR UPDATE OF s) c
  WHERE s.id = c.id`,
);

/** Purpose: all schedules with what their ticks depend on. Plan: schedules_name, then primary keys. Values: namespace. */
export const ALL_SCHEDULES = statement(
  'schedules_all',
  `SELECT s.id, s.name, s.declared, s.definition, s.hash, s.watermark, s.generation, s.paused_at, s.paused_by, s.paused_reason,
    s.last_run, s.created_at, r.status AS last_status, r.open AS last_open, q.tick AS queued, clock_timestamp() AS now,
    NOT s.declared OR EXISTS (SELECT FROM fs.schedule_definitions f WHERE f.schedule_id = s.id AND f.hash = s.hash AND ${LIVE}
      OFFSET 0) AS live
  FROM fs.schedules s
  LEFT JOIN LATERAL (SELECT r.status, r.completed_at IS NULL AS open FROM fs.runs r WHERE r.id = s.last_run OFFSET 0) r ON true
  LEFT JOIN LATERAL (SELECT t.tick FROM fs.schedule_ticks t WHERE t.schedule_id = s.id AND t.status = 'queued'
    ORDER BY t.tick LIMIT 1) q ON true
  WHERE s.namespace = $1 ORDER BY s.name`,
);

/** Purpose: one process attends to it. Plan: primary key. Guard: nobody does, or has for too long. Values: id, process, ms. */
export const TAKE_SCHEDULE = statement(
  'schedules_take',
  `UPDATE fs.schedules s SET held_by = $2, held_until = clock_timestamp() + $3::float8 * interval '1 millisecond'
  WHERE s.id = $1 AND (s.held_by IS NULL OR s.held_by = $2 OR s.held_until < clock_timestamp())
  RETURNING s.id`,
);

/** Plan: primary key. Values: id, process. */
export const LEAVE_SCHEDULE = statement(
  'schedules_leave',
  `UPDATE fs.schedules s SET held_by = NULL, held_until = NULL WHERE s.id = $1 AND s.held_by = $2`,
);

/** Plan: primary key. Guard: as it was read, and not paused. Values: id, generation, watermark as read, and as it becomes. */
export const ADVANCE = statement(
  'schedules_advance',
  `UPDATE fs.schedules s SET watermark = $4
  WHERE s.id = $1 AND s.generation = $2 AND s.watermark = $3 AND s.paused_at IS NULL AND s.watermark < $4 RETURNING s.id`,
);

/** Purpose: a tick is attended to, once. Plan: primary key. Values: schedule, tick, status, run, reason, by. */
export const ADD_TICK = statement(
  'schedules_add_tick',
  `INSERT INTO fs.schedule_ticks (schedule_id, tick, status, run_id, reason, by) VALUES ($1, $2, $3, $4, $5, $6)
  ON CONFLICT (schedule_id, tick) DO NOTHING RETURNING tick`,
);

/** Purpose: a queued tick gets what becomes of it. Plan: primary key. Guard: queued. Values: schedule, tick, status, run, reason. */
export const DEQUEUE = statement(
  'schedules_dequeue',
  `UPDATE fs.schedule_ticks t SET status = $3, run_id = $4, reason = $5, at = clock_timestamp()
  WHERE t.schedule_id = $1 AND t.tick = $2 AND t.status = 'queued' RETURNING t.tick`,
);

/** Purpose: a tick is told of, and a run that it requested is the newest. Plan: primary key. Values: schedule, kind, run, actor, detail. */
export const TELL_TICK = statement(
  'schedules_tell_tick',
  `WITH ran AS (
    UPDATE fs.schedules s SET last_run = $3::bigint WHERE s.id = $1 AND $3::bigint IS NOT NULL
  )
  INSERT INTO fs.events (namespace, kind, run_id, actor, detail)
  SELECT s.namespace, $2, $3::bigint, $4, jsonb_build_object('schedule', s.name) || $5::jsonb FROM fs.schedules s WHERE s.id = $1`,
);

/** Plan: schedules_name. Values: namespace, name, definition, hash, clock. */
export const CREATE_SCHEDULE = statement(
  'schedules_create',
  `INSERT INTO fs.schedules (namespace, name, declared, definition, hash, clock) VALUES ($1, $2, false, $3::json, $4, '')
  ON CONFLICT (namespace, name) DO NOTHING RETURNING id`,
);

/** Plan: schedules_name. Guard: created, not declared. Values: namespace, name, definition, hash, whether to reset. */
export const UPDATE_SCHEDULE = statement(
  'schedules_update',
  `UPDATE fs.schedules s SET definition = $3::json, hash = $4, generation = s.generation + 1,
    watermark = CASE WHEN $5 THEN date_trunc('milliseconds', clock_timestamp()) ELSE s.watermark END
  WHERE s.namespace = $1 AND s.name = $2 AND NOT s.declared RETURNING s.id`,
);

/** Plan: schedules_name. Guard: once. Values: namespace, name, whether, actor, reason. */
export const PAUSE_SCHEDULE = statement(
  'schedules_pause',
  `UPDATE fs.schedules s SET generation = s.generation + 1,
    watermark = CASE WHEN $3 THEN s.watermark ELSE date_trunc('milliseconds', clock_timestamp()) END,
    paused_at = CASE WHEN $3 THEN clock_timestamp() END, paused_by = CASE WHEN $3 THEN $4 END,
    paused_reason = CASE WHEN $3 THEN $5 END
  WHERE s.namespace = $1 AND s.name = $2 AND (s.paused_at IS NULL) = $3 RETURNING s.id`,
);

/** Plan: schedules_name. Guard: no live process declares it. Values: namespace, name. */
export const REMOVE_SCHEDULE = statement(
  'schedules_remove',
  `DELETE FROM fs.schedules s WHERE s.namespace = $1 AND s.name = $2 AND NOT (s.declared AND EXISTS (
    SELECT FROM fs.schedule_definitions f WHERE f.schedule_id = s.id AND ${LIVE} OFFSET 0)) RETURNING s.id`,
);

/** Values: namespace, kind, name, actor, reason. */
export const TELL_SCHEDULE = statement(
  'schedules_tell',
  `INSERT INTO fs.events (namespace, kind, actor, detail)
  VALUES ($1, $2, $4, jsonb_build_object('schedule', $3::text, 'reason', $5::text))`,
);

/** Plan: primary key, cut by LIMIT. Values: schedule, before, limit. */
export const TICKS = statement(
  'schedules_ticks',
  `SELECT s.name, t.tick, t.status, t.run_id, t.reason, t.by, t.at FROM (
    SELECT t.* FROM fs.schedule_ticks t WHERE t.schedule_id = $1 AND t.tick < COALESCE($2::timestamptz, 'infinity')
    ORDER BY t.tick DESC LIMIT $3) t
  CROSS JOIN LATERAL (SELECT s.name FROM fs.schedules s WHERE s.id = t.schedule_id OFFSET 0) s ORDER BY t.tick DESC`,
);
