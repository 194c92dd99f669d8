// Statements that only read. Listings are built per combination of filters, each with the plan its filters allow.
import { statement, type Statement } from '../statement.js';

// Approvals are few, so that what waits for them is counted where it is shown and not with each settlement.
const RUN = `SELECT r.*, a.waiting FROM fs.runs r
  CROSS JOIN LATERAL (SELECT count(*) AS waiting FROM fs.approvals a
    WHERE a.run_id = r.id AND a.status = 'open' OFFSET 0) a`;

const MATERIALIZATION = `SELECT m.*, h.partition, COALESCE(s.removed, false) AS value_removed FROM fs.materializations m
  CROSS JOIN LATERAL (SELECT h.partition FROM fs.heads h WHERE h.id = m.head_id OFFSET 0) h
  LEFT JOIN LATERAL (SELECT s.collection IS NOT NULL OR s.gone AS removed FROM fs.superseded s
    WHERE s.materialization_id = m.id OFFSET 0) s ON true`;

// A row tells of one materialization or many, and each has a record, whose id is that of the row plus its place there. Of
// the rows (as many as records are enough, since each before that id has one) only those are taken apart that the page
// begins with or reaches. The partition of a materialization's event is that of its head, looked up for the page alone.
const eventsPage = (
  where: string,
): string => `SELECT e.id + e.place AS id, e.at, e.kind, e.run_id, e.materialization_id,
    e.asset_id, COALESCE(e.partition, m.partition) AS partition, e.actor, e.detail
  FROM (
    SELECT e.*, t.materialization_id, t.place FROM (
      SELECT e.*, sum(LEAST($2 - e.id, COALESCE(cardinality(e.materializations), 1)))
        OVER (ORDER BY e.id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS newer
      FROM (SELECT e.* FROM fs.events e WHERE e.id < $2 AND ${where} ORDER BY e.id DESC LIMIT $1) e) e
    CROSS JOIN LATERAL (SELECT t.id AS materialization_id, t.position - 1 AS place
      FROM unnest(COALESCE(e.materializations, '{NULL}')) WITH ORDINALITY AS t (id, position)
      WHERE e.id + t.position - 1 < $2) t
    WHERE e.newer IS NULL OR e.newer < $1
    ORDER BY e.id DESC, t.place DESC LIMIT $1) e
  LEFT JOIN LATERAL (
    SELECT h.partition FROM (SELECT m.head_id FROM fs.materializations m WHERE m.id = e.materialization_id OFFSET 0) m
    CROSS JOIN LATERAL (SELECT h.partition FROM fs.heads h WHERE h.id = m.head_id OFFSET 0) h) m ON true
  ORDER BY e.id DESC, e.place DESC`;

const listings = new Map<string, Statement>();

/**
 * What a listing is ordered and paged by: the id, as the index has it that leads to the rows of these conditions (see
 * the migration, runs_page).
 */
export function pageKey(alias: string, conditions: readonly string[]): string {
  const indexed = alias === 'r' ? !conditions.includes('r.id = ?') : alias === 'm' && conditions.some(leadsToRows);
  return indexed ? `${alias}.id + 0` : `${alias}.id`;
}

function leadsToRows(condition: string): boolean {
  return /^m\.(run_id|head_id) /.test(condition);
}

/** The listing for these conditions, newest first, one more than the page so that its end is known. */
function listing(name: string, select: string, alias: string, conditions: readonly string[]): Statement {
  return listed(name, `${select} WHERE ${all(conditions, 2)} ORDER BY ${pageKey(alias, conditions)} DESC LIMIT $1`);
}

/** All of these, whose values begin at a parameter. */
function all(conditions: readonly string[], first: number): string {
  let parameter = first;
  return conditions.join(' AND ').replaceAll('?', () => `$${parameter++}`);
}

function listed(name: string, text: string): Statement {
  let known = listings.get(text);
  if (!known) listings.set(text, (known = statement(`${name}_${listings.size}`, text)));
  return known;
}

/** Plan: runs_page. Values: limit, then one per `?` of the conditions. */
export const runsWhere = (conditions: readonly string[]): Statement => listing('runs', RUN, 'r', conditions);
/** Plan: materializations_run, materializations_head or primary key. Values: limit, then one per `?` of the conditions. */
export const materializationsWhere = (conditions: readonly string[]): Statement =>
  listing('materializations', MATERIALIZATION, 'm', conditions);
