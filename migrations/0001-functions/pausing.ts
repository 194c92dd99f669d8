// How materializations come to wait for a decision and go on after it. The approvals themselves are written by the
// library, in the same transaction, under the lock of the materialization.
import { POST } from '../0001-outbox.js';

/**
 * An attempt pauses: its materialization waits for a decision, its place and its process are free, the lock of (asset,
 * partition) stays its own. Returns whether it did, and where others may find work now. Plan: primary keys.
 * Guard: running at this epoch. The caller has locked the row.
 */
export const PAUSE = `CREATE FUNCTION pause(p_namespace integer, p_id bigint, p_epoch integer, OUT paused boolean,
  OUT rings text[]) LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  v_moved moved[];
  v_lanes bigint[];
BEGIN
  WITH held AS MATERIALIZED (
    SELECT m.id, m.process FROM materializations m WHERE m.id = p_id
  ), changed AS (
    UPDATE materializations m SET status = 'waiting_approval', process = NULL, started_at = NULL, deadline = NULL
    FROM held h
    WHERE m.id = ANY (ARRAY[p_id]) AND h.id = m.id AND m.epoch = p_epoch AND m.status = 'running'
    RETURNING m.*, h.process AS was
  )
  SELECT array_agg((c.id, c.run_id, c.lane_id, c.head_id, c.asset_id, c.priority, c.status, c.epoch, c.was, true, NULL,
    NULL)::moved) INTO v_moved FROM changed c;
  paused := v_moved IS NOT NULL;
  rings := '{}';
  IF NOT paused THEN RETURN; END IF;
  v_lanes := (conclude(p_namespace, v_moved)).released;
  rings := pools_to_ring(v_moved, v_lanes);
  PERFORM note_lanes(v_lanes);
  PERFORM tally(p_namespace, v_moved);
END $$`;

/**
 * What waited for a decision is ready: to carry it out, or to look at its inputs anew. Its timers are gone. Returns where
 * somebody may find it. Plan: primary keys. Guard: waiting at this epoch.
 */
export const RESUME = `CREATE FUNCTION resume(p_namespace integer, p_id bigint, p_epoch integer, OUT resumed boolean,
  OUT rings text[]) LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  v_moved moved[];
  v_lanes bigint[];
BEGIN
  WITH changed AS (
    UPDATE materializations m SET status = 'pending', epoch = m.epoch + 1
    WHERE m.id = ANY (ARRAY[p_id]) AND m.epoch = p_epoch AND m.status = 'waiting_approval' RETURNING m.*
  )
  SELECT array_agg((c.id, c.run_id, c.lane_id, c.head_id, c.asset_id, c.priority, c.status, c.epoch, NULL, true, NULL,
    NULL)::moved) INTO v_moved FROM changed c;
  resumed := v_moved IS NOT NULL;
  rings := '{}';
  IF NOT resumed THEN RETURN; END IF;
  v_lanes := (conclude(p_namespace, v_moved)).released;
  PERFORM note_lanes(v_lanes);
  rings := ARRAY(SELECT p.name FROM pools p
    WHERE p.id = ANY (ARRAY(SELECT l.pool_id FROM lanes l WHERE l.id = ANY (v_lanes))));
END $$`;

/**
 * The open approvals of materializations that were cancelled are void. Plan: approvals_of, primary keys.
 * Guard: open.
 */
export const CANCEL_APPROVALS = `CREATE FUNCTION cancel_approvals(p_materializations bigint[]) RETURNS void LANGUAGE plpgsql
AS $$
DECLARE
  v_ids bigint[];
BEGIN
  WITH open AS MATERIALIZED (
    SELECT a.id FROM unnest(p_materializations) n (id)
    CROSS JOIN LATERAL (SELECT a.id FROM approvals a
      WHERE a.materialization_id = n.id AND a.status = 'open' OFFSET 0) a
  ), closed AS (
    UPDATE approvals a SET status = 'cancelled', closed_at = clock_timestamp(), pinning = false
    WHERE a.id = ANY (ARRAY(SELECT o.id FROM open o)) AND a.status = 'open'
    RETURNING a.id, a.namespace, a.token, a.run_id, a.materialization_id, a.asset_id
  ), noted AS (
    INSERT INTO approval_acts (approval_id, kind) SELECT c.id, 'cancelled' FROM closed c
  ), told AS (
    INSERT INTO events (namespace, kind, run_id, materializations, asset_id, detail)
    SELECT c.namespace, 'approval.cancelled', c.run_id, ARRAY[c.materialization_id], c.asset_id,
      jsonb_build_object('approval', c.id) FROM closed c
  ), posted AS (
    ${POST}
    SELECT c.namespace, 'approval', json_build_object('approval', c.id, 'kind', 'cancelled', 'actor', NULL, 'detail', NULL,
      'notify', '[]'::json, 'at', clock_timestamp())
    FROM closed c WHERE c.token IS NULL
  )
  SELECT array_agg(c.id) INTO v_ids FROM closed c;
  UPDATE approval_inputs i SET watched = false WHERE i.approval_id = ANY (v_ids) AND i.watched;
END $$`;
