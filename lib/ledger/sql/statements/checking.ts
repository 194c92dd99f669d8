// Statements that keep and read what checks found.
import { statement } from '../statement.js';

/**
 * Purpose: results are kept, each with its event, of materializations that are there. Plan: primary key of materializations,
 * check_results_once. Guard: once, where nobody asked for it. Values: namespace, results (json).
 */
export const RECORD_CHECKS = statement(
  'record_checks',
  `WITH kept AS (
    INSERT INTO fs.check_results (namespace, asset_id, partition, materialization_id, epoch, "check", severity, status, message,
      metadata, duration, on_demand, by)
    SELECT $1, n.asset, n.partition, n.materialization, n.epoch, n."check", n.severity, n.status, n.message, n.metadata, n.duration,
      n.on_demand, n.by
    FROM json_to_recordset($2::json) AS n (place integer, asset integer, partition text, materialization bigint, epoch integer,
      "check" text, severity text, status text, message text, metadata json, duration float8, on_demand boolean, by text)
    CROSS JOIN LATERAL (SELECT FROM fs.materializations m WHERE m.id = n.materialization AND m.namespace = $1 OFFSET 0) m
    ORDER BY n.place
    ON CONFLICT DO NOTHING
    RETURNING *
  ), told AS (
    INSERT INTO fs.events (namespace, kind, run_id, materializations, asset_id, partition, actor, detail)
    SELECT $1, 'check.' || k.status, m.run_id, ARRAY[k.materialization_id], k.asset_id, k.partition, k.by,
      jsonb_build_object('check', k."check", 'severity', k.severity, 'blocking', k.epoch IS NOT NULL, 'message', k.message)
    FROM kept k
    CROSS JOIN LATERAL (SELECT m.run_id FROM fs.materializations m WHERE m.id = k.materialization_id OFFSET 0) m
    ORDER BY k.id
  )
  SELECT k.id FROM kept k ORDER BY k.id`,
);

const COLUMNS = `c.id, c.asset_id, c.partition, c.materialization_id AS materialization, c.epoch, c."check", c.severity, c.status, c.message,
  c.metadata, c.duration, c.on_demand AS "onDemand", c.by, c.at`;

/**
 * Purpose: a page of results, newest first. Plan: check_results_place, where a partition is given; else check_results_asset.
 * Values: asset, partition, check, status, materialization (null: any), before, limit.
 */
export const CHECKS_OF_ASSET = statement(
  'checks_of_asset',
  `SELECT ${COLUMNS} FROM fs.check_results c
  WHERE c.asset_id = $1 AND c.id < $5::bigint AND ($2::text IS NULL OR c."check" = $2) AND ($3::text IS NULL OR c.status = $3)
    AND ($4::bigint IS NULL OR c.materialization_id = $4)
  ORDER BY c.id DESC LIMIT $6`,
);

/** The same of one partition. Values: asset, partition, check, status, materialization (null: any), before, limit. */
export const CHECKS_OF_PARTITION = statement(
  'checks_of_partition',
  `SELECT ${COLUMNS} FROM fs.check_results c
  WHERE c.asset_id = $1 AND c.partition = $2 AND c.id < $6::bigint AND ($3::text IS NULL OR c."check" = $3)
    AND ($4::text IS NULL OR c.status = $4) AND ($5::bigint IS NULL OR c.materialization_id = $5)
  ORDER BY c.id DESC LIMIT $7`,
);

/**
 * Purpose: of heads the newest result of each check. Plan: heads_place, check_results_materialization.
 * Values: asset, partitions.
 */
export const CHECKS_OF_HEADS = statement(
  'checks_of_heads',
  `SELECT DISTINCT ON (c.partition, c."check") ${COLUMNS}
  FROM fs.heads h
  CROSS JOIN LATERAL (SELECT c.* FROM fs.check_results c WHERE c.materialization_id = h.materialization_id OFFSET 0) c
  WHERE h.asset_id = $1 AND h.partition = ANY ($2::text[])
  ORDER BY c.partition, c."check", c.id DESC`,
);