/** Plan: events_run, events_asset or primary key. Values: limit, the id before which, then one per `?` of the conditions. */
export const eventsWhere = (conditions: readonly string[]): Statement =>
  listed('events', eventsPage(all(conditions, 3)));

export const HEAD = `SELECT h.id, h.asset_id, h.partition, h.materialization_id, h.invalidated, h.failed, h.active_materialization, v.*`;
export const VALUE_OF_HEAD = `LEFT JOIN LATERAL (
    SELECT v.data_version, v.code_version, v.inputs, v.upstreams, v.io, v.location, v.size, v.rows, v.hash,
      v.completed_at
    FROM fs.materializations v WHERE v.id = h.materialization_id OFFSET 0) v ON true`;

/** Purpose: all heads of assets. Plan: heads_partition, then primary key. Values: asset ids. */
export const HEADS_OF = statement(
  'heads_of',
  `${HEAD} FROM fs.heads h ${VALUE_OF_HEAD} WHERE h.asset_id = ANY ($1::integer[]) ORDER BY h.asset_id, h.partition`,
);

/** Purpose: some heads of an asset in the order of their keys. Plan: heads_partition, then primary key. Values: asset id, first partition, limit. */
export const HEADS_FROM = statement(
  'heads_from',
  `${HEAD} FROM (SELECT h.* FROM fs.heads h WHERE h.asset_id = $1 AND h.partition >= $2
    ORDER BY h.asset_id, h.partition LIMIT $3) h ${VALUE_OF_HEAD} ORDER BY h.partition`,
);

/** Purpose: heads by key. Plan: heads_partition, then primary key. Values: asset ids, partitions. */
export const HEADS_AT = statement(
  'heads_at',
  `${HEAD} FROM unnest($1::integer[], $2::text[]) AS n (asset, partition)
  CROSS JOIN LATERAL (SELECT h.* FROM fs.heads h WHERE h.asset_id = n.asset AND h.partition = n.partition OFFSET 0) h
  ${VALUE_OF_HEAD}`,
);

/**
 * Purpose: recorded provenance, one step. An edge is that only if its downstream succeeded; without a row of its upstream,
 * retention removed that. Plan: primary keys. Values: ids.
 */
export const CONSUMED = statement(
  'consumed',
  `SELECT l.downstream, l.upstream, u.asset_id, u.data_version, h.partition FROM fs.lineage l
  CROSS JOIN LATERAL (SELECT d.status FROM fs.materializations d WHERE d.id = l.downstream OFFSET 0) d
  LEFT JOIN LATERAL (SELECT u.asset_id, u.head_id, u.data_version FROM fs.materializations u
    WHERE u.id = l.upstream OFFSET 0) u ON true
  LEFT JOIN LATERAL (SELECT h.partition FROM fs.heads h WHERE h.id = u.head_id OFFSET 0) h ON true
  WHERE l.downstream = ANY ($1::bigint[]) AND NOT l.ordering AND d.status = 'success' ORDER BY l.downstream, l.upstream`,
);

/**
 * Purpose: a page of a run's rows in plan order, and what of it did not succeed. Plan: materializations_run, heads_pkey.
 * Values: namespace, run, the id after which, limit.
 */
export const LEFTOVERS = statement(
  'leftovers',
  `WITH page AS MATERIALIZED (
    SELECT m.* FROM fs.materializations m
    WHERE m.run_id = $2 AND (m.run_id, m.id + 0) > ($2, $3) ORDER BY m.run_id, m.id + 0 LIMIT $4
  )
  SELECT CASE WHEN (SELECT count(*) FROM page) = $4 THEN (SELECT max(p.id) FROM page p) END AS last,
    COALESCE((SELECT json_agg(l) FROM (
      SELECT p.id, p.head_id AS head, p.asset_id AS asset, p.forced, p.priority, h.partition FROM page p
      CROSS JOIN LATERAL (SELECT h.partition FROM fs.heads h WHERE h.id = p.head_id OFFSET 0) h
      WHERE p.namespace = $1 AND p.status NOT IN ('success', 'skipped') ORDER BY p.id) l), '[]') AS rows`,
);

/**
 * Purpose: a page of what some rows depend on, in their order, then by upstream. Plan: primary key of lineage.
 * Values: ids, the upstream of the first after which, limit.
 */
export const EDGES_OF = statement(
  'edges_of',
  `SELECT l.downstream, l.upstream, l.ordering FROM unnest($1::bigint[]) WITH ORDINALITY AS d (id, place)
  CROSS JOIN LATERAL (SELECT l.* FROM fs.lineage l
    WHERE l.downstream = d.id AND l.upstream > CASE WHEN d.place = 1 THEN $2::bigint ELSE 0 END ORDER BY l.upstream) l
  LIMIT $3`,
);

