// Statements by which retention removes records: of runs, of materializations that outlived their run, of events.
// What is terminal never changes again, so that nothing here waits for work in progress, nor does that for this.
import { statement } from '../statement.js';

// A record of success is referenced while it is a head's (then it is not superseded), its value is kept or may still be
// read (then it is not gone), or a head consumed it.
const CONSUMED_BY_A_HEAD = (id: string): string => `EXISTS (
      SELECT FROM fs.lineage l
      CROSS JOIN LATERAL (SELECT c.head_id FROM fs.materializations c WHERE c.id = l.downstream OFFSET 0) c
      CROSS JOIN LATERAL (SELECT h.materialization_id FROM fs.heads h WHERE h.id = c.head_id OFFSET 0) h
      WHERE l.upstream + 0 = ${id} AND NOT l.ordering AND h.materialization_id = l.downstream)`;

// Edges to what was removed stay while their downstream does: they tell that provenance ends there.
const removing = (ids: string): string => `edges AS (
    DELETE FROM fs.lineage l WHERE l.downstream = ANY (ARRAY(${ids}))
  ), notes AS (
    DELETE FROM fs.superseded s WHERE s.materialization_id = ANY (ARRAY(${ids}))
  ), approvals AS (
    DELETE FROM fs.approvals a WHERE a.id = ANY (ARRAY(
      SELECT a.id FROM (${ids}) n (id)
      CROSS JOIN LATERAL (SELECT a.id FROM fs.approvals a WHERE a.materialization_id = n.id OFFSET 0) a))
  ), checks AS (
    DELETE FROM fs.check_results c WHERE c.materialization_id = ANY (ARRAY(${ids}))
  ), signals AS (
    DELETE FROM fs.early_signals s WHERE s.materialization_id = ANY (ARRAY(${ids}))
  ), removed AS (
    DELETE FROM fs.materializations m WHERE m.id = ANY (ARRAY(${ids})) RETURNING m.id
  )`;

/**
 * Purpose: a page of runs, and which of them ended before a time. Plan: runs_page, runs_open_retry.
 * Values: namespace, after, before, limit.
 */
export const EXPIRED_RUNS = statement(
  'expired_runs',
  `SELECT r.id, r.created_at < $3 AS old, COALESCE(r.completed_at < $3, false) AND NOT EXISTS (
      SELECT FROM fs.runs o WHERE o.retry_of = r.id AND o.status IN ('planning', 'running')) AS expired
  FROM fs.runs r WHERE r.namespace = $1 AND r.id + 0 > $2 ORDER BY r.id + 0 LIMIT $4`,
);

/**
 * Purpose: materializations of ended runs go, but for what is referenced; what their attempts logged goes in any case. Plan: materializations_run, primary keys,
 * lineage_upstream. Guard: terminal. Values: run ids, the id after which to begin in the first, limit.
 */
export const REMOVE_MATERIALIZATIONS = statement(
  'remove_materializations',
  `WITH page AS MATERIALIZED (
    SELECT m.id, m.status, r.id AS run, r.place FROM unnest($1::bigint[]) WITH ORDINALITY AS r (id, place)
    CROSS JOIN LATERAL (SELECT m.id, m.status FROM fs.materializations m
      WHERE m.run_id = r.id AND m.id + 0 > CASE WHEN r.place = 1 THEN $2::bigint ELSE 0 END ORDER BY m.id + 0 LIMIT $3) m
    LIMIT $3
  ), removable AS MATERIALIZED (
    SELECT p.id FROM page p
    LEFT JOIN LATERAL (SELECT s.gone FROM fs.superseded s WHERE s.materialization_id = p.id OFFSET 0) s ON true
    WHERE p.status IN ('failed', 'upstream_failed', 'skipped', 'cancelled')
      OR (p.status = 'success' AND s.gone AND NOT ${CONSUMED_BY_A_HEAD('p.id')})
  ), logs AS (
    DELETE FROM fs.log_lines l WHERE l.materialization_id = ANY (ARRAY(SELECT p.id FROM page p))
  ), ${removing('SELECT r.id FROM removable r')}
  SELECT (SELECT count(*) FROM removed) AS removed, (SELECT count(*) FROM page) AS seen, l.run, l.id AS last
  FROM (SELECT p.run, p.id FROM page p ORDER BY p.place DESC, p.id DESC LIMIT 1) l`,
);

