// Statements of those who send what is to leave the system. They write rows of outbox only, which nobody else changes.
import { statement } from '../statement.js';

/**
 * Purpose: what is due is taken for a while, and it is said when what was not taken is due.
 * Plan: outbox_due, cut by LIMIT for each topic; then the primary key. Guard: what another sender takes just now is left
 * to that one. Values: namespace, topics, limit, ms.
 */
export const CLAIM_DUE = statement(
  'claim_due',
  `WITH due AS MATERIALIZED (
    SELECT o.id FROM unnest($2::text[]) t (topic)
    CROSS JOIN LATERAL (SELECT o.id, o.due_at FROM fs.outbox o
      WHERE o.namespace = $1 AND o.topic = t.topic AND o.due_at <= statement_timestamp()
      ORDER BY o.due_at LIMIT $3 FOR UPDATE SKIP LOCKED) o
    ORDER BY o.due_at, o.id LIMIT $3
  ), taken AS (
    UPDATE fs.outbox o SET attempts = o.attempts + 1, due_at = clock_timestamp() + $4::float8 * interval '1 millisecond'
    WHERE o.id = ANY (ARRAY(SELECT d.id FROM due d))
    RETURNING o.id, o.topic, o.payload, o.attempts, to_json(o.delivered) AS delivered, o.created_at
  ), next AS MATERIALIZED (
    SELECT min(o.due_at) AS due_at FROM unnest($2::text[]) t (topic)
    CROSS JOIN LATERAL (SELECT o.due_at FROM fs.outbox o
      WHERE o.namespace = $1 AND o.topic = t.topic AND o.id <> ALL (ARRAY(SELECT d.id FROM due d))
      ORDER BY o.due_at LIMIT 1) o
  )
  SELECT t.*, CASE WHEN n.due_at IS NOT NULL
    THEN GREATEST(extract(epoch FROM n.due_at - clock_timestamp()) * 1000, 0)::float8 END AS next
  FROM next n LEFT JOIN taken t ON true ORDER BY t.id`,
);

/** Purpose: it has been sent. Plan: primary key. Values: id. */
export const SENT = statement('sent', `DELETE FROM fs.outbox o WHERE o.id = ANY (ARRAY[$1::bigint])`);

/** Purpose: one receiver has it. Plan: primary key. Guard: once. Values: id, receiver. */
export const DELIVERED_TO = statement(
  'delivered_to',
  `UPDATE fs.outbox o SET delivered = o.delivered || $2::text
  WHERE o.id = ANY (ARRAY[$1::bigint]) AND $2 <> ALL (o.delivered)`,
);

/** Purpose: it is sent again later. Plan: primary key. Guard: nobody has taken it since. Values: id, attempt, ms. */
export const POSTPONE = statement(
  'postpone',
  `UPDATE fs.outbox o SET due_at = clock_timestamp() + $3::float8 * interval '1 millisecond'
  WHERE o.id = ANY (ARRAY[$1::bigint]) AND o.attempts = $2`,
);

/**
 * Purpose: what could not be sent for so long is given up, and that is told. Plan: outbox_due, of the whole namespace, then
 * the primary key. Values: namespace, ms, limit.
 */
export const DROP_OLD = statement(
  'drop_old',
  `WITH gone AS (
    DELETE FROM fs.outbox o WHERE o.id = ANY (ARRAY(
      SELECT o.id FROM fs.outbox o
      WHERE o.namespace = $1 AND o.created_at <= statement_timestamp() - $2::float8 * interval '1 millisecond'
      LIMIT $3 FOR UPDATE SKIP LOCKED))
    RETURNING o.id, o.topic, o.payload, o.attempts, o.created_at
  ), told AS (
    INSERT INTO fs.events (namespace, kind, detail)
    SELECT $1, 'notice.dropped', jsonb_build_object('notice', g.id, 'topic', g.topic, 'attempts', g.attempts)
    FROM gone g ORDER BY g.id
  )
  SELECT g.id, g.topic, g.payload, g.created_at FROM gone g ORDER BY g.id`,
);