/**
 * Purpose: why one materialization does not run. An upstream that is not done is one of its run: edges of what is pending
 * are those of the plan. Plan: primary keys. Values: namespace, id.
 */
export const WAIT_FACTS = statement(
  'wait_facts',
  `SELECT a.key AS asset, m.status, m.run_id, r.max_concurrency, r.running, m.waiting_for AS holder, w.run_id AS holder_run,
    u.open, u.first, t.fires_at AS retry_at, wt.fires_at AS holder_retry_at, p.name AS pool, x.used, x.capacity, x.due,
    k.key, k.used AS key_used, k.capacity AS key_capacity, k.due AS key_due, clock_timestamp() AS now
  FROM (SELECT m.* FROM fs.materializations m WHERE m.id = $2 AND m.namespace = $1 OFFSET 0) m
  CROSS JOIN LATERAL (SELECT a.key FROM fs.assets a WHERE a.id = m.asset_id OFFSET 0) a
  CROSS JOIN LATERAL (
    SELECT r.max_concurrency, COALESCE((SELECT x.used FROM fs.limits x WHERE x.id = r.limit_id), r.running) AS running
    FROM fs.runs r WHERE r.id = m.run_id OFFSET 0) r
  CROSS JOIN LATERAL (SELECT l.pool_id, l.key_limit FROM fs.lanes l WHERE l.id = m.lane_id OFFSET 0) l
  CROSS JOIN LATERAL (SELECT p.name, p.limit_id FROM fs.pools p WHERE p.id = l.pool_id OFFSET 0) p
  CROSS JOIN LATERAL (
    SELECT count(*) AS open, min(u.id) AS first FROM fs.lineage l
    CROSS JOIN LATERAL (SELECT u.id, u.status FROM fs.materializations u WHERE u.id = l.upstream OFFSET 0) u
    WHERE l.downstream = m.id AND m.status = 'pending' AND u.status NOT IN ('success', 'skipped')) u
  LEFT JOIN LATERAL (SELECT w.run_id FROM fs.materializations w WHERE w.id = m.waiting_for OFFSET 0) w ON true
  LEFT JOIN LATERAL (SELECT t.fires_at FROM fs.timers t WHERE t.owner = m.id AND t.kind = 'retry' OFFSET 0) t ON true
  LEFT JOIN LATERAL (SELECT t.fires_at FROM fs.timers t WHERE t.owner = m.waiting_for AND t.kind = 'retry' OFFSET 0) wt
    ON true
  LEFT JOIN LATERAL (SELECT x.used, x.capacity, fs.token_due(x) AS due FROM fs.limits x
    WHERE x.id = p.limit_id OFFSET 0) x ON true
  LEFT JOIN LATERAL (SELECT k.key, k.used, k.capacity, fs.token_due(k) AS due FROM fs.limits k
    WHERE k.id = l.key_limit AND k.key IS NOT NULL OFFSET 0) k ON true`,
);

/**
 * Purpose: some of what waits in a run. Plan: lanes_pool, ready_pkey, materializations_waiting, timers_run; bounded by LIMIT.
 * Values: namespace, run, how many of each kind.
 */
export const WAITING_IN = statement(
  'waiting_in',
  `SELECT r.id FROM (
    SELECT min(y.id) AS id FROM (SELECT l.id FROM fs.lanes l WHERE l.run_id = $2 ORDER BY l.has_ready DESC, l.id LIMIT 100) l
    CROSS JOIN LATERAL (SELECT y.materialization_id AS id, y.asset_id FROM fs.ready y WHERE y.lane_id = l.id
      ORDER BY y.rank, y.materialization_id LIMIT 200) y
    GROUP BY l.id, y.asset_id ORDER BY id LIMIT $3) r
  UNION
  (SELECT m.id FROM (SELECT m.id, m.run_id FROM fs.materializations m WHERE m.waiting_for IS NOT NULL OFFSET 0) m
    WHERE m.run_id = $2 ORDER BY m.id LIMIT $3)
  UNION
  (SELECT t.owner FROM fs.timers t WHERE t.run_id = $2 AND t.namespace = $1 ORDER BY t.fires_at LIMIT $3)
  ORDER BY id`,
);

