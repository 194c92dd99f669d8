// Statements about processes and what they declare. Boot-time work: set-based, but not hot.
import { statement } from '../statement.js';

/** Purpose: the number of a namespace, made at first use. Values: name. */
export const NAMESPACE = statement(
  'namespace',
  `WITH made AS (INSERT INTO fs.namespaces (name) VALUES ($1) ON CONFLICT (name) DO NOTHING RETURNING id)
  SELECT id FROM made UNION ALL SELECT id FROM fs.namespaces WHERE name = $1`,
);

/** Purpose: which assets there are. Plan: assets_key. Values: namespace, keys. */
export const ASSETS = statement(
  'assets',
  `SELECT a.id, a.key, a.partitioned FROM fs.assets a WHERE a.namespace = $1 AND a.key = ANY ($2::text[])`,
);

/** Purpose: names of assets by number. Plan: primary key. Values: ids. */
export const ASSET_KEYS = statement(
  'asset_keys',
  `SELECT a.id, a.key FROM fs.assets a WHERE a.id = ANY ($1::integer[])`,
);

/**
 * Purpose: two processes that register at once go one after the other, so that neither renames or creates what the
 * other just did. Values: namespace.
 */
export const LOCK_NAMESPACE = statement(
  'lock_namespace',
  `SELECT id FROM fs.namespaces WHERE id = $1 FOR NO KEY UPDATE`,
);

/** Purpose: renamed assets keep their number, hence heads and history. Values: namespace, old keys, new keys. */
export const RENAME_ASSETS = statement(
  'rename_assets',
  `UPDATE fs.assets a SET key = r.new FROM unnest($2::text[], $3::text[]) AS r (old, new)
  WHERE a.namespace = $1 AND a.key = r.old`,
);

/** Purpose: pools seen for the first time. Values: namespace, names. */
export const ADD_POOLS = statement(
  'add_pools',
  `INSERT INTO fs.pools (namespace, name) SELECT $1, n.name FROM unnest($2::text[]) AS n (name)
  ON CONFLICT (namespace, name) DO NOTHING`,
);

/**
 * Purpose: what bounds pools (function `bound_pools`).
 * Values: namespace, pools (json: name; capacity, burst, period in ms, null: not bounded; dimension and the same of keys).
 */
export const BOUND_POOLS = statement('bound_pools', `SELECT fs.bound_pools($1, $2::json)`);

/** Purpose: assets seen for the first time. Plan: pools_name. Values: namespace, keys, partitioned flags, pools. */
export const ADD_ASSETS = statement(
  'add_assets',
  `INSERT INTO fs.assets (namespace, key, partitioned, pool_id)
  SELECT $1, n.key, n.partitioned, p.id FROM unnest($2::text[], $3::boolean[], $4::text[]) AS n (key, partitioned, pool)
  JOIN fs.pools p ON p.namespace = $1 AND p.name = n.pool
  ON CONFLICT (namespace, key) DO NOTHING`,
);

/** Purpose: definitions seen for the first time, in the order in which they are declared. Values: definitions (json). */
export const ADD_DEFINITIONS = statement(
  'add_definitions',
  `INSERT INTO fs.definitions (asset_id, hash, upstreams, definition)
  SELECT d.asset, d.hash, d.upstreams, d.definition
  FROM jsonb_to_recordset($1::jsonb) AS d (asset integer, hash text, upstreams text, definition jsonb)
  ON CONFLICT (asset_id, hash) DO NOTHING`,
);

/** Purpose: whether attempts are told to the outside from now on. Values: namespace, whether. */
export const TELL_ATTEMPTS = statement(
  'tell_attempts',
  `UPDATE fs.namespaces n SET tells_attempts = $2 WHERE n.id = $1 AND n.tells_attempts <> $2`,
);

/**
 * Purpose: a process enters, with a fresh lease. Where another one's lease runs, the database was within reach all that
 * time: the newcomer is in contact since then too, and need not wait before it rescues. Values: id, namespace, host,
 * pid, worker, lease in ms.
 */
export const ENTER_PROCESS = statement(
  'enter_process',
  `INSERT INTO fs.processes (id, namespace, host, pid, worker, lease, lease_until, contact_since, server_started)
  SELECT $1, $2, $3, $4, $5, $6::integer, clock_timestamp() + $6::integer * interval '1 millisecond',
    COALESCE(max(p.contact_since), clock_timestamp()), pg_postmaster_start_time()
  FROM fs.processes p
  WHERE p.namespace = $2 AND p.lease_until > clock_timestamp() AND p.server_started = pg_postmaster_start_time()
  ON CONFLICT (namespace, id) DO UPDATE SET worker = EXCLUDED.worker, lease = EXCLUDED.lease, lease_until = EXCLUDED.lease_until,
    outdated = false`,
);

