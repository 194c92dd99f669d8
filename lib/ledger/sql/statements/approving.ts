// Statements about approvals. Whoever writes one has locked the row of its materialization before, as everywhere;
// what follows for the materialization are functions of the schema (`pause`, `resume`).
import { statement, type Statement } from '../statement.js';

/** Purpose: an attempt that wants to pause, locked. Plan: primary key. Values: namespace, materialization. */
export const LOCK_ATTEMPT = statement(
  'lock_attempt',
  `SELECT m.id, m.status, m.epoch, m.cancel_requested FROM fs.materializations m
  WHERE m.id = $2 AND m.namespace = $1 FOR UPDATE`,
);

/**
 * Purpose: who is asked about what has no version is to be told of its first one; until the end it gets none. In the order
 * in which plans insert heads. Plan: heads_partition. Values: asset ids, partitions.
 */
export const AWAIT_HEADS = statement(
  'await_heads',
  `INSERT INTO fs.heads (asset_id, partition, awaited)
  SELECT n.asset, n.partition, true FROM unnest($1::integer[], $2::text[]) AS n (asset, partition)
  ORDER BY n.asset, n.partition
  ON CONFLICT (asset_id, partition) DO UPDATE SET awaited = true`,
);

/**
 * Purpose: the heads of versions, shared until the end, so that none moves meanwhile. Plan: heads_partition.
 * Values: asset ids, partitions.
 */
export const SHARE_HEADS = statement(
  'share_heads',
  `WITH named AS MATERIALIZED (
    SELECT h.id FROM unnest($1::integer[], $2::text[]) AS n (asset, partition)
    CROSS JOIN LATERAL (SELECT h.id FROM fs.heads h WHERE h.asset_id = n.asset AND h.partition = n.partition OFFSET 0) h
  )
  SELECT h.asset_id, h.partition, h.materialization_id FROM fs.heads h
  WHERE h.id = ANY (ARRAY(SELECT n.id FROM named n)) ORDER BY h.id FOR SHARE`,
);

/** Purpose: data versions of materializations. Plan: primary key. Values: ids. */
export const DATA_VERSIONS = statement(
  'data_versions',
  `SELECT m.id, m.data_version FROM fs.materializations m WHERE m.id = ANY ($1::bigint[])`,
);

/**
 * Purpose: an approval is opened. Plan: primary keys, approvals_of.
 * Values: namespace, materialization, epoch, message, rule, audience, deadline in ms (null: none), inputs, upstreams, token
 * (null: people are asked).
 */
export const OPEN_APPROVAL = statement(
  'open_approval',
  `INSERT INTO fs.approvals (namespace, materialization_id, epoch, run_id, asset_id, head_id, status, message, requested_by,
    rule, audience, deadline, previous, inputs, upstreams, token)
  SELECT $1, m.id, $3, m.run_id, m.asset_id, m.head_id, 'open', $4, r.requested_by, $5::json, $6::text[],
    clock_timestamp() + $7::float8 * interval '1 millisecond',
    (SELECT a.id FROM fs.approvals a WHERE a.materialization_id = m.id ORDER BY a.id + 0 DESC LIMIT 1), $8, $9, $10
  FROM (SELECT m.* FROM fs.materializations m WHERE m.id = $2 OFFSET 0) m
  CROSS JOIN LATERAL (SELECT r.requested_by FROM fs.runs r WHERE r.id = m.run_id OFFSET 0) r
  RETURNING id`,
);

/**
 * Purpose: what an approval is about.
 * Values: approval, aliases, asset ids, partitions, materializations, data versions, whether they are watched.
 */
export const NOTE_INPUTS = statement(
  'note_inputs',
  `INSERT INTO fs.approval_inputs (approval_id, place, alias, asset_id, partition, materialization_id, data_version, watched)
  SELECT $1, n.place, n.alias, n.asset, n.partition, n.materialization, n.data_version, $7
  FROM unnest($2::text[], $3::integer[], $4::text[], $5::bigint[], $6::text[])
    WITH ORDINALITY AS n (alias, asset, partition, materialization, data_version, place)`,
);

/** Purpose: an attempt pauses (function `pause`). Values: namespace, materialization, epoch. */
export const PAUSE = statement('pause', `SELECT p.paused, array_to_json(p.rings) AS rings FROM fs.pause($1, $2, $3) p`);

/** Purpose: what waited is ready (function `resume`). Values: namespace, materialization, epoch. */
export const RESUME = statement(
  'resume',
  `SELECT r.resumed, array_to_json(r.rings) AS rings FROM fs.resume($1, $2, $3) r`,
);

/**
 * Purpose: the timers of an approval are what they are to be. Plan: timers_pkey.
 * Values: namespace, materialization, epoch, deadline, escalation (null: none).
 */