/**
 * Purpose: what would hinder materializations that are not requested. A key that nothing was planned for has no limit yet,
 * so that nothing waits for it. Plan: heads_partition, limits_key, primary keys. Values: asset ids, partitions, and their
 * keys in the pools (null: none).
 */
export const START_FACTS = statement(
  'start_facts',
  `SELECT n.at::integer - 1 AS at, h.holder, w.run_id AS holder_run, t.fires_at AS holder_retry_at,
    p.name AS pool, x.used, x.capacity, x.due,
    k.key, k.used AS key_used, k.capacity AS key_capacity, k.due AS key_due, clock_timestamp() AS now
  FROM unnest($1::integer[], $2::text[], $3::text[]) WITH ORDINALITY AS n (asset, partition, key, at)
  CROSS JOIN LATERAL (SELECT a.pool_id FROM fs.assets a WHERE a.id = n.asset OFFSET 0) a
  CROSS JOIN LATERAL (SELECT p.id, p.name, p.limit_id FROM fs.pools p WHERE p.id = a.pool_id OFFSET 0) p
  LEFT JOIN LATERAL (SELECT h.active_materialization AS holder FROM fs.heads h
    WHERE h.asset_id = n.asset AND h.partition = n.partition OFFSET 0) h ON true
  LEFT JOIN LATERAL (SELECT w.run_id FROM fs.materializations w WHERE w.id = h.holder OFFSET 0) w ON true
  LEFT JOIN LATERAL (SELECT t.fires_at FROM fs.timers t WHERE t.owner = h.holder AND t.kind = 'retry' OFFSET 0) t ON true
  LEFT JOIN LATERAL (SELECT x.used, x.capacity, fs.token_due(x) AS due FROM fs.limits x
    WHERE x.id = p.limit_id OFFSET 0) x ON true
  LEFT JOIN LATERAL (SELECT k.key, k.used, k.capacity, fs.token_due(k) AS due FROM fs.limits k
    WHERE k.pool_id = p.id AND k.key = n.key OFFSET 0) k ON true
  ORDER BY n.at`,
);

/** Whether somebody executes an asset, by the bits of PROGRESS. */
const isExecuted = (asset: string): string =>
  `CASE WHEN ${asset} < octet_length($3::bytea) * 8 THEN get_bit($3, ${asset}) = 1 ELSE false END`;

/**
 * Purpose: what keeps a run going; what it waits for only where nothing does. Whether anything is ready, and for whom, is
 * looked for up to the first, in the lanes alone that may have it; of waiters, all there are. Plan: lanes_pool, ready_pkey,
 * timers_run, materializations_waiting and primary key, never the rows of the run. Values: namespace, run, a bit for each
 * asset that somebody executes, by number.
 */
export const PROGRESS = statement(
  'progress',
  `SELECT g.going,
    CASE WHEN g.going THEN false ELSE EXISTS (
      SELECT FROM fs.lanes l CROSS JOIN LATERAL (SELECT FROM fs.ready y WHERE y.lane_id = l.id LIMIT 1 OFFSET 0) y
      WHERE l.run_id = $2 AND l.has_ready) END AS ready,
    CASE WHEN g.going THEN '{}' ELSE ARRAY(
      SELECT DISTINCT w.run_id FROM (
        SELECT m.waiting_for, m.run_id FROM fs.materializations m WHERE m.waiting_for IS NOT NULL OFFSET 0) m
      CROSS JOIN LATERAL (SELECT w.run_id FROM fs.materializations w WHERE w.id = m.waiting_for OFFSET 0) w
      WHERE m.run_id = $2) END AS waits_for
  FROM (SELECT CASE WHEN EXISTS (
      SELECT FROM fs.lanes l CROSS JOIN LATERAL (
        SELECT FROM fs.ready y WHERE y.lane_id = l.id AND ${isExecuted('y.asset_id')} LIMIT 1 OFFSET 0) y
      WHERE l.run_id = $2 AND l.has_ready AND l.namespace = $1
        AND EXISTS (SELECT FROM unnest(l.assets) a (id) WHERE ${isExecuted('a.id')})) THEN true
    ELSE EXISTS (SELECT FROM fs.timers t WHERE t.run_id = $2 AND t.namespace = $1) END AS going OFFSET 0) g`,
);

/** Purpose: keys of dynamic partitions, as they were added. Values: namespace, name. */
export const DYNAMIC_PARTITIONS = statement(
  'dynamic_partitions',
  `SELECT d.key FROM fs.dynamic_partitions d WHERE d.namespace = $1 AND d.name = $2 AND NOT d.retired ORDER BY d.ordinal`,
);