/**
 * Purpose: what the process declares, and nothing else; it may have declared it before.
 * Values: namespace, process, asset ids, hashes.
 */
export const DECLARE = statement(
  'declare',
  `WITH declared AS MATERIALIZED (
    SELECT d.id FROM unnest($3::integer[], $4::text[]) AS n (asset, hash)
    JOIN fs.definitions d ON d.asset_id = n.asset AND d.hash = n.hash
  ), gone AS (
    DELETE FROM fs.process_definitions p
    WHERE p.namespace = $1 AND p.process = $2 AND p.definition_id NOT IN (SELECT d.id FROM declared d)
  )
  INSERT INTO fs.process_definitions (namespace, process, definition_id) SELECT $1, $2, d.id FROM declared d
  ON CONFLICT (namespace, process, definition_id) DO NOTHING`,
);

/**
 * Purpose: an asset is of the pool that its current definition names, and has its dimensions. Plan: definitions_hash, pools_name, primary key
 * of assets. Values: namespace, asset ids, hashes, pools and dimensions (json) of what the process declares.
 */
export const ENTER_POOLS = statement(
  'enter_pools',
  `WITH live AS MATERIALIZED (
    SELECT DISTINCT d.definition_id AS id FROM fs.processes p
    JOIN fs.process_definitions d ON d.namespace = p.namespace AND d.process = p.id
    WHERE p.namespace = $1 AND p.worker
  ), current AS MATERIALIZED (
    SELECT DISTINCT ON (d.asset_id) d.asset_id, d.hash FROM fs.definitions d LEFT JOIN live l ON l.id = d.id
    WHERE d.asset_id = ANY ($2::integer[]) ORDER BY d.asset_id, l.id IS NOT NULL DESC, d.id DESC
  )
  UPDATE fs.assets a SET pool_id = p.id, dimensions = n.dimensions::jsonb
  FROM unnest($2::integer[], $3::text[], $4::text[], $5::text[]) AS n (asset, hash, pool, dimensions)
  JOIN current c ON c.asset_id = n.asset AND c.hash = n.hash
  JOIN fs.pools p ON p.namespace = $1 AND p.name = n.pool
  WHERE a.id = ANY ($2::integer[]) AND a.id = n.asset
    AND (a.pool_id <> p.id OR a.dimensions <> n.dimensions::jsonb)`,
);

/**
 * Purpose: processes that do not declare all that a worker which enters declares have to ask anew which definitions
 * count, before they claim anything. Claims read it under a share of the row that this leaves them: whoever claims after
 * this commits knows. Processes by id, as everywhere. Plan: process_definitions_pkey. Values: namespace, process.
 */
export const OUTDATE_OTHERS = statement(
  'outdate_others',
  `WITH other AS MATERIALIZED (
    SELECT p.id FROM fs.processes p
    WHERE p.namespace = $1 AND p.id <> $2 AND EXISTS (
      SELECT d.definition_id FROM fs.process_definitions d WHERE d.namespace = $1 AND d.process = $2
      EXCEPT SELECT d.definition_id FROM fs.process_definitions d WHERE d.namespace = $1 AND d.process = p.id)
    ORDER BY p.id FOR NO KEY UPDATE
  )
  UPDATE fs.processes p SET outdated = true FROM other o WHERE p.namespace = $1 AND p.id = o.id`,
);

/** Purpose: a process is about to read which definitions count. Values: namespace, process. */
export const CATCH_UP = statement(
  'catch_up',
  `UPDATE fs.processes p SET outdated = false WHERE p.namespace = $1 AND p.id = $2 AND p.outdated`,
);

/**
 * Purpose: a lease is renewed. After an outage (seen by the process, or told by an expired lease or a restarted server)
 * its contact begins anew. Guard: the process was not given up. Values: namespace, process, whether it was cut off.
 */
export const RENEW = statement(
  'renew',
  `UPDATE fs.processes SET
    contact_since = CASE WHEN $3 OR lease_until < clock_timestamp() OR server_started <> pg_postmaster_start_time()
      THEN clock_timestamp() ELSE contact_since END,
    server_started = pg_postmaster_start_time(),
    lease_until = clock_timestamp() + lease * interval '1 millisecond'
  WHERE namespace = $1 AND id = $2
  RETURNING EXISTS (SELECT FROM fs.processes p WHERE p.namespace = $1 AND p.listens AND p.id <> $2) AS listened`,
);

