// Statements of the collector about turns, superseded versions and orphans. What it removes stands in removing.ts.
// They lock rows of superseded only, which nothing else writes but the trigger that makes them; each UPDATE repeats its
// guard, so that two collectors at once do no harm.
import { statement } from '../statement.js';

/** Purpose: the turn to collect, if it is due, or asked for and nobody's. Values: namespace, process, lease in ms, asked for. */
export const TAKE_TURN = statement(
  'take_turn',
  `UPDATE fs.namespaces n SET collector = $2, collect_at = clock_timestamp() + $3::float8 * interval '1 millisecond'
  WHERE n.id = $1 AND (n.collect_at <= clock_timestamp() OR ($4 AND n.collector IS NULL))
  RETURNING clock_timestamp() AS started_at, n.orphans_at <= clock_timestamp() AS orphans_due`,
);

/** Purpose: the turn goes on. Guard: still ours. Values: namespace, process, lease in ms. */
export const KEEP_TURN = statement(
  'keep_turn',
  `UPDATE fs.namespaces n SET collect_at = clock_timestamp() + $3::float8 * interval '1 millisecond'
  WHERE n.id = $1 AND n.collector = $2 RETURNING n.id`,
);

/** Purpose: the turn ends, the next one is due then. Guard: ours. Values: namespace, process, ms, ms or null. */
export const END_TURN = statement(
  'end_turn',
  `UPDATE fs.namespaces n SET collector = NULL, collect_at = clock_timestamp() + $3::float8 * interval '1 millisecond',
    orphans_at = COALESCE(clock_timestamp() + $4::float8 * interval '1 millisecond', n.orphans_at)
  WHERE n.id = $1 AND n.collector = $2`,
);

/** Purpose: all assets, and by which policy their versions were last judged. Plan: assets_key. Values: namespace. */
export const JUDGED_ASSETS = statement(
  'judged_assets',
  `SELECT a.id, a.key, a.version_policy FROM fs.assets a WHERE a.namespace = $1`,
);

/** Purpose: versions judged by another policy are due again. Plan: superseded_due. Values: asset ids, limit. */
export const LOOK_AGAIN = statement(
  'look_again',
  `WITH due AS (
    UPDATE fs.superseded s SET look_at = statement_timestamp()
    WHERE s.materialization_id = ANY (ARRAY(
        SELECT x.materialization_id FROM unnest($1::integer[]) AS a (id)
        CROSS JOIN LATERAL (SELECT s.materialization_id FROM fs.superseded s
          WHERE s.asset_id = a.id AND s.look_at > statement_timestamp() AND s.collection IS NULL AND NOT s.gone
          LIMIT $2) x
        LIMIT $2))
      AND s.collection IS NULL AND NOT s.gone
    RETURNING s.materialization_id
  )
  SELECT count(*) AS due FROM due`,
);

/** Purpose: by which policy versions are judged from now on. Values: asset ids, policies. */
export const SET_POLICIES = statement(
  'set_policies',
  `UPDATE fs.assets a SET version_policy = p.policy FROM unnest($1::integer[], $2::text[]) AS p (id, policy)
  WHERE a.id = ANY ($1::integer[]) AND p.id = a.id`,
);

/**
 * Purpose: superseded versions that are due are condemned, or judged again later. A policy that keeps n versions, the
 * head being one, looks at the whole head: the version that came pushes out the oldest. The versions a judged one had consumed may have been
 * kept for its sake: their records are due again.
 * Plan: superseded_due and superseded_of_head, each cut by LIMIT; lineage's primary key.
 * Guard: neither condemned nor gone. Values: asset ids, versions kept or null, ages in ms or null, limit.
 */
