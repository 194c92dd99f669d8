// Statements on the summaries of large assets (migrations/0001-summaries.ts).
import { LANE_NAMES } from '../../summary.records.js';
import { statement } from '../statement.js';
import { HEAD, VALUE_OF_HEAD } from './reading.js';

/** Purpose: changes of the heads of an asset are noted from now on. Plan: primary key. Values: asset. */
export const WATCH = statement(
  'watch_heads',
  `WITH made AS (INSERT INTO fs.summaries (asset_id) VALUES ($1) ON CONFLICT (asset_id) DO NOTHING)
  SELECT s.settled FROM fs.summaries s WHERE s.asset_id = $1`,
);

/** Purpose: assets that are watched, of which there are few. Plan: primary keys. Values: namespace. */
export const WATCHED = statement(
  'watched',
  `SELECT a.key FROM fs.summaries s
  CROSS JOIN LATERAL (SELECT a.key FROM fs.assets a WHERE a.id = s.asset_id AND a.namespace = $1 OFFSET 0) a ORDER BY a.key`,
);

/** Purpose: an asset is watched no longer. What is noted of it hereafter by who did not know yet is harmless. Plan: primary key. Values: asset. */
export const UNWATCH = statement('unwatch', `DELETE FROM fs.summaries s WHERE s.asset_id = $1`);

/** Purpose: notes of an asset go. Plan: primary key. Values: asset. */
export const DROP_ALL_NOTES = statement('drop_all_notes', `DELETE FROM fs.head_changes c WHERE c.asset_id = $1`);

/** Purpose: a point in the order of transactions after all that have begun. */
export const NEXT_TRANSACTION = statement('next_transaction', `SELECT pg_snapshot_xmax(pg_current_snapshot()) AS next`);

/**
 * Purpose: whether all transactions before a point have ended; if so, the row says it for good. Plan: primary key.
 * Values: asset, point.
 */
export const SETTLE_WATCH = statement(
  'settle_watch',
  `UPDATE fs.summaries s SET settled = true
  WHERE s.asset_id = $1 AND pg_snapshot_xmin(pg_current_snapshot()) >= $2::xid8
  RETURNING s.settled`,
);

/**
 * Purpose: summaries as far as they are always needed, all of one snapshot, the columns of some chunks end to end; one row where there
 * is no chunk. Plan: primary keys. Values: asset ids, for each whether the sums of versions and those of inputs are wanted, and the chunks
 * of a row.
 */
export const KEPT = statement(
  'kept_summaries',
  `SELECT s.asset_id, s.layout, s.version, n.changed, c.*
  FROM unnest($1::integer[], $2::boolean[], $3::boolean[]) AS q (asset, versions, inputs)
  CROSS JOIN LATERAL (SELECT s.* FROM fs.summaries s WHERE s.asset_id = q.asset OFFSET 0) s
  CROSS JOIN LATERAL (SELECT COALESCE(sum(cardinality(h.heads)), 0)::bigint AS changed FROM fs.head_changes h
    WHERE h.asset_id = q.asset OFFSET 0) n
  LEFT JOIN LATERAL (
    SELECT c.chunk / $4 AS part, json_agg(json_build_array(c.chunk, c.classes, length(c.runs)) ORDER BY c.chunk) AS chunks,
      encode(string_agg(c.runs, '' ORDER BY c.chunk), 'base64') AS runs,
      encode(string_agg(c.version_sums, '' ORDER BY c.chunk) FILTER (WHERE q.versions), 'base64') AS versions,
      encode(string_agg(c.input_sums, '' ORDER BY c.chunk) FILTER (WHERE q.inputs), 'base64') AS inputs
    FROM (SELECT c.chunk, c.classes, c.runs, c.version_sums, c.input_sums FROM fs.summary_chunks c
      WHERE c.asset_id = q.asset ORDER BY c.asset_id, c.chunk OFFSET 0) c GROUP BY 1) c ON true ORDER BY s.asset_id, c.part`,
);

