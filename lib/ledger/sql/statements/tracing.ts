// Statements of lineage. They only read; each access is a look-up by key, so that ten million edges are as quick as ten.
import { DURATION_APART, DURATION_FACTOR } from '../../lineage.port.js';
import { statement } from '../statement.js';

// Moments come from dates of JavaScript, which know no microseconds: what was completed in that millisecond counts.
const COMPLETED_BY = (at: string): string => `date_trunc('milliseconds', m.completed_at) <= ${at}`;

/** Purpose: the newest success of a partition at a moment. Plan: heads_partition, materializations_head. Values: asset id, partition, time. */
export const VERSION_AT = statement(
  'version_at',
  `SELECT m.id FROM fs.heads h
  CROSS JOIN LATERAL (SELECT m.id, m.completed_at FROM fs.materializations m
    WHERE m.head_id = h.id AND m.status = 'success' AND ${COMPLETED_BY('$3')} OFFSET 0) m
  WHERE h.asset_id = $1 AND h.partition = $2 ORDER BY m.completed_at DESC, m.id DESC LIMIT 1`,
);

const CONSUMED = (by: string): string => `CROSS JOIN LATERAL (
      SELECT l.upstream AS id FROM fs.lineage l WHERE l.downstream = ${by} AND NOT l.ordering OFFSET 0) l`;

const CONSUMERS = (of: string): string => `CROSS JOIN LATERAL (
      SELECT l.downstream AS id FROM fs.lineage l WHERE l.upstream + 0 = ${of} AND NOT l.ordering OFFSET 0) l`;

// A walk meets nearer versions before others, hence is cut by LIMIT as soon as there are enough, in the middle of a step
// too. UNION on the id alone would lose how far away a version is, and thereby where to stop; on id and depth it meets a
// version again at each length of path. So the depth counts only ($3 = 1) while it is small, and the caller finds it by
// the edges. These are one row of two arrays, since a row for each takes longer than finding it.
const walk = (name: string, next: (of: string) => string, counts = ''): ReturnType<typeof statement> =>
  statement(
    name,
    `WITH RECURSIVE walk (id, depth) AS (
    SELECT $1::bigint, 0
    UNION
    SELECT l.id, w.depth + $3::integer FROM walk w ${next('w.id')} ${counts} WHERE w.depth < $2::integer
  ), met AS MATERIALIZED (
    SELECT w.id, w.depth, row_number() OVER () AS place FROM walk w LIMIT $4
  ), followed AS MATERIALIZED (
    SELECT m.id, min(m.place) AS place FROM met m WHERE m.depth < $2::integer GROUP BY m.id
  ), edge AS (
    SELECT f.id AS "from", f.place, l.id AS next FROM followed f ${next('f.id')}
    WHERE l.id IN (SELECT m.id FROM met m) ORDER BY f.place, l.id LIMIT $5
  )
  SELECT COALESCE(array_agg(e."from"), '{}') AS "from",
    COALESCE(array_agg(e.next), '{}') AS next FROM edge e`,
  );

/**
 * Purpose: what a version came of, as edges, nearest first. Plan: lineage_pkey. Values: id, depth, whether that is counted
 * (1, or 0: however far), versions at most, edges at most.
 */
export const WALK_UPSTREAM = walk('walk_upstream', CONSUMED);

/** Purpose: what came of a version. Plan: lineage_upstream, primary key. Values: as WALK_UPSTREAM, and as of when (null: now). */
export const WALK_DOWNSTREAM = walk(
  'walk_downstream',
  CONSUMERS,
  `CROSS JOIN LATERAL (SELECT FROM fs.materializations m WHERE m.id = l.id AND m.status = 'success'
      AND ($6::timestamptz IS NULL OR ${COMPLETED_BY('$6')}) OFFSET 0) m`,
);

/** Purpose: what is told of versions. Plan: primary keys. Values: ids. */
export const TRACED = statement(
  'traced',
  `SELECT m.*, h.partition FROM unnest($1::bigint[]) AS n (id)
  CROSS JOIN LATERAL (SELECT m.id, m.run_id, m.asset_id, m.head_id, m.data_version, m.code_version, m.hash, m.completed_at
    FROM fs.materializations m WHERE m.id = n.id OFFSET 0) m
  CROSS JOIN LATERAL (SELECT h.partition FROM fs.heads h WHERE h.id = m.head_id OFFSET 0) h`,
);

/** Purpose: heads that consumed versions. Plan: lineage_upstream, primary keys. Values: ids. */
export const HEAD_CONSUMERS = statement(
  'head_consumers',
  `SELECT n.id AS consumed, l.downstream AS id, m.asset_id, h.partition FROM unnest($1::bigint[]) AS n (id)
  CROSS JOIN LATERAL (SELECT l.downstream FROM fs.lineage l WHERE l.upstream + 0 = n.id AND NOT l.ordering OFFSET 0) l
  CROSS JOIN LATERAL (SELECT m.head_id, m.asset_id FROM fs.materializations m
    WHERE m.id = l.downstream AND m.status = 'success' OFFSET 0) m
  CROSS JOIN LATERAL (SELECT h.partition FROM fs.heads h
    WHERE h.id = m.head_id AND h.materialization_id = l.downstream OFFSET 0) h
  ORDER BY n.id, l.downstream`,
);

/** Heads without a version among the last ones of an asset: so many are passed over for each that is looked for. */
const PASSED_OVER = 5;

/**
 * Purpose: how long assets took, by some of their newest successes. Plan: heads_partition backward, superseded_of_head
 * backward, primary key; bounded by the limits. Values: asset ids, how many of each.
 */
