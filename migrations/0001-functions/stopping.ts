// What is done to runs from outside of a beat, in steps where it is much: cancelling, failing what depends on a failure,
// and making due retries ready.
import { MOST_STOPPED, doom } from './ending.js';

/**
 * What is pending in a run, or waits for a decision, is cancelled, the first by id after `p_after`, not more than one
 * transaction should hold. Plan: materializations_run, in its order; then primary keys, ready_pkey. Guard: one of the two.
 */
export const CANCEL_PENDING = `CREATE FUNCTION cancel_pending(p_run bigint, p_after bigint) RETURNS moved[] LANGUAGE plpgsql
AS $$
DECLARE
  v_cancelled moved[];
  v_asked bigint[];
BEGIN
  WITH locked AS MATERIALIZED (
    SELECT m.id, m.status FROM materializations m
    -- As the index has it, which is read from there on, and no index on the id alone.
    WHERE m.run_id = p_run AND (m.run_id, m.id + 0) > (p_run, p_after) AND m.status IN ('pending', 'waiting_approval')
    ORDER BY m.run_id, m.id + 0 LIMIT ${MOST_STOPPED} FOR UPDATE
  ), ended AS (
    UPDATE materializations m SET status = 'cancelled', waiting_for = NULL, completed_at = clock_timestamp()
    FROM locked l
    WHERE m.id = ANY (ARRAY(SELECT x.id FROM locked x)) AND l.id = m.id AND m.status = l.status
    RETURNING m.*, l.status AS was
  )
  SELECT array_agg((e.id, e.run_id, e.lane_id, e.head_id, e.asset_id, e.priority, e.status, e.epoch, NULL,
    e.attempts + e.rescues > 0 OR e.was = 'waiting_approval', NULL, NULL)::moved),
    array_agg(e.id) FILTER (WHERE e.was = 'waiting_approval')
  INTO v_cancelled, v_asked FROM ended e;
  IF v_asked IS NOT NULL THEN PERFORM cancel_approvals(v_asked); END IF;
  DELETE FROM ready y WHERE y.ctid = ANY (ARRAY(
    SELECT y.ctid FROM unnest(v_cancelled) m CROSS JOIN LATERAL (
      SELECT y.ctid FROM ready y
      WHERE y.lane_id = m.lane_id AND y.rank = -m.priority AND y.materialization_id = m.id OFFSET 0) y));
  RETURN COALESCE(v_cancelled, '{}');
END $$`;

/**
 * What runs of a run is asked to stop, with a timer after which it is fenced. Returns it, as JSON.
 * Plan: materializations_run. Guard: running.
 */
export const ASK_TO_STOP = `CREATE FUNCTION ask_to_stop(p_namespace integer, p_run bigint, p_grace float8) RETURNS json
LANGUAGE plpgsql AS $$
DECLARE
  v_asked json;
BEGIN
  WITH locked AS MATERIALIZED (
    SELECT m.id FROM materializations m WHERE m.run_id = p_run AND m.status = 'running' ORDER BY m.id FOR UPDATE
  ), flagged AS (
    UPDATE materializations m SET cancel_requested = true
    WHERE m.id = ANY (ARRAY(SELECT l.id FROM locked l)) AND m.status = 'running' RETURNING m.id, m.epoch
  ), timed AS (
    INSERT INTO timers (owner, kind, generation, namespace, fires_at)
    SELECT f.id, 'cancel', f.epoch, p_namespace, clock_timestamp() + p_grace * interval '1 millisecond' FROM flagged f
    ON CONFLICT (owner, kind, generation) DO NOTHING
  )
  SELECT COALESCE(json_agg(json_build_object('id', f.id, 'epoch', f.epoch) ORDER BY f.id), '[]') INTO v_asked
  FROM flagged f;
  RETURN v_asked;
END $$`;

/**
 * The next of a run in which too much depends on failures for one transaction cannot run: one look at so many of its rows,
 * by id, in which upstreams come before what depends on them. By one process at a time. A failure that comes meanwhile
 * (`dooms`) sends it back to where it began, or further. Returns the runs that ended, where there may be work now, and
 * whether there is more; null: nothing was to be done here. Plan: runs_dooming, materializations_run, then primary keys, lineage_upstream.
 * Guard: pending.
 */