/**
 * Purpose: parts of columns of chunks, end to end in each batch; of summaries that are no longer of their version there are none.
 * Plan: primary keys. Values, by part: batch, asset, version, chunk, column (as in LANE_NAMES), from where (bytes), how long.
 */
export const LANES = statement(
  'summary_lanes',
  `SELECT encode(string_agg(p.part, '' ORDER BY q.at), 'base64') AS parts
  FROM unnest($1::integer[], $2::integer[], $3::bigint[], $4::integer[], $5::integer[], $6::integer[], $7::integer[])
    WITH ORDINALITY AS q (batch, asset, version, chunk, lane, first, length, at)
  CROSS JOIN LATERAL (SELECT FROM fs.summaries s WHERE s.asset_id = q.asset AND s.version = q.version OFFSET 0) s
  CROSS JOIN LATERAL (
    SELECT substring(CASE q.lane ${LANE_NAMES.map((lane, at) => `WHEN ${at} THEN c.${lane}`).join(' ')} END
      FROM q.first + 1 FOR q.length) AS part
    FROM fs.summary_chunks c WHERE c.asset_id = q.asset AND c.chunk = q.chunk OFFSET 0) p
  GROUP BY q.batch ORDER BY q.batch`,
);

/** Purpose: a page of notes. Plan: primary keys. Values: asset, version, the note after which, limit. */
export const CHANGES = statement(
  'head_changes',
  `SELECT s.version, COALESCE(array_agg(n.id) FILTER (WHERE n.id IS NOT NULL), '{}') AS notes,
    COALESCE(json_agg(n.heads) FILTER (WHERE n.id IS NOT NULL), '[]') AS heads
  FROM (SELECT s.version FROM fs.summaries s WHERE s.asset_id = $1 AND s.version = $2 OFFSET 0) s
  LEFT JOIN LATERAL (
    SELECT c.id, c.heads FROM fs.head_changes c WHERE (c.asset_id, c.id) > ($1, $3) AND c.asset_id = $1
    ORDER BY c.asset_id, c.id LIMIT $4) n ON true
  GROUP BY s.version`,
);

/** Purpose: heads by number. Plan: primary keys. Values: ids. */
export const HEADS_BY_ID = statement(
  'heads_by_id',
  `${HEAD} FROM unnest($1::bigint[]) AS n (id)
  CROSS JOIN LATERAL (SELECT h.* FROM fs.heads h WHERE h.id = n.id OFFSET 0) h ${VALUE_OF_HEAD}`,
);

/** Purpose: a summary is about to be written; whoever wrote it meanwhile is noticed. Plan: primary key. Values: asset, version, layout. */
export const TURN_VERSION = statement(
  'turn_summary',
  `UPDATE fs.summaries s SET version = s.version + 1, layout = $3 WHERE s.asset_id = $1 AND s.version = $2 RETURNING s.version`,
);

/** Purpose: an asset has no chunks. Plan: primary key. Values: asset. */
export const DROP_CHUNKS = statement('drop_chunks', `DELETE FROM fs.summary_chunks c WHERE c.asset_id = $1`);

/** Purpose: notes have served. Plan: primary key. Values: asset, ids. */
export const DROP_NOTES = statement(
  'drop_notes',
  `DELETE FROM fs.head_changes c WHERE c.asset_id = $1 AND c.id = ANY ($2::bigint[])`,
);

/** Purpose: a chunk is written. Plan: primary key. Values: asset, chunk, classes, then its columns of bytes. */
export const KEEP_CHUNK = statement(
  'keep_chunk',
  `INSERT INTO fs.summary_chunks (asset_id, chunk, classes, runs, version_sums, input_sums, versions_0, versions_1, inputs_0,
    inputs_1)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
  ON CONFLICT (asset_id, chunk) DO UPDATE SET classes = excluded.classes, runs = excluded.runs,
    version_sums = excluded.version_sums, input_sums = excluded.input_sums, versions_0 = excluded.versions_0,
    versions_1 = excluded.versions_1, inputs_0 = excluded.inputs_0, inputs_1 = excluded.inputs_1`,
);
