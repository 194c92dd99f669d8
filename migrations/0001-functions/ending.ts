// What follows when materializations end or go back: on what depends on them, on heads, lanes, limits and runs.
import { TELLS_ATTEMPTS } from './noting.js';

/** Of what is pending, so many are cancelled, or cannot run any more, in one transaction. The rest follows in others. */
export const MOST_STOPPED = 5000;

/** Of so many materializations one row of `events` tells at most: their records have the ids from that of the row on. */
export const MOST_TOLD = 1000;

/** A materialization that has left its status in this transaction, with what follows from it. */
export const MOVED = `CREATE TYPE moved AS (
  id bigint,
  run_id bigint,
  lane_id bigint,
  head_id bigint,
  asset_id integer,
  priority integer,
  status text,
  epoch integer,
  -- who ran it; null where it was pending
  process text,
  -- whether it may have timers
  timed boolean,
  -- for one that is pending again: ms until it is ready, null at once
  delay float8,
  -- an event beside the one of its end
  told text
)`;

/** Materializations whose ids are in the array `ids` cannot run: those that moved go into `v_doomed`. Guard: pending. */
export const doom = (ids: string): string => `WITH locked AS MATERIALIZED (
    SELECT m.id FROM materializations m WHERE m.id = ANY (${ids}) AND m.status = 'pending' ORDER BY m.id FOR UPDATE
  ), ended AS (
    UPDATE materializations m SET status = 'upstream_failed', completed_at = clock_timestamp()
    WHERE m.id = ANY (ARRAY(SELECT l.id FROM locked l)) AND m.status = 'pending'
    RETURNING m.*
  )
  SELECT array_agg((e.id, e.run_id, e.lane_id, e.head_id, e.asset_id, e.priority, e.status, e.epoch, NULL,
    e.attempts + e.rescues > 0, NULL, NULL)::moved) INTO v_doomed FROM ended e;`;

/**
 * What failures and cancels bring with them: what depends on them, transitively, cannot run; a run that fails fast
 * loses the rest. `cut`: too much depends on them for one transaction; nothing moves then, and doom_pending does it in
 * steps, once the tally has noted that. Plan: lineage_upstream per node, materializations_run, then primary keys.
 * Guard: pending. Edges of what failed lie within its run.
 */
export const FOLLOW = `CREATE FUNCTION follow(p_moved moved[], OUT doomed moved[], OUT cut boolean) LANGUAGE plpgsql
AS $$
DECLARE
  v_failed bigint[] := ARRAY(SELECT m.id FROM unnest(p_moved) m WHERE m.status IN ('failed', 'cancelled'));
  v_ids bigint[];
  v_runs bigint[];
  v_run bigint;
  v_doomed moved[];
BEGIN
  doomed := '{}'; cut := false;
  IF cardinality(v_failed) = 0 THEN RETURN; END IF;
  -- The walk ends as soon as it has found more than one transaction should hold.
  v_ids := ARRAY(
    WITH RECURSIVE reached (id) AS (
      SELECT l.downstream FROM unnest(v_failed) f (id)
      CROSS JOIN LATERAL (SELECT l.downstream FROM lineage l WHERE l.upstream + 0 = f.id OFFSET 0) l
      UNION
      SELECT l.downstream FROM reached d
      CROSS JOIN LATERAL (SELECT l.downstream FROM lineage l WHERE l.upstream + 0 = d.id OFFSET 0) l
    )
    SELECT d.id FROM reached d LIMIT ${MOST_STOPPED} + 1);
  cut := cardinality(v_ids) > ${MOST_STOPPED};
  IF cut THEN RETURN; END IF;
  IF cardinality(v_ids) > 0 THEN
    ${doom('v_ids')}
    doomed := COALESCE(v_doomed, '{}');
  END IF;
  v_runs := ARRAY(SELECT r.id FROM runs r
    WHERE r.id = ANY (ARRAY(SELECT m.run_id FROM unnest(p_moved) m WHERE m.status = 'failed')) AND r.fail_fast
      AND NOT r.stopping);
  FOREACH v_run IN ARRAY v_runs LOOP
    doomed := doomed || cancel_pending(v_run, 0);
  END LOOP;
END $$`;

