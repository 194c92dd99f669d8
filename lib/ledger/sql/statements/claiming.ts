// Statements that give work to a process: what it claims and holds, the beginning of user code, asking for ready work.
// How work is claimed and ends stands in functions of the schema (migrations/), which these call.
import { statement } from '../statement.js';

/**
 * Purpose: outcomes are committed and ready work is claimed, in one transaction (function `beat`).
 * Values: namespace, ids and outcomes (json), what successes consumed as two arrays (consumer, consumed), their small
 * values likewise (materialization, JSON), process, limit, assets as bits, ids and sizes of assets in batches (null: none).
 */
export const BEAT = statement(
  'beat',
  `SELECT b.standing, b.ended, b.released, b.fresh, b.claims, b.again, b.outdated, array_to_json(b.rings) AS rings FROM fs.beat($1, $2::bigint[], $3::json, $4::bigint[], $5::bigint[],
    $6::bigint[], $7::text[], $8, $9, $10::bytea, $11::integer[], $12::integer[]) b`,
);

/**
 * Purpose: claims of one run within the transaction that inserts it (function `claim_run`). Values: namespace, process,
 * limit, assets as bits, run, ids and sizes of assets in batches (null: none).
 */
export const CLAIM_RUN = statement(
  'claim_run',
  `SELECT fs.claim_run($1, $2, $3, $4::bytea, $5, $6::integer[], $7::integer[]) AS claims`,
);

/** Purpose: what a worker needs of what it holds (function `describe_held`). Values: process, ids. */
export const DESCRIBE_HELD = statement('describe_held', `SELECT fs.describe_held($1, $2::bigint[]) AS claims`);

/** Purpose: what a process holds. Plan: claims_pkey, then primary key. Values: namespace, process. */
export const HELD = statement(
  'held',
  `SELECT m.id, m.epoch, m.cancel_requested FROM fs.claims c
  CROSS JOIN LATERAL (SELECT m.id, m.epoch, m.status, m.cancel_requested FROM fs.materializations m
    WHERE m.id = c.materialization_id OFFSET 0) m
  WHERE c.namespace = $1 AND c.process = $2 AND m.status = 'running' ORDER BY m.id`,
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

/**
 * Purpose: whether anything of these assets is ready that no limit keeps. Plan: lanes_ready, and lanes_gated of the gates
 * that are open (limits_gates), then ready_pkey. Values: namespace, asset ids.
 */
export const HAS_READY = statement(
  'has_ready',
  `SELECT EXISTS (
    SELECT FROM (
      SELECT l.id, l.assets FROM fs.lanes l WHERE l.namespace = $1 AND l.has_ready AND l.gate IS NULL
      UNION ALL
      SELECT l.id, l.assets FROM (
        SELECT x.id FROM fs.limits x WHERE x.namespace = $1 AND x.opens_at <= statement_timestamp() OFFSET 0) x
      CROSS JOIN LATERAL (SELECT l.id, l.assets FROM fs.lanes l WHERE l.gate = x.id OFFSET 0) l) l
    CROSS JOIN LATERAL (
      SELECT FROM fs.ready y WHERE y.lane_id = l.id AND y.asset_id = ANY ($2::integer[]) LIMIT 1 OFFSET 0) y
    WHERE l.assets && $2::integer[]) AS ready`,
);