export const DOOM_PENDING = `CREATE FUNCTION doom_pending(p_namespace integer, OUT ended bigint[], OUT rings text[],
  OUT more boolean)
LANGUAGE plpgsql AS $$
DECLARE
  v_run bigint;
  v_from bigint;
  v_dooms integer;
  v_looked bigint[];
  v_to bigint;
  v_ids bigint[];
  v_doomed moved[];
  v_lanes bigint[];
BEGIN
  SELECT r.id INTO v_run FROM runs r WHERE r.namespace = p_namespace AND r.doomed_to IS NOT NULL ORDER BY r.id LIMIT 1;
  -- Before all rows, which nobody locks who waits for this.
  IF v_run IS NULL OR NOT pg_try_advisory_xact_lock(hashtextextended('flowstone.doom', v_run)) THEN RETURN; END IF;
  SELECT r.doomed_to, r.dooms INTO v_from, v_dooms FROM runs r WHERE r.id = v_run AND r.doomed_to IS NOT NULL;
  IF NOT FOUND THEN RETURN; END IF;
  v_looked := ARRAY(SELECT m.id FROM materializations m
    WHERE m.run_id = v_run AND (m.run_id, m.id + 0) > (v_run, v_from) ORDER BY m.run_id, m.id + 0 LIMIT ${MOST_STOPPED});
  v_to := v_looked[cardinality(v_looked)];
  v_ids := ARRAY(
    WITH RECURSIVE reached (id) AS (
      SELECT n.id FROM unnest(v_looked) n (id)
      CROSS JOIN LATERAL (SELECT m.status FROM materializations m WHERE m.id = n.id OFFSET 0) m
      WHERE m.status = 'pending' AND EXISTS (
        SELECT FROM (SELECT l.upstream FROM lineage l WHERE l.downstream = n.id OFFSET 0) l
        CROSS JOIN LATERAL (SELECT u.status FROM materializations u WHERE u.id = l.upstream OFFSET 0) u
        WHERE u.status IN ('failed', 'cancelled', 'upstream_failed'))
      UNION
      SELECT l.downstream FROM reached d
      CROSS JOIN LATERAL (SELECT l.downstream FROM lineage l WHERE l.upstream + 0 = d.id OFFSET 0) l
      WHERE l.downstream <= v_to
    )
    SELECT d.id FROM reached d);
  ${doom('v_ids')}
  v_doomed := COALESCE(v_doomed, '{}');
  v_lanes := (conclude(p_namespace, v_doomed)).released;
  rings := pools_to_ring(v_doomed, v_lanes);
  PERFORM note_lanes(v_lanes);
  ended := COALESCE(tally(p_namespace, v_doomed, p_touched => ARRAY[v_run]), '{}');
  UPDATE runs r SET doomed_to = CASE WHEN r.dooms <> v_dooms THEN LEAST(r.doomed_to, v_from)
    WHEN cardinality(v_looked) = ${MOST_STOPPED} THEN v_to END WHERE r.id = v_run;
  more := true;
END $$`;

/**
 * A planned run is cancelled: what is pending, or the first of it and then nothing of the run is claimed any more
 * (`more`: stop_pending goes on); what runs is asked to stop. The run records that this was accepted; the first request
 * counts. Plan: materializations_run, then primary keys. Guard: the run is running.
 */
export const CANCEL_RUN = `CREATE FUNCTION cancel_run(p_namespace integer, p_run bigint, p_actor text, p_reason text,
  p_grace float8, OUT accepted boolean, OUT running json, OUT is_ended boolean, OUT rings text[], OUT more boolean)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  v_open integer;
  v_moved moved[];
  v_lanes bigint[];
BEGIN
  accepted := false; running := '[]'; is_ended := false; rings := '{}'; more := false;
  PERFORM FROM runs r WHERE r.id = p_run AND r.namespace = p_namespace AND r.status = 'running';
  IF NOT FOUND THEN RETURN; END IF;
  -- All that is open, at once: what goes back to pending between the next two steps would escape both.
  PERFORM FROM materializations m WHERE m.run_id = p_run AND m.status IN ('pending', 'running', 'waiting_approval')
  ORDER BY m.run_id, m.id + 0 LIMIT ${MOST_STOPPED} FOR UPDATE;
  GET DIAGNOSTICS v_open = ROW_COUNT;
  more := v_open = ${MOST_STOPPED};
  v_moved := cancel_pending(p_run, 0);
  running := ask_to_stop(p_namespace, p_run, p_grace);
  v_lanes := (conclude(p_namespace, v_moved)).released;
  -- The run last, as in every transaction that ends materializations; what ended by itself meanwhile stays so.
  WITH run AS (
    UPDATE runs r SET cancel_by = CASE WHEN r.cancel_requested_at IS NULL THEN p_actor ELSE r.cancel_by END,
      cancel_reason = CASE WHEN r.cancel_requested_at IS NULL THEN p_reason ELSE r.cancel_reason END,
      cancel_requested_at = COALESCE(r.cancel_requested_at, clock_timestamp()),
      cancel_grace = p_grace, stopping = r.stopping OR more
    WHERE r.id = p_run AND r.status = 'running' RETURNING r.id
  )
  INSERT INTO events (namespace, kind, run_id, actor, detail)
  SELECT p_namespace, 'run.cancel_requested', r.id, p_actor, jsonb_build_object('reason', p_reason) FROM run r;
  accepted := FOUND;
  rings := pools_to_ring(v_moved, v_lanes);
  PERFORM note_lanes(v_lanes);
  is_ended := tally(p_namespace, v_moved, p_touched => ARRAY[p_run]) IS NOT NULL;
END $$`;

/**
 * The next of what is pending in a run that is being stopped is cancelled, by one process at a time. `p_run` null: of
 * any run. When the end of it is reached, once more from the beginning, with all that is open locked, so that nothing
 * escapes that was claimed or went back meanwhile; then the run is stopped. First what depends on failures of it, so that
 * it ends as such. Returns what was asked to stop now, the runs that ended, where there may be work now, and whether there is
 * more.
 * Plan: runs_stopping, materializations_run, then primary keys.
 * Guard: the run is being stopped.
 */
