// Statements of automation. They write tables of its own, and events.
import { DECISIONS_KEPT } from '../../../../migrations/0001-automation.js';
import { statement } from '../statement.js';

/** Of a partition so many of its newest materializations are looked at: one that is open is among them, or holds nothing up. */
const LOOKED_AT = 20;

/**
 * Purpose: one process decides. Plan: primary keys. Guard: nobody does, or the one that does is gone.
 * Values: namespace, process.
 */
export const LEAD = statement(
  'automation_lead',
  `INSERT INTO fs.automation_leaders AS l (namespace, process, epoch) VALUES ($1, $2, 1)
  ON CONFLICT (namespace) DO UPDATE SET process = $2, epoch = l.epoch + (l.process IS DISTINCT FROM $2)::integer
  WHERE l.process IS NULL OR l.process = $2 OR NOT EXISTS (
    SELECT FROM fs.processes p WHERE p.namespace = $1 AND p.id = l.process AND p.lease_until > clock_timestamp())
  RETURNING l.epoch`,
);

/** Purpose: it leaves that to others. Plan: primary key. Values: namespace, process. */
export const RESIGN = statement(
  'automation_resign',
  `UPDATE fs.automation_leaders l SET process = NULL WHERE l.namespace = $1 AND l.process = $2`,
);

/** Purpose: who decides still does, until the transaction ends. Plan: primary key. Values: namespace, process, epoch. */
export const STILL_LEADS = statement(
  'automation_still_leads',
  `SELECT l.epoch FROM fs.automation_leaders l WHERE l.namespace = $1 AND l.process = $2 AND l.epoch = $3 FOR UPDATE`,
);

/** Plan: automations_namespace. Values: namespace. */
export const STATES = statement(
  'automation_states',
  `SELECT a.asset_id, a.paused_at, a.paused_by, a.paused_reason, a.ticks FROM fs.automations a WHERE a.namespace = $1`,
);

const RECENT = `(SELECT m.* FROM fs.materializations m WHERE m.head_id = h.id ORDER BY (m.id + 0) DESC LIMIT ${LOOKED_AT}) m`;

/** Plan: for each, heads_partition, materializations_head cut by LIMIT, primary keys. Values: asset ids, partitions. */
export const FACTS = statement(
  'automation_facts',
  `SELECT h.materialization_id AS head, h.invalidated, v.completed_at AS head_at,
    o.id AS open_id, o.run_id AS open_run, o.status AS open_status,
    e.id AS ended_id, e.run_id AS ended_run, e.status AS ended_status, e.code AS ended_code, e.completed_at AS ended_at,
    e.inputs AS ended_inputs, e.code_version AS ended_code_version, e.definition AS ended_definition,
    r.run_id AS request_run, u.status AS run_status, r.inputs, r.code_version, r.definition, r.tick, r.requested_at
  FROM unnest($1::integer[], $2::text[]) WITH ORDINALITY q (asset_id, partition, place)
  LEFT JOIN LATERAL (SELECT h.id, h.materialization_id, h.invalidated FROM fs.heads h
    WHERE h.asset_id = q.asset_id AND h.partition = q.partition OFFSET 0) h ON true
  LEFT JOIN LATERAL (SELECT m.completed_at FROM fs.materializations m WHERE m.id = h.materialization_id OFFSET 0) v ON true
  LEFT JOIN LATERAL (SELECT m.id, m.run_id, m.status FROM ${RECENT} WHERE m.completed_at IS NULL
    ORDER BY m.id DESC LIMIT 1) o ON true
  LEFT JOIN LATERAL (SELECT m.id, m.run_id, m.status, m.error ->> 'code' AS code, m.completed_at, m.inputs, m.code_version, m.definition
    FROM ${RECENT} WHERE m.completed_at IS NOT NULL ORDER BY m.completed_at DESC, m.id DESC LIMIT 1) e ON true
  LEFT JOIN LATERAL (SELECT r.* FROM fs.automation_requests r
    WHERE r.asset_id = q.asset_id AND r.partition = q.partition OFFSET 0) r ON true
  LEFT JOIN LATERAL (SELECT u.status FROM fs.runs u WHERE u.id = r.run_id OFFSET 0) u ON true
  ORDER BY q.place`,
);

/** Plan: primary key. Values: asset ids. */
export const FLOWS = statement(
  'automation_flows',
  `SELECT f.asset_id, f.key, f.requested_at FROM fs.automation_flows f WHERE f.asset_id = ANY ($1::integer[])`,
);

/** Plan: primary key of automation_requests, heads_partition, materializations_head cut by LIMIT. Values: asset ids. */
export const OPEN_REQUESTS = statement(
  'automation_open_requests',
  `SELECT r.asset_id, r.partition FROM fs.automation_requests r
  CROSS JOIN LATERAL (SELECT h.id FROM fs.heads h WHERE h.asset_id = r.asset_id AND h.partition = r.partition OFFSET 0) h
  WHERE r.asset_id = ANY ($1::integer[]) AND r.run_id IS NOT NULL
    AND EXISTS (SELECT FROM ${RECENT} WHERE m.completed_at IS NULL OFFSET 0)`,
);

