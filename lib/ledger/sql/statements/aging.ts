// Statements by which it is kept what is overdue.
import { statement } from '../statement.js';

/** Plan: definitions_hash. Values: assets by number. */
export const REGISTERED = statement(
  'freshness_registered',
  `SELECT n.id, f.at FROM unnest($1::integer[]) n (id)
  CROSS JOIN LATERAL (SELECT min(d.first_registered_at) AS at FROM fs.definitions d WHERE d.asset_id = n.id OFFSET 0) f
  WHERE f.at IS NOT NULL`,
);

/** Plan: overdue_partitions_due. Values: namespace. */
export const OVERDUE = statement(
  'freshness_overdue',
  `SELECT o.asset_id, o.partition, o.due FROM fs.overdue_partitions o WHERE o.namespace = $1
  ORDER BY o.due, o.asset_id, o.partition`,
);

/**
 * Purpose: these are overdue; an event for each that was not. Plan: overdue_partitions_pkey. Guard: once.
 * Values: namespace, assets by number, partitions, when they were due.
 */
export const BECOME_OVERDUE = statement(
  'freshness_become_overdue',
  `WITH news AS (
    INSERT INTO fs.overdue_partitions (asset_id, partition, namespace, due)
    SELECT n.asset, n.partition, $1, n.due FROM unnest($2::integer[], $3::text[], $4::timestamptz[]) n (asset, partition, due)
    ORDER BY n.asset, n.partition
    ON CONFLICT (asset_id, partition) DO NOTHING
    RETURNING asset_id, partition, due
  )
  INSERT INTO fs.events (namespace, kind, asset_id, partition, detail)
  SELECT $1, 'asset.overdue', n.asset_id, n.partition,
    jsonb_build_object('due', to_char(n.due AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
  FROM news n ORDER BY n.due`,
);

/** Purpose: the same of those that are not any more. Values: namespace, assets by number, partitions. */
export const BECOME_ON_TIME = statement(
  'freshness_become_on_time',
  `WITH locked AS MATERIALIZED (
    SELECT o.asset_id, o.partition FROM unnest($2::integer[], $3::text[]) n (asset, partition)
    CROSS JOIN LATERAL (SELECT o.asset_id, o.partition FROM fs.overdue_partitions o
      WHERE o.asset_id = n.asset AND o.partition = n.partition AND o.namespace = $1 ORDER BY o.asset_id, o.partition FOR UPDATE) o
  ), news AS (
    DELETE FROM fs.overdue_partitions o USING locked l WHERE o.asset_id = l.asset_id AND o.partition = l.partition
    RETURNING o.asset_id, o.partition
  )
  INSERT INTO fs.events (namespace, kind, asset_id, partition)
  SELECT $1, 'asset.on_time', n.asset_id, n.partition FROM news n ORDER BY n.asset_id, n.partition`,
);