export const DURATIONS = statement(
  'durations',
  `SELECT a.id AS asset_id, d.ms FROM unnest($1::integer[]) AS a (id)
  CROSS JOIN LATERAL (
    SELECT v.ms FROM (
      SELECT h.materialization_id AS id FROM (
        SELECT h.materialization_id FROM fs.heads h WHERE h.asset_id = a.id
        ORDER BY h.asset_id DESC, h.partition DESC LIMIT $2 * ${PASSED_OVER}) h WHERE h.materialization_id IS NOT NULL
      UNION ALL
      SELECT s.materialization_id FROM (
        SELECT h.id FROM fs.heads h WHERE h.asset_id = a.id ORDER BY h.asset_id DESC, h.partition DESC LIMIT $2) h
      CROSS JOIN LATERAL (SELECT s.materialization_id FROM fs.superseded s
        WHERE s.head_id = h.id AND s.collection IS NULL AND NOT s.gone
        ORDER BY s.head_id DESC, s.superseded_at DESC LIMIT $2 OFFSET 0) s) n
    CROSS JOIN LATERAL (SELECT extract(epoch FROM v.completed_at - v.started_at)::float8 * 1000 AS ms
      FROM fs.materializations v WHERE v.id = n.id AND v.run_id IS NOT NULL AND v.started_at IS NOT NULL OFFSET 0) v
    LIMIT $2) d`,
);

const SIDE = (
  run: string,
): string => `SELECT m.id, m.head_id, m.asset_id, m.status, m.data_version, m.code_version, m.inputs,
      extract(epoch FROM m.completed_at - m.started_at)::float8 * 1000 AS duration
    FROM fs.materializations m WHERE m.run_id = ${run} AND m.namespace = $1`;

const SHOWN = (side: string): string => `CASE WHEN ${side}.id IS NOT NULL THEN json_build_object('id', ${side}.id,
      'status', ${side}.status, 'dataVersion', ${side}.data_version, 'codeVersion', ${side}.code_version,
      'inputs', ${side}.inputs, 'duration', ${side}.duration) END`;

/**
 * Purpose: in what two runs differ; the first differences, and how many there are of each kind. Plan: materializations_run
 * twice, a hash of one side. Values: namespace, run, run, limit.
 */
export const COMPARE_RUNS = statement(
  'compare_runs',
  `WITH a AS MATERIALIZED (${SIDE('$2')}), b AS MATERIALIZED (${SIDE('$3')}), pair AS MATERIALIZED (
    SELECT a.id AS a_id, b.id AS b_id, COALESCE(a.head_id, b.head_id) AS head_id,
      CASE WHEN b.id IS NULL THEN 'onlyA' WHEN a.id IS NULL THEN 'onlyB'
        WHEN (a.status, a.data_version, a.code_version, a.inputs)
          IS DISTINCT FROM (b.status, b.data_version, b.code_version, b.inputs)
          OR (abs(a.duration - b.duration) >= ${DURATION_APART}
            AND greatest(a.duration, b.duration) >= ${DURATION_FACTOR} * least(a.duration, b.duration))
          THEN 'differing' ELSE 'same' END AS kind
    FROM a FULL JOIN b ON a.head_id = b.head_id
  ), shown AS MATERIALIZED (
    SELECT p.* FROM pair p WHERE p.kind <> 'same' ORDER BY p.a_id NULLS LAST, p.b_id LIMIT $4
  )
  SELECT (SELECT json_object_agg(c.kind, c.count) FROM (SELECT p.kind, count(*) FROM pair p GROUP BY p.kind) c) AS counts,
    COALESCE((SELECT json_agg(json_build_object('asset_id', COALESCE(a.asset_id, b.asset_id), 'partition', h.partition,
        'a', ${SHOWN('a')}, 'b', ${SHOWN('b')}) ORDER BY s.a_id NULLS LAST, s.b_id)
      FROM shown s LEFT JOIN a ON a.id = s.a_id LEFT JOIN b ON b.id = s.b_id
      CROSS JOIN LATERAL (SELECT h.partition FROM fs.heads h WHERE h.id = s.head_id OFFSET 0) h), '[]') AS differences`,
);

/**
 * Purpose: what happened to a materialization and its partition. Plan: primary keys, events_run, events_asset; reads the
 * events of its run and asset. Values: namespace, id, limit.
 */
export const EVENTS_OF = statement(
  'events_of',
  `SELECT e.id, e.at, e.kind, e.run_id, e.materialization_id, m.asset_id, m.partition, e.actor, e.detail
  FROM (SELECT m.id, m.run_id, m.asset_id, m.created_at, h.partition
    FROM (SELECT m.* FROM fs.materializations m WHERE m.id = $2 AND m.namespace = $1 OFFSET 0) m
    CROSS JOIN LATERAL (SELECT h.partition FROM fs.heads h WHERE h.id = m.head_id OFFSET 0) h) m
  CROSS JOIN LATERAL (
    SELECT e.id + p.place - 1 AS id, e.at, e.kind, e.run_id, m.id AS materialization_id, e.actor, e.detail
    FROM (SELECT e.* FROM fs.events e WHERE e.run_id = m.run_id OFFSET 0) e
    CROSS JOIN LATERAL (SELECT array_position(e.materializations, m.id) AS place) p WHERE p.place IS NOT NULL
    UNION ALL
    SELECT e.id, e.at, e.kind, e.run_id, e.materializations[1], e.actor, e.detail
    FROM (SELECT e.* FROM fs.events e WHERE e.asset_id = m.asset_id OFFSET 0) e
    WHERE e.partition = m.partition AND e.at >= m.created_at AND e.run_id IS NULL) e
  ORDER BY e.id LIMIT $3`,
);