/** Plan: primary key. Values: rows as JSON. */
export const NOTE_REQUESTS = statement(
  'automation_note_requests',
  `INSERT INTO fs.automation_requests (asset_id, partition, run_id, inputs, code_version, definition, tick)
  SELECT * FROM json_to_recordset($1::json) AS r (asset_id integer, partition text, run_id bigint, inputs text,
    code_version text, definition text, tick timestamptz)
  ON CONFLICT (asset_id, partition) DO UPDATE SET run_id = EXCLUDED.run_id, inputs = EXCLUDED.inputs,
    code_version = EXCLUDED.code_version, definition = EXCLUDED.definition, tick = EXCLUDED.tick,
    requested_at = EXCLUDED.requested_at`,
);

/** Plan: primary key. Values: asset ids, partitions. */
export const FORGET_REQUESTS = statement(
  'automation_forget_requests',
  `DELETE FROM fs.automation_requests r WHERE r.ctid = ANY (ARRAY(
    SELECT r.ctid FROM unnest($1::integer[], $2::text[]) q (asset_id, partition)
    CROSS JOIN LATERAL (SELECT r.ctid FROM fs.automation_requests r
      WHERE r.asset_id = q.asset_id AND r.partition = q.partition OFFSET 0) r))`,
);

/** Plan: primary key. Values: namespace, asset id, ticks by name as JSON. */
export const NOTE_TICKS = statement(
  'automation_note_ticks',
  `INSERT INTO fs.automations AS a (asset_id, namespace, ticks) VALUES ($2, $1, $3::jsonb)
  ON CONFLICT (asset_id) DO UPDATE SET ticks = a.ticks || EXCLUDED.ticks`,
);

/** Plan: primary key. Values: asset ids, keys. */
export const NOTE_FLOWS = statement(
  'automation_note_flows',
  `INSERT INTO fs.automation_flows (asset_id, key, requested_at)
  SELECT f.asset_id, f.key, clock_timestamp() FROM unnest($1::integer[], $2::text[]) f (asset_id, key)
  ON CONFLICT (asset_id, key) DO UPDATE SET requested_at = EXCLUDED.requested_at`,
);

/** Purpose: a decision is kept, and of the asset the newest ones. Plan: automation_decisions_asset. Values: namespace, asset id, run, detail. */
export const KEEP_DECISION = statement(
  'automation_keep_decision',
  `WITH old AS (
    DELETE FROM fs.automation_decisions d WHERE d.id = ANY (ARRAY(
      SELECT d.id FROM fs.automation_decisions d WHERE d.asset_id = $2
      ORDER BY (d.id + 0) DESC OFFSET ${DECISIONS_KEPT - 1}))
  )
  INSERT INTO fs.automation_decisions (namespace, asset_id, run_id, detail) VALUES ($1, $2, $3, $4::json)`,
);

/** Purpose: a person pauses or resumes, which is told. Plan: primary key. Guard: once. Values: namespace, asset id, whether, actor, reason. */
export const PAUSE = statement(
  'automation_pause',
  `WITH changed AS (
    INSERT INTO fs.automations AS a (asset_id, namespace, paused_at, paused_by, paused_reason)
    SELECT $2, $1, clock_timestamp(), $4, $5 WHERE $3
    ON CONFLICT (asset_id) DO UPDATE SET paused_at = EXCLUDED.paused_at, paused_by = EXCLUDED.paused_by,
      paused_reason = EXCLUDED.paused_reason
    WHERE a.paused_at IS NULL
    RETURNING a.asset_id
  ), resumed AS (
    UPDATE fs.automations a SET paused_at = NULL, paused_by = NULL, paused_reason = NULL
    WHERE NOT $3 AND a.asset_id = ANY (ARRAY[$2::integer]) AND a.paused_at IS NOT NULL
    RETURNING a.asset_id
  ), told AS (
    INSERT INTO fs.events (namespace, kind, asset_id, actor, detail)
    SELECT $1, CASE WHEN $3 THEN 'automation.paused' ELSE 'automation.resumed' END, c.asset_id, $4,
      jsonb_build_object('reason', $5::text)
    FROM (SELECT * FROM changed UNION ALL SELECT * FROM resumed) c
  )
  SELECT c.asset_id FROM (SELECT * FROM changed UNION ALL SELECT * FROM resumed) c`,
);

/** Plan: automation_decisions_asset or automation_decisions_page, cut by LIMIT. Values: namespace, asset id or null, id to come before or null, limit. */
export const DECISIONS_OF = statement(
  'automation_decisions_of',
  `SELECT d.id, d.asset_id, d.at, d.run_id, d.detail FROM fs.automation_decisions d
  WHERE d.asset_id = $1 AND d.id + 0 < COALESCE($2::bigint, 9223372036854775807) ORDER BY (d.id + 0) DESC LIMIT $3`,
);

export const DECISIONS = statement(
  'automation_decisions',
  `SELECT d.id, d.asset_id, d.at, d.run_id, d.detail FROM fs.automation_decisions d
  WHERE d.namespace = $1 AND d.id + 0 < COALESCE($2::bigint, 9223372036854775807) ORDER BY (d.id + 0) DESC LIMIT $3`,
);
