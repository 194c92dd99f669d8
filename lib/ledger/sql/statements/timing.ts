// Statements about timers: retries that are due, deadlines that have passed. Materializations are locked before their
// timers, as everywhere.
import { statement } from '../statement.js';

/** Purpose: due retries become ready (function `fire_retries`). Values: namespace, limit. */
export const FIRE_RETRIES = statement(
  'fire_retries',
  `SELECT array_to_json(f.rings) AS rings, f.more FROM fs.fire_retries($1, $2) f`,
);

/** Purpose: attempts past their deadline or grace. Plan: timers_due, then primary keys. Values: namespace, limit. */
export const DUE_DEADLINES = statement(
  'due_deadlines',
  `SELECT t.kind, m.id, m.epoch, m.run_id, m.asset_id, m.attempts, h.partition FROM (
    SELECT t.owner, t.kind, t.generation FROM fs.timers t
    WHERE t.namespace = $1 AND t.fires_at <= statement_timestamp() AND t.kind IN ('timeout', 'cancel') ORDER BY t.fires_at LIMIT $2) t
  CROSS JOIN LATERAL (
    SELECT m.id, m.epoch, m.status, m.run_id, m.asset_id, m.attempts, m.head_id FROM fs.materializations m
    WHERE m.id = t.owner OFFSET 0) m
  CROSS JOIN LATERAL (SELECT h.partition FROM fs.heads h WHERE h.id = m.head_id OFFSET 0) h
  WHERE m.status = 'running' AND m.epoch = t.generation`,
);

/** Purpose: what a process holds past its deadline. Plan: claims_pkey, then primary keys. Values: namespace, process. */
export const OVERDUE = statement(
  'overdue',
  `SELECT m.id, m.epoch, m.run_id AS run, a.key AS asset, h.partition, m.attempts FROM fs.claims c
  CROSS JOIN LATERAL (
    SELECT m.id, m.epoch, m.status, m.run_id, m.asset_id, m.head_id, m.attempts, m.deadline
    FROM fs.materializations m WHERE m.id = c.materialization_id OFFSET 0) m
  CROSS JOIN LATERAL (SELECT a.key FROM fs.assets a WHERE a.id = m.asset_id OFFSET 0) a
  CROSS JOIN LATERAL (SELECT h.partition FROM fs.heads h WHERE h.id = m.head_id OFFSET 0) h
  WHERE c.namespace = $1 AND c.process = $2 AND m.status = 'running' AND m.deadline < clock_timestamp()
  ORDER BY m.id`,
);

/** Purpose: when to look at timers again. Plan: timers_due. Values: namespace, in how many ms at the latest (null: no matter). */
export const NEXT_TIMER = statement(
  'next_timer',
  `SELECT LEAST(min(t.fires_at), statement_timestamp() + $2::float8 * interval '1 millisecond') AS next
  FROM fs.timers t WHERE t.namespace = $1 AND t.fires_at > statement_timestamp()`,
);

/** Purpose: the clock that decides. */
export const CLOCK = statement('clock', `SELECT clock_timestamp() AS now`);