/**
 * All effects of what moved on others but the counting, which comes last (tally): claims are given up, heads move,
 * dependents and waiters are released, timers go and come, events are told, places are given back.
 * A process that may claim (ENTER) says how much it takes at once of what is released (see release).
 * Returns the lanes in which something became ready, whether places were given back, what was taken and of which lanes
 * that are to note it. Plan: primary keys, heads_pkey.
 */
export const CONCLUDE = `CREATE FUNCTION conclude(p_namespace integer, p_moved moved[], p_process text DEFAULT NULL,
  p_limit integer DEFAULT 0, p_assets bytea DEFAULT NULL, p_batched integer[] DEFAULT NULL, OUT released bigint[], OUT gave boolean, OUT claimed claim[],
  OUT served bigint[]) LANGUAGE plpgsql
AS $$
DECLARE
  v_done bigint[];
  v_timed boolean;
  v_back boolean;
  v_holders bigint[];
  v_again bigint[];
  v_batched bigint[];
  v_batches bigint[];
  v_sharing bigint[] := '{}';
  v_assets integer[];
  v_heads bigint[];
BEGIN
  SELECT array_agg(m.id) FILTER (WHERE m.status IN ('success', 'skipped')), bool_or(m.timed), bool_or(m.status = 'pending')
  INTO v_done, v_timed, v_back FROM unnest(p_moved) m;

  -- Claims by place, so that each is looked up by its whole key; nobody else touches the claim of a row that is locked
  -- here. Of heads the newest success, the lock, what failed: whatever was claimed once holds its lock until it ends; one
  -- of a head.
  WITH gone AS (
    DELETE FROM claims c WHERE c.ctid = ANY (ARRAY(
      SELECT c.ctid FROM unnest(p_moved) m CROSS JOIN LATERAL (
        SELECT c.ctid FROM claims c
        WHERE c.namespace = p_namespace AND c.process = m.process AND c.materialization_id = m.id OFFSET 0) c))
    RETURNING c.materialization_id AS id, c.batch
  ), change AS MATERIALIZED (
    SELECT m.head_id AS head, max(m.id) FILTER (WHERE m.status = 'success') AS success,
      max(m.id) FILTER (WHERE m.epoch > 0) AS holder,
      CASE WHEN bool_or(m.status IN ('success', 'skipped')) THEN false
        WHEN bool_or(m.status IN ('failed', 'upstream_failed')) THEN true END AS failed
    FROM unnest(p_moved) m WHERE m.status NOT IN ('pending', 'waiting_approval') GROUP BY m.head_id
    ORDER BY m.head_id
  ), moved AS (
    UPDATE heads h SET
      materialization_id = COALESCE(c.success, h.materialization_id),
      invalidated = h.invalidated AND c.success IS NULL,
      failed = COALESCE(c.failed, h.failed),
      active_materialization = NULLIF(h.active_materialization, c.holder)
    FROM change c
    WHERE h.id = ANY (ARRAY(SELECT x.head FROM change x WHERE x.holder IS NOT NULL OR x.failed IS NOT NULL))
      AND c.head = h.id
    RETURNING c.holder, h.waited AND h.active_materialization IS NULL AS waited
  ), told AS (
    -- One row for those of a run and an asset to which the same happened, in the order in which it did; the end last.
    INSERT INTO events (namespace, kind, run_id, materializations, asset_id)
    SELECT p_namespace, e.kind, m.run_id, m.ids, m.asset_id FROM (
      SELECT m.run_id, m.asset_id, m.status, m.told, array_agg(m.id) AS ids, min(m.place) AS place
      FROM unnest(p_moved) WITH ORDINALITY m (id, run_id, lane_id, head_id, asset_id, priority, status, epoch, process,
        timed, delay, told, place)
      GROUP BY m.run_id, m.asset_id, m.status, m.told, (m.place - 1) / ${MOST_TOLD}) m
    CROSS JOIN LATERAL (VALUES (1, m.told),
      (2, CASE WHEN m.status <> 'pending' THEN 'materialization.' || m.status END)) e (place, kind)
    WHERE e.kind IS NOT NULL ORDER BY m.place, e.place
  )
  SELECT (SELECT array_agg(g.id) FROM gone g WHERE g.batch IS NOT NULL),
    (SELECT array_agg(g.batch) FROM gone g WHERE g.batch IS NOT NULL),
    (SELECT array_agg(h.holder) FROM moved h WHERE h.waited)
  INTO v_batched, v_batches, v_holders;

  IF EXISTS (SELECT FROM summaries) THEN
    SELECT array_agg(m.asset_id), array_agg(m.head_id) INTO v_assets, v_heads FROM unnest(p_moved) m
    WHERE m.status NOT IN ('pending', 'waiting_approval', 'cancelled');
    PERFORM note_changes(v_assets, v_heads);
  END IF;

  -- A statement after the heads were locked, so that no waiter is missed.
  IF v_done IS NOT NULL OR v_holders IS NOT NULL THEN
    SELECT r.released, r.claimed, CASE WHEN r.served THEN ARRAY[(p_moved[1]).lane_id] END INTO released, claimed, served
    FROM release(p_namespace, v_done, v_holders, (p_moved[1]).lane_id, p_process, p_limit, p_assets, p_batched) r;
  END IF;

  IF v_timed THEN
    DELETE FROM timers t WHERE t.owner = ANY (ARRAY(SELECT m.id FROM unnest(p_moved) m WHERE m.timed));
  END IF;
  IF v_back THEN
    INSERT INTO timers (owner, kind, generation, namespace, fires_at, run_id)
    SELECT m.id, 'retry', m.epoch, p_namespace, clock_timestamp() + m.delay * interval '1 millisecond', m.run_id
    FROM unnest(p_moved) m WHERE m.status = 'pending' AND m.delay IS NOT NULL;
    WITH offered AS (
      INSERT INTO ready (lane_id, rank, materialization_id, asset_id)
      SELECT m.lane_id, -m.priority, m.id, m.asset_id FROM unnest(p_moved) m
      WHERE m.status = 'pending' AND m.delay IS NULL
      RETURNING lane_id
    )
    SELECT array_agg(DISTINCT o.lane_id) INTO v_again FROM offered o;
    released := released || v_again;
  END IF;

  -- The place of a batch is given back by the last of it. Who that is, is seen under the locks of its limits, which
  -- are of its lane: whoever ends another of it has committed that, or comes after.
  IF v_batches IS NOT NULL THEN
    PERFORM FROM limits x WHERE x.id = ANY (ARRAY(
      SELECT unnest(y.limits) FROM lanes y WHERE y.id = ANY (ARRAY(SELECT m.lane_id FROM unnest(p_moved) m))))
    ORDER BY x.id FOR UPDATE;
    v_sharing := ARRAY(
      SELECT g.id FROM (
        SELECT g.*, row_number() OVER (PARTITION BY g.batch) AS number FROM unnest(v_batched, v_batches) g (id, batch)) g
      WHERE g.number > 1 OR EXISTS (SELECT FROM claims c WHERE c.batch = g.batch OFFSET 0));
  END IF;
  gave := EXISTS (SELECT FROM lanes l
    WHERE l.id = ANY (ARRAY(SELECT m.lane_id FROM unnest(p_moved) m WHERE m.process IS NOT NULL)) AND l.limits IS NOT NULL);
  IF gave THEN
    WITH given AS MATERIALIZED (
      SELECT l.id AS limit_id, sum(n.count)::integer AS count FROM (
        SELECT m.lane_id, count(*) AS count FROM unnest(p_moved) m
        WHERE m.process IS NOT NULL AND m.id <> ALL (v_sharing) GROUP BY m.lane_id) n
      CROSS JOIN LATERAL (SELECT y.limits FROM lanes y WHERE y.id = n.lane_id AND y.limits IS NOT NULL OFFSET 0) y
      CROSS JOIN LATERAL unnest(y.limits) l (id)
      GROUP BY l.id ORDER BY l.id
    )
    UPDATE limits l SET used = l.used - g.count, served_at = clock_timestamp(),
      opens_at = CASE WHEN l.opens_at IS NOT NULL
        THEN gate_opens(l.capacity, l.used - g.count, l.burst, tokens_left(l), l.period) END
    FROM given g
    WHERE l.id = ANY (ARRAY(SELECT x.limit_id FROM given x)) AND g.limit_id = l.id;
  END IF;
END $$`;