export const JUDGE = statement(
  'judge',
  `WITH due AS MATERIALIZED (
    SELECT s.materialization_id AS id, s.head_id, s.superseded_at, p.keep, p.age
    FROM unnest($1::integer[], $2::integer[], $3::float8[]) AS p (asset, keep, age)
    CROSS JOIN LATERAL (SELECT s.materialization_id, s.head_id, s.superseded_at FROM fs.superseded s
      WHERE s.asset_id = p.asset AND s.look_at <= statement_timestamp() AND s.collection IS NULL AND NOT s.gone
      ORDER BY s.look_at LIMIT $4) s
    LIMIT $4
  ), counted AS MATERIALIZED (
    SELECT DISTINCT d.head_id, d.keep - 1 AS keep FROM due d WHERE d.keep IS NOT NULL
  ), kept AS MATERIALIZED (
    SELECT v.id FROM counted c CROSS JOIN LATERAL (SELECT s.materialization_id AS id FROM fs.superseded s
      WHERE s.head_id = c.head_id AND s.collection IS NULL AND NOT s.gone
      ORDER BY s.superseded_at DESC, s.materialization_id DESC LIMIT c.keep) v
  ), pushed_out AS MATERIALIZED (
    SELECT v.id FROM counted c CROSS JOIN LATERAL (SELECT s.materialization_id AS id FROM fs.superseded s
      WHERE s.head_id = c.head_id AND s.collection IS NULL AND NOT s.gone
      ORDER BY s.superseded_at DESC, s.materialization_id DESC OFFSET c.keep LIMIT $4) v
    UNION ALL
    SELECT d.id FROM due d WHERE d.superseded_at <= statement_timestamp() - d.age * interval '1 millisecond'
  ), collection AS MATERIALIZED (
    SELECT nextval(pg_get_serial_sequence('fs.collections', 'id')::regclass) AS id WHERE EXISTS (SELECT FROM pushed_out)
  ), condemned AS (
    UPDATE fs.superseded s SET collection = c.id, look_at = 'infinity' FROM collection c
    WHERE s.materialization_id = ANY (ARRAY(SELECT p.id FROM pushed_out p)) AND s.collection IS NULL AND NOT s.gone
    RETURNING s.materialization_id
  ), later AS (
    UPDATE fs.superseded s SET look_at = COALESCE(s.superseded_at + d.age * interval '1 millisecond', 'infinity')
    FROM due d
    WHERE s.materialization_id = ANY (ARRAY(
        SELECT d.id FROM due d WHERE d.keep IS NULL UNION ALL SELECT k.id FROM kept k
        EXCEPT SELECT p.id FROM pushed_out p))
      AND d.id = s.materialization_id AND s.collection IS NULL AND NOT s.gone
  ), provenance AS (
    UPDATE fs.superseded s SET look_at = statement_timestamp()
    WHERE s.materialization_id = ANY (ARRAY(
        SELECT l.upstream FROM fs.lineage l WHERE l.downstream = ANY (ARRAY(SELECT d.id FROM due d))))
      AND s.gone AND s.look_at = 'infinity'
  )
  SELECT (SELECT count(*) FROM due) AS judged, (SELECT count(*) FROM condemned) AS condemned,
    (SELECT c.id FROM collection c) AS collection`,
);

/**
 * Purpose: all versions of heads that were just deleted are condemned, whatever the policy. Comes after the deletion, in its
 * transaction. Plan: superseded_of_head, primary keys. Values: heads.
 */
export const CONDEMN_THESE = statement(
  'condemn_these',
  `WITH versions AS MATERIALIZED (
    SELECT s.materialization_id AS id FROM fs.superseded s
    WHERE s.head_id = ANY ($1::bigint[]) AND s.collection IS NULL AND NOT s.gone
  ), collection AS MATERIALIZED (
    SELECT nextval(pg_get_serial_sequence('fs.collections', 'id')::regclass) AS id WHERE EXISTS (SELECT FROM versions)
  ), condemned AS (
    UPDATE fs.superseded s SET collection = c.id, look_at = 'infinity' FROM collection c
    WHERE s.materialization_id = ANY (ARRAY(SELECT v.id FROM versions v)) AND s.collection IS NULL AND NOT s.gone
    RETURNING s.materialization_id
  ), provenance AS (
    UPDATE fs.superseded s SET look_at = statement_timestamp()
    WHERE s.materialization_id = ANY (ARRAY(
        SELECT l.upstream FROM fs.lineage l WHERE l.downstream = ANY (ARRAY(SELECT v.id FROM versions v))))
      AND s.gone AND s.look_at = 'infinity'
  )
  SELECT (SELECT count(*) FROM condemned) AS condemned, (SELECT c.id FROM collection c) AS collection`,
);

/** Whether what the approval `a` is about may still be read: nobody has decided, or that is not carried out. */
const APPROVAL_HOLDS = `(a.status NOT IN ('superseded', 'cancelled') AND EXISTS (
      SELECT FROM fs.materializations m WHERE m.id = a.materialization_id
        AND m.status IN ('pending', 'running', 'waiting_approval') OFFSET 0))`;

/**
 * Purpose: a collection, with the attempts that run now. A statement after the condemning, so that whoever pinned one
 * of its versions as head is seen: who claims later finds another head. So do the pins of approvals until their
 * materializations have ended; those that have are told so here, where it matters.
 * Plan: claims_pkey, approvals_pinning, then primary keys. Values: namespace, collection.
 */
