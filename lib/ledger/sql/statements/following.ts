// Statements that read the log of events on from a snapshot: what is visible now and was not visible then.
import { statement } from '../statement.js';

/** Purpose: a process listens for news, or no longer. Plan: primary key. Values: namespace, process, whether. */
export const MARK_LISTENING = statement(
  'mark_listening',
  `UPDATE fs.processes SET listens = $3 WHERE namespace = $1 AND id = $2`,
);

/**
 * Purpose: who listens is told; in a transaction of its own, since its commit takes a lock on the whole server.
 * Values: channel, what.
 */
export const TELL = statement('tell', `SELECT pg_notify($1, $2) AS told`);

// The newest transaction in the log that can be seen, or was removed. A cursor ends there, and not with the snapshot: that
// counts transactions which recorded nothing, and of which a server that crashes may forget that their numbers were used.
const NEWEST = `GREATEST(n.events_removed, (SELECT e.xid FROM fs.events e
      WHERE e.namespace = $1 AND e.xid < pg_snapshot_xmax(pg_current_snapshot()) ORDER BY e.xid DESC LIMIT 1))::text AS newest`;

/** Purpose: the end of the log, as this statement sees it. Plan: events_xid, one row. Values: namespace. */
export const LOG_END = statement(
  'log_end',
  `SELECT n.event_era AS era, pg_current_snapshot()::text AS snapshot, ${NEWEST} FROM fs.namespaces n WHERE n.id = $1`,
);

// A row tells of one materialization or many, each of which has a record (see eventsPage). Of one whose record was removed
// there is nothing to be told.
const told = (
  kinds: string,
): string => `SELECT e.id + t.position - 1 AS id, e.at, e.kind, e.run_id, t.id AS materialization_id, e.asset_id,
      COALESCE(e.partition, m.partition) AS partition, e.actor, e.detail
    FROM page e
    CROSS JOIN LATERAL unnest(COALESCE(e.materializations, '{NULL}')) WITH ORDINALITY AS t (id, position)
    LEFT JOIN LATERAL (
      SELECT h.partition FROM (SELECT m.head_id FROM fs.materializations m WHERE m.id = t.id OFFSET 0) m
      CROSS JOIN LATERAL (SELECT h.partition FROM fs.heads h WHERE h.id = m.head_id OFFSET 0) h) m ON true
    WHERE (${kinds}::text[] IS NULL OR e.kind = ANY (${kinds})) AND (t.id IS NULL OR m.partition IS NOT NULL)`;

/**
 * Purpose: events of transactions that the snapshot did not see: of those that were open then, and of later ones, of which
 * whole ones are taken from the first on; `edge`: the one at which that ends. One row at least.
 * What has the number of a transaction that is yet to come was copied from another server, and is not taken.
 * Retention may have removed some of them: later ones, or of one that was open then and is not now.
 * Plan: events_xid once for each that was open, once for the later ones; then primary keys. Values: namespace, snapshot,
 * rows of later transactions at most, kinds (null: all).
 */
export const EVENTS_SINCE = statement(
  'events_since',
  `WITH later AS MATERIALIZED (
    SELECT e.* FROM fs.events e
    WHERE e.namespace = $1 AND e.xid >= pg_snapshot_xmax($2::pg_snapshot) AND e.xid < pg_snapshot_xmax(pg_current_snapshot())
    ORDER BY e.xid LIMIT $3 + 1
  ), edge AS MATERIALIZED (
    SELECT l.xid FROM later l ORDER BY l.xid OFFSET $3 LIMIT 1
  ), page AS MATERIALIZED (
    SELECT e.* FROM pg_snapshot_xip($2::pg_snapshot) AS x (xid)
    CROSS JOIN LATERAL (SELECT e.* FROM fs.events e WHERE e.namespace = $1 AND e.xid = x.xid OFFSET 0) e
    UNION ALL
    SELECT l.* FROM later l WHERE NOT EXISTS (SELECT FROM edge d WHERE l.xid >= d.xid)
  ), told AS MATERIALIZED (
    ${told('$4')}
  )
  SELECT n.event_era AS era, pg_current_snapshot()::text AS snapshot, ${NEWEST}, (SELECT d.xid::text FROM edge d) AS edge,
    (SELECT l.xid::text FROM later l ORDER BY l.xid LIMIT 1) AS first,
    pg_snapshot_xmax($2::pg_snapshot) > pg_snapshot_xmax(pg_current_snapshot()) AS ahead,
    n.events_removed >= pg_snapshot_xmax($2::pg_snapshot) OR EXISTS (SELECT FROM pg_snapshot_xip($2::pg_snapshot) AS x (xid)
      WHERE x.xid <= n.events_removed AND pg_visible_in_snapshot(x.xid, pg_current_snapshot())) AS removed,
    t.*
  FROM fs.namespaces n LEFT JOIN told t ON true WHERE n.id = $1 ORDER BY t.id`,
);

/** Purpose: all events of one transaction. Plan: events_xid, primary keys. Values: namespace, transaction, kinds. */
export const EVENTS_OF_TRANSACTION = statement(
  'events_of_transaction',
  `WITH page AS MATERIALIZED (
    SELECT e.* FROM fs.events e WHERE e.namespace = $1 AND e.xid = $2::xid8
  )
  SELECT t.* FROM (${told('$3')}) t ORDER BY t.id`,
);

/**
 * Purpose: events that were copied from another server, whose numbers of transactions mean nothing here, are behind every
 * snapshot from now on; cursors of before are void. Plan: events_xid. Values: namespace.
 */
export const SETTLE_COPIED = statement(
  'settle_copied',
  `WITH copied AS (
    UPDATE fs.events e SET xid = '3'::xid8
    WHERE e.namespace = $1 AND e.xid >= pg_snapshot_xmax(pg_current_snapshot()) RETURNING e.id
  )
  UPDATE fs.namespaces n SET event_era = gen_random_uuid(), events_removed = '0'
  WHERE n.id = $1 AND (EXISTS (SELECT FROM copied) OR n.events_removed >= pg_snapshot_xmax(pg_current_snapshot()))`,
);