export const SET_TIMERS = statement(
  'set_approval_timers',
  `WITH gone AS (
    DELETE FROM fs.timers t WHERE t.owner = $2 AND t.kind IN ('deadline', 'escalation')
      AND CASE t.kind WHEN 'deadline' THEN $4::timestamptz ELSE $5::timestamptz END IS NULL
  )
  INSERT INTO fs.timers (owner, kind, generation, namespace, fires_at)
  SELECT $2, n.kind, $3, $1, n.at FROM (VALUES ('deadline', $4::timestamptz), ('escalation', $5::timestamptz)) n (kind, at)
  WHERE n.at IS NOT NULL
  ON CONFLICT (owner, kind, generation) DO UPDATE SET fires_at = EXCLUDED.fires_at`,
);

/**
 * Purpose: something happened to an approval; its run is told as well, and if people are asked, whoever notifies them.
 * Values: namespace, approval, kind, actor, detail, addresses for notifiers.
 */
export const NOTE_ACT = statement(
  'note_act',
  `WITH noted AS (
    INSERT INTO fs.approval_acts (approval_id, kind, actor, detail) VALUES ($2, $3, $4, $5::json)
  ), posted AS (
    INSERT INTO fs.outbox (namespace, topic, payload)
    SELECT $1, 'approval', json_build_object('approval', $2::bigint, 'kind', $3::text, 'actor', $4::text, 'detail', $5::json,
      'notify', to_json($6::text[]), 'at', clock_timestamp())
    FROM fs.approvals a WHERE a.id = $2 AND a.token IS NULL
  )
  INSERT INTO fs.events (namespace, kind, run_id, materializations, asset_id, actor, detail)
  SELECT $1, 'approval.' || $3, a.run_id, ARRAY[a.materialization_id], a.asset_id, $4,
    COALESCE($5::jsonb, '{}') || jsonb_build_object('approval', $2::bigint)
  FROM fs.approvals a WHERE a.id = $2`,
);

/**
 * Purpose: what an approval has become. Plan: primary key. Guard: the lock under which it was read.
 * Values: approval, status, audience, deadline, escalations, extensions, votes, proposal, decision, closed at, whether its
 * inputs may still be read.
 */
export const CHANGE_APPROVAL = statement(
  'change_approval',
  `WITH changed AS (
    UPDATE fs.approvals a SET status = $2, audience = $3::text[], deadline = $4, escalations = $5, extensions = $6,
      votes = $7::json, proposal = $8::json, decision = $9::json, closed_at = $10, pinning = $11
    WHERE a.id = $1 RETURNING a.id, a.status
  )
  UPDATE fs.approval_inputs i SET watched = false
  WHERE i.approval_id = ANY (ARRAY(SELECT c.id FROM changed c WHERE c.status <> 'open')) AND i.watched`,
);

const APPROVAL = `SELECT a.*, array_to_json(a.audience) AS open_to, h.partition FROM fs.approvals a
  CROSS JOIN LATERAL (SELECT h.partition FROM fs.heads h WHERE h.id = a.head_id OFFSET 0) h`;

/** Purpose: the materialization of an approval, locked. Plan: primary keys. Values: namespace, approval. */
export const LOCK_APPROVAL = statement(
  'lock_approval',
  `SELECT m.id, m.status, m.epoch FROM fs.materializations m
  WHERE m.id = ANY (ARRAY(SELECT a.materialization_id FROM fs.approvals a WHERE a.id = $2 AND a.namespace = $1)) FOR UPDATE`,
);

/**
 * Purpose: what an approval is, with the time; a statement after its lock. Plan: primary keys. Values: namespace, approval.
 */
export const APPROVAL_OF = statement(
  'approval_of',
  `SELECT n.*, clock_timestamp() AS now FROM (${APPROVAL} WHERE a.id = $2 AND a.namespace = $1) n`,
);

/** Purpose: approvals of materializations that are in force. Plan: approvals_in_force. Values: materializations. */
export const IN_FORCE = statement(
  'approvals_in_force',
  `SELECT a.* FROM unnest($1::bigint[]) AS n (id)
  CROSS JOIN LATERAL (${APPROVAL} WHERE a.materialization_id = n.id
    AND a.status IN ('open', 'approved', 'modified', 'rejected', 'received', 'timed_out') OFFSET 0) a`,
);

/** Purpose: how often materializations have asked. Plan: approvals_of. Values: materializations. */
export const ROUNDS = statement(
  'approval_rounds',
  `SELECT n.id, c.count FROM unnest($1::bigint[]) AS n (id)
  CROSS JOIN LATERAL (SELECT count(*) AS count FROM fs.approvals a WHERE a.materialization_id = n.id OFFSET 0) c`,
);

/** Purpose: the approval that a token belongs to. Plan: approvals_token. Values: namespace, token. */
export const OF_TOKEN = statement(
  'approval_of_token',
  `SELECT a.id FROM fs.approvals a WHERE a.token = $2 AND a.namespace = $1`,
);

/**
 * Purpose: a signal is kept until its attempt waits. Plan: primary key. Guard: it is the first with that token. Values: token, materialization, payload.
 */