/**
 * Purpose: processes whose work may be taken: their lease has expired, and the rescuer has been in contact with the
 * database for as long as a lease, so that no outage kept them from renewing. FOR UPDATE, so that none of them claims
 * meanwhile; what cannot be locked is being renewed, or claims, or is rescued already. Values: namespace, rescuer.
 */
export const EXPIRED = statement(
  'expired',
  `SELECT p.id FROM fs.processes p
  WHERE p.namespace = $1 AND p.lease_until < clock_timestamp() AND EXISTS (
    SELECT FROM fs.processes me WHERE me.namespace = $1 AND me.id = $2
      AND me.lease_until > clock_timestamp() AND me.server_started = pg_postmaster_start_time()
      AND me.contact_since + p.lease * interval '1 millisecond' < clock_timestamp())
  ORDER BY p.id FOR UPDATE OF p SKIP LOCKED`,
);

/**
 * Purpose: a process reports what executed while its event loop was blocked; one event for each, or one alone where
 * nothing did. Plan: primary keys. Values: namespace, materialization ids, detail (json).
 */
export const TELL_BLOCK = statement(
  'tell_block',
  `WITH told AS (
    INSERT INTO fs.events (namespace, kind, run_id, materializations, asset_id, partition, detail)
    SELECT $1, 'process.blocked', m.run_id, CASE WHEN m.id IS NOT NULL THEN ARRAY[m.id] END, m.asset_id, m.partition, $3::jsonb
    FROM (SELECT unnest($2::bigint[]) AS id UNION ALL SELECT NULL WHERE cardinality($2::bigint[]) = 0) e
    LEFT JOIN LATERAL (
      SELECT m.id, m.run_id, m.asset_id, h.partition FROM fs.materializations m
      CROSS JOIN LATERAL (SELECT h.partition FROM fs.heads h WHERE h.id = m.head_id OFFSET 0) h
      WHERE m.id = e.id OFFSET 0) m ON true
    RETURNING asset_id, partition
  )
  SELECT a.key AS asset, a.partitioned, t.partition FROM told t
  CROSS JOIN LATERAL (SELECT a.key, a.partitioned FROM fs.assets a WHERE a.id = t.asset_id OFFSET 0) a`,
);

/** Purpose: one process, to be left by itself. Values: namespace, process. */
export const LOCK_PROCESS = statement(
  'lock_process',
  `SELECT p.id FROM fs.processes p WHERE p.namespace = $1 AND p.id = $2 FOR UPDATE`,
);

/** Purpose: a process that leaves gives back what it holds (function `hand_back`). Values: namespace, process. */
export const HAND_BACK = statement(
  'hand_back',
  `SELECT h.given AS count, h.ended AS "endedRuns", array_to_json(h.rings) AS rings FROM fs.hand_back($1, $2, NULL) h`,
);

/**
 * Purpose: the work of lost processes goes to others (function `take_back`).
 * Values: namespace, processes, cap of rescues, errors (json) of what is past it: of materializations, of runs in planning.
 */
export const TAKE_BACK = statement(
  'take_back',
  `SELECT t.taken AS count, t.ended AS "endedRuns", array_to_json(t.rings) AS rings, t.failed FROM fs.take_back($1, $2::text[], $3, $4::jsonb, $5::jsonb) t`,
);

/** Purpose: every other process of a ledger that only one can have open: they are gone. Values: namespace, process. */
export const LOCK_OTHERS = statement(
  'lock_others',
  `SELECT p.id FROM fs.processes p WHERE p.namespace = $1 AND p.id <> $2 ORDER BY p.id FOR UPDATE`,
);

/** Purpose: processes that are gone; their later renewals match nothing. Values: namespace, ids. */
export const DELETE_PROCESSES = statement(
  'delete_processes',
  `DELETE FROM fs.processes WHERE namespace = $1 AND id = ANY ($2::text[])`,
);

/**
 * Purpose: per asset the definition that counts: among those of live processes with workers (none: all) the one
 * first registered latest. Plan: assets_key, definitions_hash. Values: namespace.
 */
export const CURRENT_DEFINITIONS = statement(
  'current_definitions',
  `WITH live AS MATERIALIZED (
    SELECT DISTINCT d.definition_id AS id FROM fs.processes p JOIN fs.process_definitions d ON d.namespace = p.namespace AND d.process = p.id
    WHERE p.namespace = $1 AND p.worker
  )
  SELECT DISTINCT ON (a.id) a.key, d.hash, d.definition, l.id IS NOT NULL AS live
  FROM fs.assets a JOIN fs.definitions d ON d.asset_id = a.id LEFT JOIN live l ON l.id = d.id
  WHERE a.namespace = $1
  ORDER BY a.id, l.id IS NOT NULL DESC, d.id DESC`,
);