export const STOP_PENDING = `CREATE FUNCTION stop_pending(p_namespace integer, p_run bigint, OUT running json,
  OUT ended bigint[], OUT rings text[], OUT more boolean)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  v_run bigint;
  v_to bigint;
  v_grace float8;
  v_moved moved[];
  v_lanes bigint[];
BEGIN
  running := '[]';
  IF p_run IS NULL THEN
    SELECT d.ended, d.rings, d.more INTO ended, rings, more FROM doom_pending(p_namespace) d;
    IF more THEN RETURN; END IF;
  END IF;
  ended := '{}'; rings := '{}'; more := false;
  SELECT r.id INTO v_run FROM runs r
  WHERE r.namespace = p_namespace AND r.stopping AND (r.id = p_run OR (p_run IS NULL AND r.doomed_to IS NULL))
  ORDER BY r.id LIMIT 1;
  IF v_run IS NULL THEN RETURN; END IF;
  -- Before all rows, which nobody locks who waits for this.
  IF p_run IS NOT NULL THEN PERFORM pg_advisory_xact_lock(hashtextextended('flowstone.stop', v_run));
  ELSIF NOT pg_try_advisory_xact_lock(hashtextextended('flowstone.stop', v_run)) THEN RETURN;
  END IF;
  SELECT r.stopped_to, r.cancel_grace INTO v_to, v_grace FROM runs r WHERE r.id = v_run AND r.stopping;
  IF NOT FOUND THEN RETURN; END IF;
  IF v_to = 0 THEN
    PERFORM FROM materializations m WHERE m.run_id = v_run AND m.status IN ('pending', 'running', 'waiting_approval')
    ORDER BY m.run_id, m.id + 0 FOR UPDATE;
  END IF;
  v_moved := cancel_pending(v_run, v_to);
  more := v_to > 0 OR cardinality(v_moved) = ${MOST_STOPPED};
  IF NOT more AND v_grace IS NOT NULL THEN running := ask_to_stop(p_namespace, v_run, v_grace); END IF;
  v_lanes := (conclude(p_namespace, v_moved)).released;
  rings := pools_to_ring(v_moved, v_lanes);
  -- What becomes ready again of a stopped run may have been taken for nothing until now.
  IF NOT more THEN v_lanes := v_lanes || ARRAY(SELECT l.id FROM lanes l WHERE l.run_id = v_run); END IF;
  PERFORM note_lanes(v_lanes);
  ended := COALESCE(tally(p_namespace, v_moved, p_touched => ARRAY[v_run]), '{}');
  IF cardinality(v_moved) < ${MOST_STOPPED} THEN
    UPDATE runs r SET stopping = more, stopped_to = 0 WHERE r.id = v_run;
  END IF;
  more := more OR p_run IS NULL;
END $$`;

/**
 * Due retries become ready, each once: its timer goes in the same transaction. Returns the pools in which that was, and
 * whether more may be due; not where others have all that was found in hand, since these see whether there is more.
 * Plan: timers_due, then primary keys.
 * Guard: pending at the epoch of the timer.
 */
export const FIRE_RETRIES = `CREATE FUNCTION fire_retries(p_namespace integer, p_most integer, OUT rings text[], OUT more boolean)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  v_lanes bigint[];
BEGIN
  WITH due AS MATERIALIZED (
    SELECT t.owner FROM timers t
    WHERE t.namespace = p_namespace AND t.fires_at <= clock_timestamp() AND t.kind = 'retry'
    ORDER BY t.fires_at LIMIT p_most
  ), locked AS MATERIALIZED (
    SELECT m.id, m.lane_id, m.priority, m.asset_id, m.epoch, m.status FROM materializations m
    WHERE m.id = ANY (ARRAY(SELECT d.owner FROM due d)) ORDER BY m.id FOR UPDATE SKIP LOCKED
  ), gone AS (
    DELETE FROM timers t WHERE t.owner = ANY (ARRAY(SELECT l.id FROM locked l)) AND t.kind = 'retry'
    RETURNING t.owner, t.generation
  ), offered AS (
    INSERT INTO ready (lane_id, rank, materialization_id, asset_id)
    SELECT l.lane_id, -l.priority, l.id, l.asset_id FROM locked l JOIN gone g ON g.owner = l.id
    WHERE l.epoch = g.generation AND l.status = 'pending'
    RETURNING lane_id
  )
  SELECT array_agg(DISTINCT o.lane_id), (SELECT count(*) FROM due) = p_most AND EXISTS (SELECT FROM gone)
  INTO v_lanes, more FROM offered o;
  rings := '{}';
  IF v_lanes IS NULL THEN RETURN; END IF;
  PERFORM note_lanes(v_lanes);
  rings := ARRAY(SELECT p.name FROM pools p
    WHERE p.id = ANY (ARRAY(SELECT l.pool_id FROM lanes l WHERE l.id = ANY (v_lanes))) ORDER BY p.name);
END $$`;
