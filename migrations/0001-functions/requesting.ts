// How a request for one materialization is recorded as already running, claimed by the process that asks.
import { ENTER } from './lanes.js';
import { TELLS_ATTEMPTS } from './noting.js';
import { DESCRIPTION, toldBy } from './telling.js';

/**
 * A run of one materialization, with its claim, in one transaction. `run` null: nothing was written, since the process was
 * given up or is outdated, the asset's pool counts its places, or another materialization holds (asset, partition).
 * Plan: processes_pkey, primary keys of assets and pools, heads_partition. Guard: the lock of single flight is free,
 * judged under its row lock.
 */
export const INSERT_RUNNING = `CREATE FUNCTION insert_running(p_namespace integer, p_run jsonb, p_request json, p_process text,
  p_asset integer, p_partition text, p_forced boolean, p_priority integer, OUT run runs, OUT claims json)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  outdated boolean;
  v_pool integer;
  v_run bigint;
  v_lane bigint;
  v_id bigint;
  v_head heads;
  v_claim claim;
  v_columns json;
  v_runs bigint[];
  v_heads bigint[];
  v_joined bigint[];
BEGIN
  ${ENTER}
  IF outdated IS NOT false THEN RETURN; END IF;
  SELECT p.id, nextval(pg_get_serial_sequence('runs', 'id')::regclass),
    nextval(pg_get_serial_sequence('lanes', 'id')::regclass), nextval(pg_get_serial_sequence('materializations', 'id')::regclass)
  INTO v_pool, v_run, v_lane, v_id FROM (SELECT a.pool_id FROM assets a WHERE a.id = p_asset OFFSET 0) a
  CROSS JOIN LATERAL (SELECT p.id FROM pools p
    WHERE p.id = a.pool_id AND num_nonnulls(p.limit_id, p.key_capacity, p.key_burst) = 0 OFFSET 0) p;
  IF v_pool IS NULL THEN RETURN; END IF;

  INSERT INTO heads AS h (asset_id, partition, active_materialization) VALUES (p_asset, p_partition, v_id)
  ON CONFLICT (asset_id, partition) DO UPDATE SET active_materialization = EXCLUDED.active_materialization, waited = false
    WHERE h.active_materialization IS NULL
  RETURNING h.* INTO v_head;
  IF NOT FOUND THEN RETURN; END IF;

  WITH lane AS (
    INSERT INTO lanes (id, namespace, run_id, pool_id, has_ready, assets)
    VALUES (v_lane, p_namespace, v_run, v_pool, false, ARRAY[p_asset])
  ), made AS (
    INSERT INTO materializations (id, namespace, run_id, lane_id, priority, asset_id, head_id, forced, status, epoch, process)
    VALUES (v_id, p_namespace, v_run, v_lane, p_priority, p_asset, v_head.id, p_forced, 'running', 1, p_process)
  ), held AS (
    INSERT INTO claims (namespace, process, materialization_id) VALUES (p_namespace, p_process, v_id)
  ), run AS (
    INSERT INTO runs (id, namespace, status, request, priority, tags, requested_by, fail_fast, trace, total, running)
    SELECT v_run, p_namespace, 'running', p_request, r.priority, r.tags, r."requestedBy", r."failFast", r.trace, 1, 1
    FROM jsonb_to_record(p_run) AS r (priority integer, tags jsonb, "requestedBy" text, "failFast" boolean, trace json)
    RETURNING *
  ), told AS (
    INSERT INTO events (namespace, kind, run_id, actor, detail)
    SELECT p_namespace, e.kind, r.id, e.actor, e.detail FROM run r CROSS JOIN LATERAL (VALUES
      ('run.requested', r.requested_by, NULL::jsonb),
      ('run.planned', NULL, jsonb_build_object('materializations', 1))) AS e (kind, actor, detail)
  )
  SELECT r.* INTO run FROM run r;

  -- As describe_claims, which would add a quarter to the time of all this: it aggregates.
  v_claim := (v_id, v_run, v_lane, p_asset, p_partition, p_priority, 1, 0, 0, 0, p_forced, NULL, v_head.materialization_id,
    v_head.invalidated, v_head.failed, NULL);
  IF ${TELLS_ATTEMPTS} THEN PERFORM note_attempts(p_namespace, '{}', ARRAY[v_claim]); END IF;
  v_columns := ${toldBy((column) => `json_build_array(v_claim.${column})`)};
  v_runs := ARRAY[v_run];
  IF v_claim.head IS NOT NULL THEN v_heads := ARRAY[v_claim.head]; END IF;
  claims := ${DESCRIPTION};
END $$`;