/**
 * Lanes learn what they got and gave. `p_released`: something is ready in them; `p_served`: something of them was claimed;
 * `p_empty`: they were found empty, and at which count of releases; `p_shut`: they wait at a gate from now on, and at
 * which. After all but runs (tally). Plan: primary key.
 */
export const NOTE_LANES = `CREATE FUNCTION note_lanes(p_released bigint[], p_served bigint[] DEFAULT NULL, p_empty bigint[] DEFAULT NULL,
  p_empty_at integer[] DEFAULT NULL, p_shut bigint[] DEFAULT NULL, p_gates bigint[] DEFAULT NULL) RETURNS void LANGUAGE plpgsql
AS $$
BEGIN
  IF num_nonnulls(p_released, p_served, p_empty, p_shut) = 0 THEN RETURN; END IF;
  -- An empty lane is told so only if nothing was released since it was found empty.
  WITH change AS MATERIALIZED (
    SELECT c.id, bool_or(c.released) AS released, bool_or(c.served) AS served, max(c.empty_at) AS empty_at,
      max(c.gate) AS gate FROM (
      SELECT r.id, true AS released, false AS served, NULL::integer AS empty_at, NULL::bigint AS gate
      FROM unnest(p_released) r (id)
      UNION ALL SELECT s.id, false, true, NULL, NULL FROM unnest(p_served) s (id)
      UNION ALL SELECT e.id, false, false, e.at, NULL FROM unnest(p_empty, p_empty_at) e (id, at)
      UNION ALL SELECT g.id, false, false, NULL, g.gate FROM unnest(p_shut, p_gates) g (id, gate)) c
    GROUP BY c.id ORDER BY c.id
  )
  UPDATE lanes l SET
    has_ready = c.released OR (l.has_ready AND l.releases IS DISTINCT FROM c.empty_at),
    gate = CASE WHEN c.released OR (l.has_ready AND l.releases IS DISTINCT FROM c.empty_at)
      THEN COALESCE(c.gate, l.gate) END,
    releases = l.releases + c.released::integer,
    served_at = CASE WHEN c.served THEN clock_timestamp() ELSE l.served_at END
  FROM change c WHERE l.id = ANY (ARRAY(SELECT x.id FROM change x)) AND c.id = l.id
    AND (c.released OR c.served OR (l.has_ready AND (l.releases = c.empty_at OR c.gate IS NOT NULL)));
END $$`;

