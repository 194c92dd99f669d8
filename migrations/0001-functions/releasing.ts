// What becomes ready when others end: it is offered to whoever claims, or taken at once by the process whose beat it is.
import { ofItsAssets } from './lanes.js';

/**
 * What depends on `p_done`, and what waited for the locks of `p_holders`, waits for less: what has nothing left to wait for
 * is ready. Where nothing else is, a claim could only give it to the process that asks: of lane `p_lane` it takes so
 * much at once, `p_limit` at most. The rest is offered, and so is all where one is computed in batches. So a graph that one
 * process works through costs neither the way by `ready` nor a second update of each row. `p_limit` 0: it asks for nothing.
 * Returns the lanes in which something is offered, what was taken, and whether the lane is to note that it was served.
 * Plan: lineage_upstream, materializations_waiting, ready_pkey, lanes_ready, limits_gates, primary keys.
 * Guard: pending; what is taken is as claim_ready would. Its head is locked before its row, if nobody has it, and nobody
 * waited for it: those come first.
 */
export const RELEASE = `CREATE FUNCTION release(p_namespace integer, p_done bigint[], p_holders bigint[], p_lane bigint,
  p_process text, p_limit integer, p_assets bytea, p_batched integer[], OUT released bigint[], OUT claimed claim[],
  OUT served boolean)
LANGUAGE plpgsql AS $$
DECLARE
  v_known integer := 8 * octet_length(p_assets);
  v_freed bigint[];
  v_counts integer[];
  v_lane bigint;
  v_ids bigint[];
  v_heads tid[];
  v_taken bigint[];
  v_batched boolean;
BEGIN
  SELECT array_agg(f.id), array_agg(f.n) INTO v_freed, v_counts FROM (
    SELECT f.id, sum(f.n)::integer AS n FROM (
      SELECT l.downstream AS id, 1 AS n FROM unnest(p_done) d (id)
      CROSS JOIN LATERAL (SELECT l.downstream FROM lineage l WHERE l.upstream + 0 = d.id OFFSET 0) l
      UNION ALL SELECT w.id, 0 FROM materializations w WHERE w.waiting_for = ANY (p_holders)) f
    GROUP BY f.id ORDER BY f.id) f;
  IF v_freed IS NULL THEN RETURN; END IF;

  IF p_limit > 0 THEN
    SELECT l.id, l.served_at < clock_timestamp() - interval '1 second' INTO v_lane, served FROM lanes l
    WHERE l.id = p_lane AND l.limits IS NULL
      AND NOT (SELECT r.stopping FROM runs r WHERE r.id = l.run_id)
      AND NOT EXISTS (SELECT FROM ready y WHERE y.lane_id = p_lane)
      AND NOT EXISTS (SELECT FROM lanes o
        WHERE o.namespace = p_namespace AND o.has_ready AND o.gate IS NULL AND o.id <> p_lane)
      AND NOT EXISTS (SELECT FROM limits x WHERE x.namespace = p_namespace AND x.opens_at <= clock_timestamp());
  END IF;
  IF v_lane IS NOT NULL THEN
    SELECT array_agg(f.id), array_agg(h.spot),
      array_agg((f.id, f.run_id, f.lane_id, f.asset_id, h.partition, f.priority, f.epoch + 1, f.attempts, f.rescues, f.repins, f.forced,
        f.waited_for, h.head, h.invalidated, h.failed, NULL)::claim),
      bool_or(f.asset_id = ANY (p_batched))
    INTO v_ids, v_heads, claimed, v_batched FROM (
      SELECT m.* FROM unnest(v_freed, v_counts) f (id, n)
      CROSS JOIN LATERAL (
        SELECT m.id, m.run_id, m.lane_id, m.head_id, m.asset_id, m.priority, m.epoch, m.attempts, m.rescues, m.repins, m.forced,
          m.waited_for
        FROM materializations m
        WHERE m.id = f.id AND m.blockers = f.n AND m.status = 'pending' AND m.waiting_for IS NULL OFFSET 0) m
      WHERE m.lane_id = v_lane AND ${ofItsAssets('m')} ORDER BY m.priority DESC, m.id LIMIT p_limit) f
    CROSS JOIN LATERAL (
      SELECT h.ctid AS spot, h.partition, h.materialization_id AS head, h.invalidated, h.failed FROM heads h
      WHERE h.id = f.head_id AND h.active_materialization IS NULL AND NOT h.waited FOR UPDATE SKIP LOCKED) h;
    -- Those are chosen with what goes with them.
    IF v_batched THEN v_ids := NULL; END IF;
  END IF;

  -- Judged again under the lock of the row: what somebody stopped meanwhile is not taken.
  WITH freed AS MATERIALIZED (
    SELECT f.id, f.n, o.head FROM unnest(v_freed, v_counts) f (id, n)
    LEFT JOIN unnest(v_ids, v_heads) o (id, head) ON o.id = f.id
  ), moved AS (
    UPDATE materializations m SET
      blockers = m.blockers - f.n, waited_for = COALESCE(m.waiting_for, m.waited_for), waiting_for = NULL,
      status = CASE WHEN f.head IS NOT NULL AND m.blockers = f.n THEN 'running' ELSE m.status END,
      epoch = CASE WHEN f.head IS NOT NULL AND m.blockers = f.n THEN m.epoch + 1 ELSE m.epoch END,
      process = CASE WHEN f.head IS NOT NULL AND m.blockers = f.n THEN p_process END
    FROM freed f WHERE m.id = ANY (v_freed) AND f.id = m.id AND m.status = 'pending'
    RETURNING m.id, m.lane_id, m.priority, m.asset_id, m.blockers, m.status, f.head
  ), offered AS (
    INSERT INTO ready (lane_id, rank, materialization_id, asset_id)
    SELECT m.lane_id, -m.priority, m.id, m.asset_id FROM moved m WHERE m.blockers = 0 AND m.status = 'pending'
    RETURNING lane_id
  ), held AS (
    UPDATE heads h SET active_materialization = m.id FROM moved m
    WHERE h.ctid = ANY (v_heads) AND h.ctid = m.head AND m.status = 'running'
  ), noted AS (
    INSERT INTO claims (namespace, process, materialization_id)
    SELECT p_namespace, p_process, m.id FROM moved m WHERE m.status = 'running'
  )
  SELECT (SELECT array_agg(DISTINCT o.lane_id) FROM offered o), array_agg(m.id) FILTER (WHERE m.status = 'running')
  INTO released, v_taken FROM moved m;
  served := served AND v_taken IS NOT NULL;
  IF claimed IS NOT NULL AND (v_taken IS NULL OR cardinality(v_taken) < cardinality(claimed)) THEN
    SELECT array_agg(c) INTO claimed FROM unnest(claimed) c WHERE c.id = ANY (v_taken);
  END IF;
END $$`;