export const OPEN_COLLECTION = statement(
  'open_collection',
  `WITH pinning AS MATERIALIZED (
    SELECT a.id, ${APPROVAL_HOLDS} AS holds FROM fs.approvals a WHERE a.namespace = $1 AND a.pinning
  ), ended AS (
    UPDATE fs.approvals a SET pinning = false WHERE a.id = ANY (ARRAY(SELECT p.id FROM pinning p WHERE NOT p.holds))
  )
  INSERT INTO fs.collections (id, namespace, holders, epochs, approvals)
  SELECT $2, $1, COALESCE(array_agg(m.id), '{}'), COALESCE(array_agg(m.epoch), '{}'),
    ARRAY(SELECT p.id FROM pinning p WHERE p.holds ORDER BY p.id) FROM fs.claims c
  CROSS JOIN LATERAL (SELECT m.id, m.epoch, m.status FROM fs.materializations m
    WHERE m.id = c.materialization_id OFFSET 0) m
  WHERE c.namespace = $1 AND m.status = 'running'`,
);

/** Purpose: collections of which no attempt runs any more. Plan: collections_namespace, primary keys. Values: namespace. */
export const FREE_COLLECTIONS = statement(
  'free_collections',
  `SELECT c.id FROM fs.collections c
  WHERE c.namespace = $1 AND NOT EXISTS (
    SELECT FROM unnest(c.holders, c.epochs) AS x (id, epoch)
    CROSS JOIN LATERAL (SELECT m.epoch, m.status FROM fs.materializations m WHERE m.id = x.id OFFSET 0) m
    WHERE m.status = 'running' AND m.epoch = x.epoch)
    AND NOT EXISTS (
      SELECT FROM unnest(c.approvals) AS x (id)
      CROSS JOIN LATERAL (SELECT a.* FROM fs.approvals a WHERE a.id = x.id OFFSET 0) a
      WHERE a.pinning AND ${APPROVAL_HOLDS})
  ORDER BY c.id`,
);

/** Purpose: what a collection condemned. Plan: superseded_condemned, primary keys. Values: collection, after, limit. */
export const CONDEMNED = statement(
  'condemned',
  `SELECT s.materialization_id AS id, s.asset_id, a.partitioned, h.partition, v.io, v.location, v.size,
    v.rows, v.hash
  FROM (SELECT s.materialization_id, s.asset_id, s.head_id FROM fs.superseded s
    WHERE s.collection = $1 AND s.materialization_id > $2 ORDER BY s.materialization_id LIMIT $3) s
  CROSS JOIN LATERAL (SELECT a.partitioned FROM fs.assets a WHERE a.id = s.asset_id OFFSET 0) a
  CROSS JOIN LATERAL (SELECT h.partition FROM fs.heads h
    WHERE h.id = s.head_id OFFSET 0) h
  CROSS JOIN LATERAL (SELECT v.io, v.location, v.size, v.rows, v.hash FROM fs.materializations v
    WHERE v.id = s.materialization_id OFFSET 0) v
  ORDER BY s.materialization_id`,
);

/** Purpose: values are gone, their records are judged next. Plan: primary key. Guard: condemned. Values: materializations. */
export const MARK_GONE = statement(
  'mark_gone',
  `UPDATE fs.superseded s SET gone = true, collection = NULL, look_at = statement_timestamp()
  WHERE s.materialization_id = ANY ($1::bigint[]) AND s.collection IS NOT NULL`,
);

/** Purpose: a collection of which nothing is left. Plan: primary key, superseded_condemned. Values: collection. */
export const CLOSE_COLLECTION = statement(
  'close_collection',
  `DELETE FROM fs.collections c WHERE c.id = $1
    AND NOT EXISTS (SELECT FROM fs.superseded s WHERE s.collection = c.id)`,
);

/**
 * Purpose: attempts that can never commit any more and have no value on record: their epoch has passed, they went back,
 * or their materialization ended otherwise. Plan: primary keys. Values: namespace, ids, epochs.
 */
export const UNREACHABLE = statement(
  'unreachable',
  `SELECT x.id, x.epoch, m.asset_id, a.partitioned, h.partition
  FROM unnest($2::bigint[], $3::integer[]) AS x (id, epoch)
  CROSS JOIN LATERAL (SELECT m.status, m.epoch, m.asset_id, m.head_id FROM fs.materializations m
    WHERE m.id = x.id AND m.namespace = $1 OFFSET 0) m
  CROSS JOIN LATERAL (SELECT a.partitioned FROM fs.assets a WHERE a.id = m.asset_id OFFSET 0) a
  CROSS JOIN LATERAL (SELECT h.partition FROM fs.heads h WHERE h.id = m.head_id OFFSET 0) h
  WHERE x.epoch < m.epoch
    OR (x.epoch = m.epoch AND m.status IN ('pending', 'failed', 'upstream_failed', 'skipped', 'cancelled'))
    OR (x.epoch = m.epoch AND m.status = 'success' AND EXISTS (
      SELECT FROM fs.superseded s WHERE s.materialization_id = x.id AND s.gone))`,
);