/**
 * What comes last: it is told where that is wanted, runs count what moved and what was claimed, and end where nothing is open. `p_touched`: runs to be
 * looked at in any case; `p_cut`: what depends on their failures is left to doom_pending. Returns the runs that ended.
 * Plan: primary keys. Source of the rules: plannedRunStatus (lib/ledger/transitions.ts).
 */
export const TALLY = `CREATE FUNCTION tally(p_namespace integer, p_moved moved[], p_claimed claim[] DEFAULT NULL,
  p_touched bigint[] DEFAULT NULL, p_cut boolean DEFAULT false) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
  v_done bigint[];
  v_ended bigint[];
BEGIN
  IF ${TELLS_ATTEMPTS} THEN PERFORM note_attempts(p_namespace, p_moved, p_claimed); END IF;
  WITH delta AS MATERIALIZED (
    SELECT d.run, count(*) FILTER (WHERE d.status = 'success')::integer AS success,
      count(*) FILTER (WHERE d.status = 'failed')::integer AS failed,
      count(*) FILTER (WHERE d.status = 'upstream_failed')::integer AS upstream_failed,
      count(*) FILTER (WHERE d.status = 'skipped')::integer AS skipped,
      count(*) FILTER (WHERE d.status = 'cancelled')::integer AS cancelled,
      sum(d.running)::integer AS running,
      -- As many as cancel_pending takes at once: there may be more.
      count(d.stopped) >= ${MOST_STOPPED} AS stopping, max(d.stopped) AS stopped_to,
      min(d.id) FILTER (WHERE p_cut AND d.status IN ('failed', 'cancelled')) AS doomed_to,
      bool_or(p_cut AND d.status = 'failed') AS broken
    FROM (
      SELECT m.run_id AS run, m.id, m.status, CASE WHEN m.process IS NULL THEN 0 ELSE -1 END AS running,
        CASE WHEN m.status = 'cancelled' AND m.process IS NULL THEN m.id END AS stopped FROM unnest(p_moved) m
      UNION ALL SELECT c.run_id, NULL, NULL, 1, NULL FROM unnest(p_claimed) c
      UNION ALL SELECT t.id, NULL, NULL, 0, NULL FROM unnest(p_touched) t (id)) d
    GROUP BY d.run ORDER BY d.run
  ), counted AS (
    UPDATE runs r SET
      success = r.success + d.success, failed = r.failed + d.failed,
      upstream_failed = r.upstream_failed + d.upstream_failed, skipped = r.skipped + d.skipped,
      cancelled = r.cancelled + d.cancelled, running = r.running + d.running,
      stopping = r.stopping OR d.stopping OR (d.broken AND r.fail_fast),
      -- Where nothing was cancelled yet: from the beginning, which as 0 would be the last pass.
      stopped_to = CASE WHEN d.stopping THEN d.stopped_to
        WHEN d.broken AND r.fail_fast AND NOT r.stopping THEN 1 ELSE r.stopped_to END,
      dooms = r.dooms + (d.doomed_to IS NOT NULL)::integer,
      doomed_to = CASE WHEN d.doomed_to IS NULL THEN r.doomed_to ELSE LEAST(r.doomed_to, d.doomed_to) END
    FROM delta d WHERE r.id = ANY (ARRAY(SELECT x.run FROM delta x)) AND d.run = r.id
    RETURNING r.id, r.success + r.failed + r.upstream_failed + r.skipped + r.cancelled = r.total AS done
  )
  SELECT array_agg(c.id) INTO v_done FROM counted c WHERE c.done;
  IF v_done IS NULL THEN RETURN NULL; END IF;

  WITH ended AS (
    UPDATE runs r SET completed_at = clock_timestamp(),
      status = CASE WHEN r.cancel_requested_at IS NOT NULL AND r.cancelled > 0 THEN 'cancelled'
        WHEN r.failed + r.upstream_failed > 0 THEN 'failed' ELSE 'success' END
    WHERE r.id = ANY (v_done) AND r.completed_at IS NULL AND r.status <> 'planning'
    RETURNING r.id, r.status
  ), told AS (
    INSERT INTO events (namespace, kind, run_id, detail)
    SELECT p_namespace, 'run.ended', e.id, jsonb_build_object('status', e.status) FROM ended e
  )
  SELECT array_agg(e.id) INTO v_ended FROM ended e;
  RETURN v_ended;
END $$`;

/** All that follows when something moved outside a beat. Returns the runs that ended, and where there may be work now. */
export const FINISH = `CREATE FUNCTION finish(p_namespace integer, p_moved moved[], p_touched bigint[], OUT ended bigint[],
  OUT rings text[]) LANGUAGE plpgsql AS $$
DECLARE
  v_all moved[];
  v_cut boolean;
  v_lanes bigint[];
BEGIN
  SELECT p_moved || f.doomed, f.cut INTO v_all, v_cut FROM follow(p_moved) f;
  v_lanes := (conclude(p_namespace, v_all)).released;
  rings := pools_to_ring(v_all, v_lanes);
  PERFORM note_lanes(v_lanes);
  ended := COALESCE(tally(p_namespace, v_all, p_touched => p_touched, p_cut => v_cut), '{}');
END $$`;