export const KEEP_SIGNAL = statement(
  'keep_signal',
  `INSERT INTO fs.early_signals (token, materialization_id, payload) VALUES ($1, $2, $3::json)
  ON CONFLICT (token) DO NOTHING`,
);

/** Purpose: a signal that was kept is taken. Plan: primary key. Values: token. */
export const TAKE_SIGNAL = statement(
  'take_signal',
  `DELETE FROM fs.early_signals s WHERE s.token = $1 RETURNING s.payload`,
);

/** Purpose: a signal that is kept. Plan: primary key. Values: token. */
export const KEPT_SIGNAL = statement('kept_signal', `SELECT s.payload FROM fs.early_signals s WHERE s.token = $1`);

/** Purpose: what approvals are about. Plan: primary keys. Values: approvals. */
export const INPUTS_OF = statement(
  'approval_inputs',
  `SELECT i.*, v.io, v.location, v.size, v.rows, v.hash, v.completed_at FROM unnest($1::bigint[]) AS n (id)
  CROSS JOIN LATERAL (SELECT i.* FROM fs.approval_inputs i WHERE i.approval_id = n.id ORDER BY i.place) i
  LEFT JOIN LATERAL (SELECT v.io, v.location, v.size, v.rows, v.hash, v.completed_at FROM fs.materializations v
    WHERE v.id = i.materialization_id OFFSET 0) v ON true
  ORDER BY i.approval_id, i.place`,
);

/** Purpose: what happened to an approval. Plan: approval_acts_of. Values: approval. */
export const ACTS_OF = statement(
  'approval_acts',
  `SELECT t.* FROM fs.approval_acts t WHERE t.approval_id = $1 ORDER BY t.id + 0`,
);

/** Purpose: approvals of which something is due. Plan: timers_due, approvals_in_force. Values: namespace, limit. */
export const DUE_APPROVALS = statement(
  'due_approvals',
  `SELECT t.owner, t.kind, t.generation, a.id AS approval FROM (
    SELECT t.owner, t.kind, t.generation FROM fs.timers t
    WHERE t.namespace = $1 AND t.fires_at <= statement_timestamp() AND t.kind IN ('deadline', 'escalation', 'inputs')
    ORDER BY t.fires_at LIMIT $2) t
  LEFT JOIN LATERAL (SELECT a.id FROM fs.approvals a
    WHERE a.materialization_id = t.owner AND a.status = 'open' AND a.epoch = t.generation OFFSET 0) a ON true`,
);

/** Purpose: what has a timer, locked unless somebody has it. Plan: primary key. Values: materialization. */
export const HOLD_OWNER = statement(
  'hold_owner',
  `SELECT m.id FROM fs.materializations m WHERE m.id = $1 FOR UPDATE SKIP LOCKED`,
);

/**
 * Purpose: a timer is taken by whoever carries it out. Plan: primary key. Guard: it is due. Values: materialization, kind,
 * generation.
 */
export const TAKE_TIMER = statement(
  'take_timer',
  `DELETE FROM fs.timers t WHERE t.owner = $1 AND t.kind = $2 AND t.generation = $3 AND t.fires_at <= clock_timestamp()
  RETURNING t.owner`,
);

/** Purpose: a timer of something that was removed. Plan: primary key. Values: materialization, kind, generation. */
export const DROP_TIMER = statement(
  'drop_timer',
  `DELETE FROM fs.timers t WHERE t.owner = $1 AND t.kind = $2 AND t.generation = $3
    AND NOT EXISTS (SELECT FROM fs.materializations m WHERE m.id = t.owner OFFSET 0)`,
);

const listings = new Map<string, Statement>();

/**
 * A listing: newest first, or by deadline; one more than the page. Plan: approvals_page, approvals_asset, approvals_of,
 * approvals_due (open ones by deadline). Values: namespace, limit, the id after which (null: from the first), then one per
 * `?` of the conditions.
 */
export function approvalsWhere(conditions: readonly string[], order: 'newest' | 'deadline'): Statement {
  let parameter = 4;
  const where = conditions.map((condition) => ` AND ${condition.replaceAll('?', () => `$${parameter++}`)}`).join('');
  const due = `COALESCE(a.deadline, 'infinity'), a.id + 0`;
  const [after, by] =
    order === 'newest'
      ? [`a.id + 0 < COALESCE($3, 9007199254740991)`, 'a.id + 0 DESC']
      : [
          `($3::bigint IS NULL OR (${due}) > (SELECT COALESCE(p.deadline, 'infinity'), p.id FROM fs.approvals p WHERE p.id = $3))`,
          due,
        ];
  const text = `${APPROVAL} WHERE a.namespace = $1 AND ${after}${where} ORDER BY ${by} LIMIT $2`;
  let known = listings.get(text);
  if (!known) listings.set(text, (known = statement(`approvals_${listings.size}`, text)));
  return known;
}
