// Statements by which hooks are moved on in the log of events, and told through the outbox.
import { statement } from '../statement.js';

/** Purpose: hooks that are new begin at a place. Guard: once. Values: namespace, names, place. */
export const BEGIN_HOOKS = statement(
  'begin_hooks',
  `INSERT INTO fs.hooks (namespace, name, place)
  SELECT $1, h.name, $3 FROM unnest($2::text[]) h (name)
  ON CONFLICT DO NOTHING`,
);

/** Purpose: where hooks are. Plan: hooks_pkey. Values: namespace, names. */
export const HOOK_PLACES = statement(
  'hook_places',
  `SELECT h.name, h.place FROM unnest($2::text[]) n (name)
  CROSS JOIN LATERAL (SELECT h.name, h.place FROM fs.hooks h WHERE h.namespace = $1 AND h.name = n.name OFFSET 0) h`,
);

/**
 * Purpose: hooks are moved on, and what they are to be told is posted. Plan: hooks_pkey. Guard: still at that place, under
 * lock. Locks: hooks by name. Values: namespace, names, from, to; of notices: names, topics, payloads.
 */
export const MOVE_HOOKS = statement(
  'move_hooks',
  `WITH locked AS MATERIALIZED (
    SELECT h.name FROM fs.hooks h WHERE h.namespace = $1 AND h.name = ANY ($2::text[]) AND h.place = $3
    ORDER BY h.name FOR UPDATE
  ), moved AS (
    UPDATE fs.hooks h SET place = $4
    WHERE h.namespace = $1 AND h.name = ANY (ARRAY(SELECT l.name FROM locked l)) AND h.place = $3
    RETURNING h.name
  ), posted AS (
    INSERT INTO fs.outbox (namespace, topic, payload)
    SELECT $1, n.topic, n.payload::json
    FROM unnest($5::text[], $6::text[], $7::text[]) WITH ORDINALITY n (hook, topic, payload, place)
    WHERE n.hook = ANY (ARRAY(SELECT m.name FROM moved m)) ORDER BY n.place
  )
  SELECT m.name FROM moved m ORDER BY m.name`,
);

/** Purpose: what became of a hook is told. Values: namespace, kind, run, asset number, partition, detail. */
export const TELL_OF_HOOK = statement(
  'tell_of_hook',
  `INSERT INTO fs.events (namespace, kind, run_id, asset_id, partition, detail)
  VALUES ($1, $2, $3, $4, $5, $6::jsonb)`,
);