/** Of how many events these rows were. */
const TOLD = (rows: string): string =>
  `(SELECT COALESCE(sum(COALESCE(cardinality(r.materializations), 1)), 0) FROM ${rows} r)`;

// Who reads the log on from before what is removed is to be told so.
const NOTED = `noted AS (
    UPDATE fs.namespaces n SET events_removed = r.xid
    FROM (SELECT r.namespace, r.xid FROM removed r ORDER BY r.xid DESC LIMIT 1) r
    WHERE n.id = r.namespace AND n.events_removed < r.xid
  )`;

/** Purpose: events of runs go, so many rows. Plan: events_run, primary key. Values: run ids, limit. */
export const REMOVE_RUN_EVENTS = statement(
  'remove_run_events',
  `WITH removed AS (
    DELETE FROM fs.events e WHERE e.id = ANY (ARRAY(
      SELECT e.id FROM unnest($1::bigint[]) AS r (id)
      CROSS JOIN LATERAL (SELECT e.id FROM fs.events e WHERE e.run_id = r.id ORDER BY e.id LIMIT $2) e
      LIMIT $2))
    RETURNING e.materializations, e.namespace, e.xid
  ), ${NOTED}
  SELECT ${TOLD('removed')} AS removed`,
);

/**
 * Purpose: ended runs go with their lanes and limits; a run key keeps what became of its run. Plan: primary keys,
 * lanes_pool. Guard: ended.
 * Values: namespace, run ids.
 */
export const REMOVE_RUNS = statement(
  'remove_runs',
  `WITH removed AS (
    DELETE FROM fs.runs r WHERE r.id = ANY ($2::bigint[]) AND r.namespace = $1
      AND r.status IN ('success', 'failed', 'cancelled')
    RETURNING r.*
  ), lanes AS (
    DELETE FROM fs.lanes l WHERE l.run_id = ANY (ARRAY(SELECT r.id FROM removed r))
  ), limits AS (
    DELETE FROM fs.limits l WHERE l.id = ANY (ARRAY(SELECT r.limit_id FROM removed r))
  ), remembered AS (
    UPDATE fs.run_keys k SET removed_run = to_json(r) FROM removed r
    WHERE k.namespace = $1 AND r.run_key IS NOT NULL AND k.run_key = r.run_key AND k.run_id = r.id
  )
  SELECT count(*) AS removed FROM removed`,
);

/** Whether a limit `x` is of a key, or was before its pool got another dimension (bound_pools), and nothing holds or wants it. */
const IDLE_KEY = `x.used = 0 AND (x.key IS NOT NULL OR (x.pool_id IS NULL AND num_nonnulls(x.capacity, x.burst) = 0))
      AND NOT EXISTS (SELECT FROM fs.lanes l WHERE l.key_limit = x.id OFFSET 0)`;

/**
 * Purpose: a page of limits, and those of keys that seem to be idle. Their pools are locked: who plans for a key shares
 * its pool until the end (make_lanes), so that none does, and what was planned before can be seen by the next statement. It
 * waits for nobody: keys of pools in which somebody plans just now are left to the next pass. Before the limits, as in
 * bound_pools. Plan: primary keys, lanes_key. Values: namespace, after, limit.
 */
export const IDLE_KEYS = statement(
  'idle_keys',
  `WITH page AS MATERIALIZED (
    SELECT x.* FROM fs.limits x WHERE x.id > $2 ORDER BY x.id LIMIT $3
  ), idle AS MATERIALIZED (
    SELECT x.id, x.pool_id FROM page x WHERE x.namespace = $1 AND ${IDLE_KEY}
  ), pool AS MATERIALIZED (
    SELECT p.id FROM fs.pools p WHERE p.id = ANY (ARRAY(SELECT i.pool_id FROM idle i)) ORDER BY p.id FOR UPDATE SKIP LOCKED
  )
  SELECT (SELECT count(*) FROM page) AS seen, (SELECT max(p.id) FROM page p) AS last,
    ARRAY(SELECT i.id FROM idle i WHERE i.pool_id IS NULL OR i.pool_id IN (SELECT p.id FROM pool p)) AS ids`,
);

