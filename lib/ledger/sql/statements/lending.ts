// Statements of resources as processes tell of them. There are few of each process, and they change seldom.
import { statement } from '../statement.js';

/**
 * Purpose: how resources of a process are; one event for each that becomes unhealthy, or healthy after that. Plan: primary
 * keys, assets_key. Guard: the process was not given up. Locks: the process, shared; then resources by name.
 * Values: namespace, process, reports (json: name, state, message, assets by number).
 */
export const TELL_RESOURCES = statement(
  'tell_resources',
  `WITH teller AS MATERIALIZED (
    SELECT p.host FROM fs.processes p WHERE p.namespace = $1 AND p.id = $2 FOR KEY SHARE
  ), before AS MATERIALIZED (
    SELECT r.name, r.state FROM fs.process_resources r WHERE r.namespace = $1 AND r.process = $2
  ), kept AS (
    INSERT INTO fs.process_resources (namespace, process, name, state, message, asset_ids)
    SELECT $1, $2, n.name, n.state, n.message, ARRAY(SELECT json_array_elements_text(n.assets)::integer)
    FROM teller t CROSS JOIN json_to_recordset($3::json) AS n (name text, state text, message text, assets json)
    ORDER BY n.name
    ON CONFLICT (namespace, process, name) DO UPDATE SET state = EXCLUDED.state, message = EXCLUDED.message,
      asset_ids = EXCLUDED.asset_ids,
      since = CASE WHEN process_resources.state = EXCLUDED.state THEN process_resources.since ELSE clock_timestamp() END
    RETURNING name, state, message
  )
  INSERT INTO fs.events (namespace, kind, detail)
  SELECT $1, 'resource.' || k.state, jsonb_build_object('resource', k.name, 'process', $2::text, 'host', t.host, 'message', k.message)
  FROM kept k LEFT JOIN before b ON b.name = k.name CROSS JOIN teller t
  WHERE (k.state = 'unhealthy' AND b.state IS DISTINCT FROM 'unhealthy') OR (k.state = 'healthy' AND b.state = 'unhealthy')
  ORDER BY k.name`,
);

/**
 * Purpose: the assets that no worker can begin for their resources: by the definition that counts (CURRENT_DEFINITIONS).
 * Plan: primary keys of processes, process_resources and process_definitions, definitions_hash. Values: namespace.
 */
export const HELD_ASSETS = statement(
  'held_assets',
  `WITH held AS MATERIALIZED (
    SELECT r.process, a.id AS asset_id, r.name, r.state, r.message, r.since
    FROM fs.process_resources r CROSS JOIN LATERAL unnest(r.asset_ids) a (id)
    WHERE r.namespace = $1 AND r.state <> 'healthy'
  ), able AS MATERIALIZED (
    SELECT w.asset_id, d.id AS definition_id, EXISTS (
      SELECT FROM held h WHERE h.process = p.id AND h.asset_id = w.asset_id) AS held
    FROM (SELECT DISTINCT h.asset_id FROM held h) w
    CROSS JOIN LATERAL (SELECT p.id FROM fs.processes p WHERE p.namespace = $1 AND p.worker OFFSET 0) p
    CROSS JOIN LATERAL (SELECT d.id FROM fs.definitions d WHERE d.asset_id = w.asset_id OFFSET 0) d
    CROSS JOIN LATERAL (SELECT FROM fs.process_definitions e
      WHERE e.namespace = $1 AND e.process = p.id AND e.definition_id = d.id OFFSET 0) e
  ), counting AS MATERIALIZED (
    SELECT DISTINCT ON (a.asset_id) a.asset_id, a.held FROM able a ORDER BY a.asset_id, a.definition_id DESC, a.held
  )
  SELECT DISTINCT ON (k.key) k.key AS asset, h.name AS resource, h.state, h.message, h.since
  FROM counting c JOIN held h ON h.asset_id = c.asset_id
  CROSS JOIN LATERAL (SELECT k.key FROM fs.assets k WHERE k.id = c.asset_id OFFSET 0) k
  WHERE c.held ORDER BY k.key, h.since, h.name`,
);

/** Plan: primary key of processes. Values: namespace. */
export const ALL_PROCESSES = statement(
  'all_processes',
  `SELECT p.id, p.host, p.pid, p.worker, p.registered_at AS "enteredAt", p.lease_until AS "leaseUntil"
  FROM fs.processes p WHERE p.namespace = $1 ORDER BY p.registered_at, p.id`,
);

/** Plan: primary key of process_resources. Values: namespace. */
export const ALL_RESOURCES = statement(
  'all_resources',
  `SELECT r.process, r.name, r.state, r.message, array_to_json(r.asset_ids) AS asset_ids, r.since
  FROM fs.process_resources r WHERE r.namespace = $1 ORDER BY r.process, r.name`,
);