/**
 * Purpose: idle keys go (after IDLE_KEYS, in its transaction). Their pools are written, not only locked: a host's
 * transaction that reads an older snapshot and would still see the key fails when it wants to share the pool.
 * Plan: primary keys, lanes_key. Guard: idle, with a full rate. Values: limits.
 */
export const REMOVE_KEYS = statement(
  'remove_keys',
  `WITH locked AS MATERIALIZED (
    SELECT x.id FROM fs.limits x
    WHERE x.id = ANY ($1::bigint[]) AND ${IDLE_KEY} AND COALESCE(fs.tokens_left(x) >= x.burst, true)
    ORDER BY x.id FOR UPDATE OF x SKIP LOCKED
  ), removed AS (
    DELETE FROM fs.limits x WHERE x.id = ANY (ARRAY(SELECT l.id FROM locked l)) RETURNING x.pool_id
  ), written AS (
    UPDATE fs.pools p SET name = p.name WHERE p.id = ANY (ARRAY(SELECT r.pool_id FROM removed r))
  )
  SELECT count(*) AS removed FROM removed`,
);

/** Purpose: the run of a key, removed. Plan: run_keys_removed. Values: namespace, run. */
export const REMOVED_RUN = statement(
  'removed_run',
  `SELECT k.removed_run FROM fs.run_keys k WHERE k.run_id = $2 AND k.namespace = $1 AND k.removed_run IS NOT NULL`,
);

/**
 * Purpose: records without a run (it was removed, or they never had one) go once nothing refers to them. Those that have
 * one wait for it; those consumed by a head, until that is judged.
 * Plan: superseded_records, primary keys, lineage_upstream. Values: asset ids, before, limit.
 */
export const REMOVE_RECORDS = statement(
  'remove_records',
  `WITH due AS MATERIALIZED (
    SELECT s.id, s.superseded_at FROM unnest($1::integer[]) AS a (id)
    CROSS JOIN LATERAL (SELECT s.materialization_id AS id, s.superseded_at FROM fs.superseded s
      WHERE s.asset_id = a.id AND s.look_at <= statement_timestamp() AND s.gone ORDER BY s.look_at LIMIT $3) s
    LIMIT $3
  ), judged AS MATERIALIZED (
    SELECT d.id, CASE
      WHEN m.run_id IS NULL AND d.superseded_at >= $2
        THEN statement_timestamp() + (d.superseded_at - $2::timestamptz) + interval '1 millisecond'
      WHEN EXISTS (SELECT FROM fs.runs r WHERE r.id = m.run_id) OR ${CONSUMED_BY_A_HEAD('d.id')} THEN 'infinity'
      END AS look_at
    FROM due d
    LEFT JOIN LATERAL (SELECT m.run_id FROM fs.materializations m WHERE m.id = d.id OFFSET 0) m ON true
  ), later AS (
    UPDATE fs.superseded s SET look_at = j.look_at FROM judged j
    WHERE s.materialization_id = ANY (ARRAY(SELECT x.id FROM judged x WHERE x.look_at IS NOT NULL))
      AND j.id = s.materialization_id AND s.gone
  ), ${removing('SELECT j.id FROM judged j WHERE j.look_at IS NULL')}
  SELECT (SELECT count(*) FROM due) AS judged, (SELECT count(*) FROM removed) AS removed`,
);

/**
 * Purpose: old events go. Ids rise with time, so that a page of young ones ends the search; events of other namespaces
 * are passed over. Plan: primary key. Values: namespace, before, after, limit.
 */
export const REMOVE_EVENTS = statement(
  'remove_events',
  `WITH page AS MATERIALIZED (
    SELECT e.id, e.namespace, e.at FROM fs.events e WHERE e.id > $3 ORDER BY e.id LIMIT $4
  ), removed AS (
    DELETE FROM fs.events e
    WHERE e.id = ANY (ARRAY(SELECT p.id FROM page p WHERE p.namespace = $1 AND p.at < $2))
    RETURNING e.materializations, e.namespace, e.xid
  ), ${NOTED}
  SELECT ${TOLD('removed')} AS removed, (SELECT count(*) FROM page) AS seen,
    (SELECT max(p.id) FROM page p) AS last, (SELECT min(p.at) FROM page p) < $2 AS old`,
);
