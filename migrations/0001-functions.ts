// Migration 1: the functions by which work is claimed and ends, each one round trip and one transaction at most.
// They are functions and not statements of the library because each of their steps has to see what the locks of the
// step before made wait for: a statement of its own has a snapshot of its own. Names are unqualified, as in the tables.
//
// Lock order of all of them: processes, materializations by id, heads by id, dependents and waiters by id, limits by
// id, then (claiming) whatever is free by SKIP LOCKED, limits as well, at last lanes by id and runs by id. Rows found by an older
// snapshot are judged again when they are locked: each UPDATE repeats its guard.
// Every access to a large table is by `id = ANY(...)` or a LATERAL look-up that cannot be flattened (OFFSET 0), so that
// no statistics, however wrong, make the planner scan it. `upstream + 0` is what the index on it is made of.

/** Of what is pending, so many are cancelled, or cannot run any more, in one transaction. The rest follows in others. */
const MOST_STOPPED = 5000;

/** Of what is claimed for batches beside what takes their places, so many at once. */
const MOST_BESIDE = 1000;

/** A materialization that has left its status in this transaction, with what follows from it. */
const MOVED = `CREATE TYPE moved AS (
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

/** The tokens of the rate of a limit `x`, counted up to now; null without a rate. */
const TOKENS = `LEAST(x.burst, x.tokens
  + GREATEST(extract(epoch FROM clock_timestamp() - x.refilled_at), 0)::float8 * 1000 * x.burst / x.period)`;

// These have no search path of their own, so that they are inlined where they are called.
const TOKENS_LEFT = `CREATE FUNCTION tokens_left(x limits) RETURNS float8 LANGUAGE sql AS $$ SELECT ${TOKENS} $$`;

/** How many more may be claimed; null where nothing bounds it, less than one where none may. */
const PLACES_LEFT = `CREATE FUNCTION places_left(x limits) RETURNS integer LANGUAGE sql AS $$
  SELECT LEAST(x.capacity - x.used, floor(${TOKENS})::integer) $$`;

/** In how many ms the next token comes; null where there is one, or no rate. */
const TOKEN_DUE = `CREATE FUNCTION token_due(x limits) RETURNS float8 LANGUAGE sql AS $$
  SELECT CASE WHEN ${TOKENS} < 1 THEN ceil((1 - ${TOKENS}) * x.period / x.burst) END $$`;

/** From when on whoever waits at a limit may look again: a time to come, never (until a place is given back), or now. */
const GATE_OPENS = `CREATE FUNCTION gate_opens(capacity integer, used integer, burst integer, tokens float8, period float8)
RETURNS timestamptz LANGUAGE sql AS $$ SELECT CASE
  WHEN used >= capacity THEN 'infinity'
  WHEN tokens < 1 THEN clock_timestamp() + ceil((1 - tokens) * period / burst) * interval '1 millisecond'
  ELSE clock_timestamp() END $$`;

/**
 * Pools are bounded as a process says that enters. What a limit becomes holds at once, for open runs as well: a pool that
 * gets its first is given to their lanes, with the places that are taken; the keys of a pool change with it. Keys of
 * another dimension than before are new ones, and those of the former bound nothing any more.
 * Whoever claims or ends something writes claims, so locking that table keeps everybody from doing either half counted;
 * pools first, as planning does (make_lanes). Boot-time work, the lanes once per pool. Plan: pools_name, limits_key,
 * primary keys; reads all lanes.
 */
const BOUND_POOLS = `CREATE FUNCTION bound_pools(p_namespace integer, p_pools json) RETURNS void LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
DECLARE
  v_changed integer[];
  v_first integer[];
BEGIN
  WITH changed AS MATERIALIZED (
    SELECT p.id, p.limit_id IS NULL AND num_nonnulls(n.capacity, n.burst) > 0 AS first
    FROM json_to_recordset(p_pools) AS n (name text, capacity integer, burst integer, period float8, dimension text,
      key_capacity integer, key_burst integer, key_period float8)
    JOIN pools p ON p.namespace = p_namespace AND p.name = n.name
    LEFT JOIN limits x ON x.id = p.limit_id
    WHERE (x.capacity, x.burst, x.period, p.dimension, p.key_capacity, p.key_burst, p.key_period) IS DISTINCT FROM
      (n.capacity, n.burst, n.period, COALESCE(n.dimension, p.dimension), n.key_capacity, n.key_burst, n.key_period)
    ORDER BY p.id FOR UPDATE OF p
  )
  SELECT array_agg(c.id), array_agg(c.id) FILTER (WHERE c.first) INTO v_changed, v_first FROM changed c;
  IF v_changed IS NULL THEN RETURN; END IF;

  IF v_first IS NOT NULL THEN
    LOCK TABLE claims IN SHARE MODE;
    WITH bound AS MATERIALIZED (
      SELECT f.id, nextval(pg_get_serial_sequence('limits', 'id')::regclass) AS limit_id FROM unnest(v_first) f (id)
    ), lane AS MATERIALIZED (
      SELECT l.id, b.limit_id FROM lanes l JOIN bound b ON b.id = l.pool_id JOIN runs r ON r.id = l.run_id
      WHERE r.completed_at IS NULL ORDER BY l.id FOR UPDATE OF l
    ), held AS (
      SELECT l.limit_id, count(DISTINCT COALESCE(c.batch, -c.materialization_id))::integer AS used FROM claims c
      CROSS JOIN LATERAL (SELECT m.lane_id FROM materializations m WHERE m.id = c.materialization_id OFFSET 0) m
      JOIN lane l ON l.id = m.lane_id WHERE c.namespace = p_namespace GROUP BY l.limit_id
    ), made AS (
      INSERT INTO limits (id, namespace, pool_id, used)
      SELECT b.limit_id, p_namespace, b.id, COALESCE(h.used, 0) FROM bound b LEFT JOIN held h USING (limit_id)
    ), named AS (
      UPDATE pools p SET limit_id = b.limit_id FROM bound b WHERE p.id = ANY (v_first) AND b.id = p.id
    )
    UPDATE lanes y SET limits = y.limits || l.limit_id FROM lane l
    WHERE y.id = ANY (ARRAY(SELECT x.id FROM lane x)) AND l.id = y.id;
  END IF;

  PERFORM FROM limits x WHERE x.id = ANY (ARRAY(
    SELECT p.limit_id FROM pools p WHERE p.id = ANY (v_changed)
    UNION ALL SELECT k.id FROM limits k WHERE k.pool_id = ANY (v_changed) AND k.key IS NOT NULL)) ORDER BY x.id FOR UPDATE;
  -- A rate that is new begins full; one that changes keeps the tokens it has.
  WITH pool AS MATERIALIZED (
    SELECT p.id, p.limit_id, n.*, n.dimension <> p.dimension AS other
    FROM json_to_recordset(p_pools) AS n (name text, capacity integer, burst integer, period float8, dimension text,
      key_capacity integer, key_burst integer, key_period float8)
    JOIN pools p ON p.namespace = p_namespace AND p.name = n.name WHERE p.id = ANY (v_changed)
  ), bound AS MATERIALIZED (
    SELECT p.limit_id AS id, p.id AS pool_id, p.capacity, p.burst, p.period FROM pool p
    UNION ALL
    SELECT k.id, p.id, p.key_capacity, p.key_burst, p.key_period FROM pool p
    JOIN limits k ON k.pool_id = p.id AND k.key IS NOT NULL WHERE p.other IS NOT true
    UNION ALL
    SELECT k.id, NULL, NULL, NULL, NULL FROM pool p JOIN limits k ON k.pool_id = p.id AND k.key IS NOT NULL WHERE p.other
  ), keyed AS (
    UPDATE pools p SET dimension = COALESCE(n.dimension, p.dimension), key_capacity = n.key_capacity,
      key_burst = n.key_burst, key_period = n.key_period
    FROM pool n WHERE p.id = ANY (v_changed) AND n.id = p.id
  )
  UPDATE limits x SET pool_id = b.pool_id, key = CASE WHEN b.pool_id IS NOT NULL THEN x.key END,
    capacity = b.capacity, burst = b.burst, period = b.period, tokens = t.tokens,
    refilled_at = CASE WHEN b.burst IS NOT NULL THEN clock_timestamp() END,
    opens_at = CASE WHEN x.opens_at IS NOT NULL THEN gate_opens(b.capacity, x.used, b.burst, t.tokens, b.period) END
  FROM bound b CROSS JOIN LATERAL (SELECT CASE WHEN b.burst IS NOT NULL THEN LEAST(b.burst, COALESCE(
    (SELECT tokens_left(y) FROM limits y WHERE y.id = b.id OFFSET 0), b.burst)) END AS tokens OFFSET 0) t
  WHERE x.id = ANY (ARRAY(SELECT y.id FROM bound y)) AND b.id = x.id;
END $$`;

/** Materializations whose ids are in the array `ids` cannot run: those that moved go into `v_doomed`. Guard: pending. */
const doom = (ids: string): string => `WITH locked AS MATERIALIZED (
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
const FOLLOW = `CREATE FUNCTION follow(p_moved moved[], OUT doomed moved[], OUT cut boolean) LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
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
 * What is pending in a run is cancelled, the first by id after `p_after`, not more than one transaction should hold.
 * Plan: materializations_run, in its order; then primary keys, ready_pkey. Guard: pending.
 */
const CANCEL_PENDING = `CREATE FUNCTION cancel_pending(p_run bigint, p_after bigint) RETURNS moved[] LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
DECLARE
  v_cancelled moved[];
BEGIN
  WITH locked AS MATERIALIZED (
    SELECT m.id FROM materializations m
    -- As the index has it, which is read from there on, and no index on the id alone.
    WHERE m.run_id = p_run AND (m.run_id, m.id + 0) > (p_run, p_after) AND m.status = 'pending'
    ORDER BY m.run_id, m.id + 0 LIMIT ${MOST_STOPPED} FOR UPDATE
  ), ended AS (
    UPDATE materializations m SET status = 'cancelled', waiting_for = NULL, completed_at = clock_timestamp()
    WHERE m.id = ANY (ARRAY(SELECT l.id FROM locked l)) AND m.status = 'pending'
    RETURNING m.*
  )
  SELECT array_agg((e.id, e.run_id, e.lane_id, e.head_id, e.asset_id, e.priority, e.status, e.epoch, NULL,
    e.attempts + e.rescues > 0, NULL, NULL)::moved) INTO v_cancelled FROM ended e;
  DELETE FROM ready y WHERE y.ctid = ANY (ARRAY(
    SELECT y.ctid FROM unnest(v_cancelled) m CROSS JOIN LATERAL (
      SELECT y.ctid FROM ready y
      WHERE y.lane_id = m.lane_id AND y.rank = -m.priority AND y.materialization_id = m.id OFFSET 0) y));
  RETURN COALESCE(v_cancelled, '{}');
END $$`;

/**
 * All effects of what moved on others but the counting, which comes last (tally): claims are given up, heads move,
 * dependents and waiters are released, timers go and come, events are told, places are given back.
 * Returns the lanes in which something became ready. Plan: primary keys, heads_pkey, lineage_upstream,
 * materializations_waiting.
 */
const CONCLUDE = `CREATE FUNCTION conclude(p_namespace integer, p_moved moved[]) RETURNS bigint[] LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
DECLARE
  v_holders bigint[] := '{}';
  v_done bigint[];
  v_lanes bigint[];
  v_again bigint[];
  v_batched bigint[];
  v_batches bigint[];
  v_sharing bigint[] := '{}';
BEGIN
  -- By place, so that each is looked up by its whole key; nobody else touches the claim of a row that is locked here.
  WITH gone AS (
    DELETE FROM claims c WHERE c.ctid = ANY (ARRAY(
      SELECT c.ctid FROM unnest(p_moved) m CROSS JOIN LATERAL (
        SELECT c.ctid FROM claims c
        WHERE c.namespace = p_namespace AND c.process = m.process AND c.materialization_id = m.id OFFSET 0) c))
    RETURNING c.materialization_id AS id, c.batch
  )
  SELECT array_agg(g.id), array_agg(g.batch) INTO v_batched, v_batches FROM gone g WHERE g.batch IS NOT NULL;

  -- The newest success, the lock, what failed. Whatever was claimed once holds its lock until it ends; one of a head.
  WITH change AS MATERIALIZED (
    SELECT m.head_id AS head, max(m.id) FILTER (WHERE m.status = 'success') AS success,
      max(m.id) FILTER (WHERE m.epoch > 0) AS holder,
      CASE WHEN bool_or(m.status IN ('success', 'skipped')) THEN false
        WHEN bool_or(m.status IN ('failed', 'upstream_failed')) THEN true END AS failed
    FROM unnest(p_moved) m WHERE m.status <> 'pending' GROUP BY m.head_id
  ), locked AS MATERIALIZED (
    SELECT h.id, h.waited, h.active_materialization AS active FROM heads h
    WHERE h.id = ANY (ARRAY(SELECT c.head FROM change c WHERE c.holder IS NOT NULL OR c.failed IS NOT NULL))
    ORDER BY h.id FOR UPDATE
  ), changed AS (
    UPDATE heads h SET
      materialization_id = COALESCE(c.success, h.materialization_id),
      invalidated = h.invalidated AND c.success IS NULL,
      failed = COALESCE(c.failed, h.failed),
      active_materialization = NULLIF(h.active_materialization, c.holder),
      waited = h.waited AND h.active_materialization IS DISTINCT FROM c.holder
    FROM change c WHERE h.id = ANY (ARRAY(SELECT l.id FROM locked l)) AND c.head = h.id
  )
  SELECT array_agg(c.holder) INTO v_holders FROM change c JOIN locked l ON l.id = c.head
  WHERE l.waited AND l.active = c.holder;

  -- A statement after the heads were locked, so that no waiter is missed.
  v_done := ARRAY(SELECT m.id FROM unnest(p_moved) m WHERE m.status IN ('success', 'skipped'));
  IF cardinality(v_done) > 0 OR v_holders IS NOT NULL THEN
    WITH freed AS MATERIALIZED (
      SELECT l.downstream AS id, count(*)::integer AS n FROM unnest(v_done) d (id)
      CROSS JOIN LATERAL (SELECT l.downstream FROM lineage l WHERE l.upstream + 0 = d.id OFFSET 0) l
      GROUP BY l.downstream
    ), locked AS MATERIALIZED (
      SELECT m.id FROM materializations m
      WHERE m.id = ANY (ARRAY(
          SELECT f.id FROM freed f
          UNION ALL SELECT w.id FROM materializations w WHERE w.waiting_for = ANY (v_holders)))
        AND m.status = 'pending'
      ORDER BY m.id FOR UPDATE
    ), released AS (
      UPDATE materializations m SET
        blockers = m.blockers - k.n, waited_for = COALESCE(m.waiting_for, m.waited_for), waiting_for = NULL
      FROM (SELECT l.id, COALESCE(f.n, 0) AS n FROM locked l LEFT JOIN freed f ON f.id = l.id) k
      WHERE m.id = ANY (ARRAY(SELECT l.id FROM locked l)) AND k.id = m.id AND m.status = 'pending'
      RETURNING m.id, m.lane_id, m.priority, m.asset_id, m.blockers
    ), offered AS (
      INSERT INTO ready (lane_id, rank, materialization_id, asset_id)
      SELECT r.lane_id, -r.priority, r.id, r.asset_id FROM released r WHERE r.blockers = 0
      RETURNING lane_id
    )
    SELECT array_agg(DISTINCT o.lane_id) INTO v_lanes FROM offered o;
  END IF;

  IF EXISTS (SELECT FROM unnest(p_moved) m WHERE m.timed) THEN
    DELETE FROM timers t WHERE t.owner = ANY (ARRAY(SELECT m.id FROM unnest(p_moved) m WHERE m.timed));
  END IF;
  IF EXISTS (SELECT FROM unnest(p_moved) m WHERE m.status = 'pending') THEN
    INSERT INTO timers (owner, kind, generation, namespace, fires_at)
    SELECT m.id, 'retry', m.epoch, p_namespace, clock_timestamp() + m.delay * interval '1 millisecond'
    FROM unnest(p_moved) m WHERE m.status = 'pending' AND m.delay IS NOT NULL;
    WITH offered AS (
      INSERT INTO ready (lane_id, rank, materialization_id, asset_id)
      SELECT m.lane_id, -m.priority, m.id, m.asset_id FROM unnest(p_moved) m
      WHERE m.status = 'pending' AND m.delay IS NULL
      RETURNING lane_id
    )
    SELECT array_agg(DISTINCT o.lane_id) INTO v_again FROM offered o;
    v_lanes := v_lanes || v_again;
  END IF;

  INSERT INTO events (namespace, kind, run_id, materialization_id, asset_id)
  SELECT p_namespace, e.kind, m.run_id, m.id, m.asset_id FROM unnest(p_moved) m
  CROSS JOIN LATERAL (VALUES (m.told), (CASE WHEN m.status <> 'pending' THEN 'materialization.' || m.status END)) e (kind)
  WHERE e.kind IS NOT NULL;

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
  WITH given AS MATERIALIZED (
    SELECT l.id AS limit_id, sum(n.count)::integer AS count FROM (
      SELECT m.lane_id, count(*) AS count FROM unnest(p_moved) m
      WHERE m.process IS NOT NULL AND m.id <> ALL (v_sharing) GROUP BY m.lane_id) n
    CROSS JOIN LATERAL (SELECT y.limits FROM lanes y WHERE y.id = n.lane_id AND y.limits IS NOT NULL OFFSET 0) y
    CROSS JOIN LATERAL unnest(y.limits) l (id)
    GROUP BY l.id
  ), locked AS MATERIALIZED (
    SELECT l.id FROM limits l WHERE l.id = ANY (ARRAY(SELECT g.limit_id FROM given g)) ORDER BY l.id FOR UPDATE
  )
  UPDATE limits l SET used = l.used - g.count, served_at = clock_timestamp(),
    opens_at = CASE WHEN l.opens_at IS NOT NULL
      THEN gate_opens(l.capacity, l.used - g.count, l.burst, tokens_left(l), l.period) END
  FROM given g
  WHERE l.id = ANY (ARRAY(SELECT x.id FROM locked x)) AND g.limit_id = l.id;

  RETURN v_lanes;
END $$`;

/**
 * What comes last: lanes learn what they got and gave, runs count, and end where nothing is open. `p_released`: lanes
 * in which something became ready; `p_empty`: lanes found empty, and at which count of releases; `p_touched`: runs to
 * be looked at in any case; `p_shut`: lanes that wait at a gate from now on, and at which;
 * `p_cut`: what depends on their failures is left to doom_pending. Returns the runs that ended. Plan: primary keys.
 * Source of the rules: plannedRunStatus (lib/ledger/transitions.ts).
 */
const TALLY = `CREATE FUNCTION tally(p_namespace integer, p_moved moved[], p_claimed moved[], p_released bigint[],
  p_empty bigint[], p_empty_at integer[], p_touched bigint[], p_shut bigint[] DEFAULT NULL, p_gates bigint[] DEFAULT NULL,
  p_cut boolean DEFAULT false)
RETURNS bigint[] LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
DECLARE
  v_runs bigint[];
  v_done bigint[];
  v_ended bigint[];
BEGIN
  -- An empty lane is told so only if nothing was released since it was found empty.
  WITH change AS MATERIALIZED (
    SELECT c.id, bool_or(c.released) AS released, bool_or(c.served) AS served, max(c.empty_at) AS empty_at,
      max(c.gate) AS gate FROM (
      SELECT r.id, true AS released, false AS served, NULL::integer AS empty_at, NULL::bigint AS gate
      FROM unnest(p_released) r (id)
      UNION ALL SELECT s.lane_id, false, true, NULL, NULL FROM unnest(p_claimed) s
      UNION ALL SELECT e.id, false, false, e.at, NULL FROM unnest(p_empty, p_empty_at) e (id, at)
      UNION ALL SELECT g.id, false, false, NULL, g.gate FROM unnest(p_shut, p_gates) g (id, gate)) c
    GROUP BY c.id
  ), locked AS MATERIALIZED (
    SELECT l.id FROM lanes l WHERE l.id = ANY (ARRAY(SELECT c.id FROM change c)) ORDER BY l.id FOR UPDATE
  )
  UPDATE lanes l SET
    has_ready = c.released OR (l.has_ready AND l.releases IS DISTINCT FROM c.empty_at),
    gate = CASE WHEN c.released OR (l.has_ready AND l.releases IS DISTINCT FROM c.empty_at)
      THEN COALESCE(c.gate, l.gate) END,
    releases = l.releases + c.released::integer,
    served_at = CASE WHEN c.served THEN clock_timestamp() ELSE l.served_at END
  FROM change c WHERE l.id = ANY (ARRAY(SELECT x.id FROM locked x)) AND c.id = l.id
    AND (c.released OR (l.has_ready AND (l.releases = c.empty_at OR c.gate IS NOT NULL))
      OR (c.served AND l.served_at < clock_timestamp() - interval '1 second'));

  v_runs := ARRAY(SELECT m.run_id FROM unnest(p_moved) m UNION SELECT m.run_id FROM unnest(p_claimed) m
    UNION SELECT t.id FROM unnest(p_touched) t (id));
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
    GROUP BY d.run
  ), locked AS MATERIALIZED (
    SELECT r.id FROM runs r WHERE r.id = ANY (v_runs) ORDER BY r.id FOR UPDATE
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
    FROM delta d WHERE r.id = ANY (ARRAY(SELECT l.id FROM locked l)) AND d.run = r.id
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

/** All that follows when something moved outside a beat. Returns the runs that ended, and whether work was released. */
const FINISH = `CREATE FUNCTION finish(p_namespace integer, p_moved moved[], p_touched bigint[], OUT ended bigint[],
  OUT released boolean) LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  v_all moved[];
  v_cut boolean;
  v_lanes bigint[];
BEGIN
  SELECT p_moved || f.doomed, f.cut INTO v_all, v_cut FROM follow(p_moved) f;
  v_lanes := conclude(p_namespace, v_all);
  ended := COALESCE(tally(p_namespace, v_all, NULL, v_lanes, NULL, NULL, p_touched, p_cut => v_cut), '{}');
  released := v_lanes IS NOT NULL OR EXISTS (SELECT FROM unnest(v_all) m WHERE m.process IS NOT NULL);
END $$`;

/** A look at the lanes in sight, and which of them are next, by `first`: a CTE made of `lane`. */
const lookAtLanes = (first: string): string => `WITH ends AS MATERIALIZED (
      (SELECT l.id FROM lanes l WHERE l.namespace = p_namespace AND l.has_ready AND l.gate IS NULL AND p_run IS NULL
        ORDER BY l.id LIMIT 256)
      UNION
      (SELECT l.id FROM lanes l WHERE l.namespace = p_namespace AND l.has_ready AND l.gate IS NULL AND p_run IS NULL
        ORDER BY l.id DESC LIMIT 256)
    ), near AS MATERIALIZED (
      SELECT e.id FROM ends e
      UNION
      SELECT l.id FROM (
        SELECT min(e.id) + floor(random() * (max(e.id) - min(e.id)))::bigint AS id FROM ends e HAVING count(*) = 512) c
      CROSS JOIN LATERAL (SELECT l.id FROM lanes l
        WHERE l.namespace = p_namespace AND l.has_ready AND l.gate IS NULL AND l.id >= c.id ORDER BY l.id LIMIT 128) l
      UNION
      SELECT l.id FROM lanes l WHERE l.run_id = p_run AND l.has_ready
      UNION
      SELECT r.id FROM unnest(p_released || v_opened) r (id)
    ), lane AS MATERIALIZED (
      SELECT l.id, l.releases, l.limits, l.gate, l.key_limit, y.rank, x.due, x.shut,
        l.id <> ALL (v_tried) AND x.shut IS NULL AS open,
        GREATEST(r.running, x.key_used) AS load, GREATEST(l.served_at, x.key_served_at) AS served_at,
        floor(extract(epoch FROM v_now - l.served_at) / 60)::integer - y.rank AS urgency
      FROM near n
      CROSS JOIN LATERAL (SELECT l.* FROM lanes l WHERE l.id = n.id OFFSET 0) l
      CROSS JOIN LATERAL (SELECT r.running, r.stopping FROM runs r WHERE r.id = l.run_id OFFSET 0) r
      -- What is still ready of a run whose pending ones are being cancelled counts as nothing.
      LEFT JOIN LATERAL (
        SELECT y.rank FROM ready y WHERE y.lane_id = l.id AND NOT r.stopping ORDER BY y.rank LIMIT 1) y ON true
      CROSS JOIN LATERAL (
        -- Of the limits that are full, that of all the pool last: whoever waits at that is next when it has a place.
        SELECT COALESCE(min(x.id) FILTER (WHERE places_left(x) < 1 AND (x.key IS NOT NULL OR x.pool_id IS NULL)),
            min(x.id) FILTER (WHERE places_left(x) < 1)) AS shut,
          max(token_due(x)) AS due,
          max(x.used) FILTER (WHERE x.id = l.key_limit) AS key_used,
          max(x.served_at) FILTER (WHERE x.id = l.key_limit) AS key_served_at
        FROM limits x WHERE l.limits IS NOT NULL AND x.id = ANY (l.limits) OFFSET 0) x
      WHERE l.pool_id <> ALL (p_closed)
    ), ${first}
    SELECT (SELECT array_agg(f.id) FROM first f), (SELECT bool_or(f.limits IS NOT NULL) FROM first f),
      array_agg(l.id) FILTER (WHERE l.rank IS NULL), array_agg(l.releases) FILTER (WHERE l.rank IS NULL),
      min(l.due) FILTER (WHERE l.rank IS NOT NULL),
      array_agg(l.id) FILTER (WHERE l.rank IS NOT NULL AND l.shut <> COALESCE(l.gate, 0)),
      array_agg(l.shut) FILTER (WHERE l.rank IS NOT NULL AND l.shut <> COALESCE(l.gate, 0)),
      (SELECT count(*) = 512 FROM ends e)
    INTO v_lanes, v_limited, empty, empty_at, again, v_shut, v_gates, v_more FROM lane l;`;

/** Of the most urgent those of the runs with the least under way. */
const NEXT_BY_RUN = `first AS (
      SELECT l.id, l.limits FROM lane l WHERE l.open AND l.urgency = (SELECT max(x.urgency) FROM lane x WHERE x.open)
      ORDER BY l.load, l.id LIMIT v_left
    )`;

/** The same where lanes have keys. */
const NEXT_BY_KEY = `standing AS MATERIALIZED (
      -- Lanes of one key stand to each other by their own urgency; the key stands to others by the highest priority in
      -- it and by when it was served: many lanes make it no more urgent. A lane without a key stands for itself.
      SELECT l.*, l.urgency - max(l.urgency) OVER key + max(-l.rank) OVER key
        + floor(extract(epoch FROM v_now - l.served_at) / 60)::integer AS standing
      FROM lane l WHERE l.open WINDOW key AS (PARTITION BY COALESCE(l.key_limit, -l.id))
    ), first AS (
      SELECT s.id, s.limits FROM (
        -- Each lane of a key adds to what is under way of it.
        SELECT s.*, s.load + row_number() OVER (PARTITION BY COALESCE(s.key_limit, -s.id)
          ORDER BY s.load, s.served_at, s.id) AS share
        FROM standing s WHERE s.standing = (SELECT max(x.standing) FROM standing x)) s
      ORDER BY s.share, s.served_at, s.id LIMIT v_left
    )`;

/** Beside what takes places, others of the same assets that go with it. */
const BESIDE = `    ), beside AS MATERIALIZED (
      -- Next to the first of them, since a plan keeps those of an asset together; the bound is for what lies between.
      SELECT g.lane_id, g.limits, y.* FROM (
        SELECT a.lane_id, a.limits, a.asset_id, a.rank, min(a.id) AS id, count(*) * (s.size - 1) AS most FROM allowed a
        JOIN unnest(p_batched, p_sizes) s (asset_id, size) ON s.asset_id = a.asset_id
        GROUP BY a.lane_id, a.limits, a.asset_id, a.rank, s.size) g
      CROSS JOIN LATERAL (
        SELECT y.ctid AS place, y.rank, y.materialization_id AS id, y.asset_id FROM ready y
        WHERE y.lane_id = g.lane_id AND y.rank = g.rank
          AND y.materialization_id BETWEEN g.id AND g.id + 10 * ${MOST_BESIDE}
          AND (y.asset_id = g.asset_id AND y.materialization_id NOT IN (SELECT a.id FROM allowed a)) IS TRUE
        ORDER BY y.rank, y.materialization_id LIMIT LEAST(g.most, ${MOST_BESIDE}) FOR UPDATE SKIP LOCKED) y
    ), together AS MATERIALIZED (
      SELECT a.id, a.place, a.limits FROM allowed a UNION ALL SELECT b.id, b.place, b.limits FROM beside b
`;

/** What is taken, by batches. */
const IN_BATCHES = `    ), numbered AS MATERIALIZED (
      SELECT j.id, j.lane_id, j.asset_id,
        (row_number() OVER (PARTITION BY j.lane_id, j.asset_id ORDER BY j.priority DESC, j.id) - 1) / s.size AS number
      FROM judged j JOIN unnest(p_batched, p_sizes) s (asset_id, size) ON s.asset_id = j.asset_id WHERE j.holder = j.id
    ), batches AS MATERIALIZED (
      SELECT n.lane_id, n.asset_id, n.number, nextval('batches') AS batch FROM numbered n
      GROUP BY n.lane_id, n.asset_id, n.number
    ), taken AS MATERIALIZED (
      SELECT j.*, b.batch FROM judged j
      LEFT JOIN numbered n ON n.id = j.id
      LEFT JOIN batches b ON b.lane_id = n.lane_id AND b.asset_id = n.asset_id AND b.number = n.number
      WHERE j.holder = j.id
`;

/** What is taken, each by itself. */
const SINGLY = `    ), taken AS MATERIALIZED (
      SELECT j.*, NULL::bigint AS batch FROM judged j WHERE j.holder = j.id
`;

/** The step of claim_ready that takes from lanes; where nothing is computed in batches, without what only they need. */
function takeReady(batched: boolean): string {
  const wanted = batched ? 'together' : 'allowed';
  const places = batched ? 'count(DISTINCT COALESCE(t.batch, -t.id))' : 'count(*)';
  return `    WITH lane AS MATERIALIZED (
      SELECT l.id, l.limits, LEAST(v_quota, f.free) AS quota, n.turn
      FROM unnest(v_lanes) WITH ORDINALITY n (id, turn)
      CROSS JOIN LATERAL (SELECT l.id, l.limits FROM lanes l WHERE l.id = n.id OFFSET 0) l
      CROSS JOIN LATERAL (SELECT min(places_left(x)) AS free FROM limits x WHERE x.id = ANY (l.limits) OFFSET 0) f
    ), picked AS MATERIALIZED (
      SELECT l.id AS lane_id, l.limits, l.quota, l.turn, y.* FROM lane l CROSS JOIN LATERAL (
        SELECT y.ctid AS place, y.rank, y.materialization_id AS id, y.asset_id FROM ready y
        -- IS TRUE keeps it from becoming a join, which would not read in the order of the index.
        WHERE y.lane_id = l.id AND (y.asset_id IN (SELECT unnest(p_assets))) IS TRUE
        ORDER BY y.rank, y.materialization_id LIMIT l.quota FOR UPDATE SKIP LOCKED) y
    ), beyond AS (
      -- Lanes that share a limit may have picked more than it has places: the first of each lane, in their order, and so on.
      SELECT p.id FROM (
        SELECT p.id, u.id AS limit_id, row_number() OVER (PARTITION BY u.id ORDER BY p.round, p.turn) AS place
        FROM (SELECT p.*, row_number() OVER (PARTITION BY p.lane_id ORDER BY p.rank, p.id) AS round FROM picked p
          WHERE v_limited) p
        CROSS JOIN LATERAL unnest(p.limits) u (id)) p
      CROSS JOIN LATERAL (SELECT places_left(x) AS free FROM limits x WHERE x.id = p.limit_id OFFSET 0) x
      WHERE p.place > x.free
    ), allowed AS MATERIALIZED (
      SELECT p.* FROM picked p WHERE p.id NOT IN (SELECT b.id FROM beyond b) ORDER BY p.rank, p.id LIMIT v_left
${batched ? BESIDE : ''}    ), mats AS MATERIALIZED (
      SELECT m.id, m.run_id, m.lane_id, m.head_id, m.asset_id, m.priority, m.epoch FROM materializations m
      WHERE m.id = ANY (ARRAY(SELECT t.id FROM ${wanted} t)) AND m.status = 'pending' AND m.blockers = 0
        AND m.waiting_for IS NULL
      FOR UPDATE SKIP LOCKED
    ), free_heads AS MATERIALIZED (
      SELECT h.id, h.active_materialization AS active FROM heads h
      WHERE h.id = ANY (ARRAY(SELECT m.head_id FROM mats m)) FOR UPDATE SKIP LOCKED
    ), judged AS MATERIALIZED (
      SELECT m.*, COALESCE(h.active, first_value(m.id) OVER (PARTITION BY m.head_id ORDER BY m.priority DESC, m.id))
        AS holder
      FROM mats m JOIN free_heads h ON h.id = m.head_id
${batched ? IN_BATCHES : SINGLY}    ), locks AS (
      -- The holder as it was read under the lock: constraints are checked on a row of the snapshot first, in which it may
      -- be missing yet.
      UPDATE heads h SET active_materialization = j.holder, waited = h.waited OR j.waits
      FROM (SELECT j.head_id, max(j.holder) AS holder, bool_or(j.holder <> j.id) AS waits
        FROM judged j GROUP BY j.head_id) j
      WHERE h.id = ANY (ARRAY(SELECT x.head_id FROM judged x)) AND j.head_id = h.id
    ), changed AS (
      UPDATE materializations m SET
        status = CASE WHEN j.holder = j.id THEN 'running' ELSE 'pending' END,
        epoch = m.epoch + CASE WHEN j.holder = j.id THEN 1 ELSE 0 END,
        process = CASE WHEN j.holder = j.id THEN p_process END,
        waiting_for = NULLIF(j.holder, j.id)
      FROM judged j WHERE m.id = ANY (ARRAY(SELECT x.id FROM judged x)) AND j.id = m.id
    ), gone AS (
      DELETE FROM ready y WHERE y.ctid = ANY (ARRAY(SELECT t.place FROM ${wanted} t JOIN judged j ON j.id = t.id))
    ), held AS (
      INSERT INTO claims (namespace, process, materialization_id, batch)
      SELECT p_namespace, p_process, t.id, t.batch FROM taken t
    ), counted AS (
      UPDATE limits x SET used = x.used + n.count,
        tokens = CASE WHEN x.burst IS NOT NULL THEN GREATEST(tokens_left(x) - n.count, 0) END,
        refilled_at = CASE WHEN x.burst IS NOT NULL THEN clock_timestamp() END,
        served_at = clock_timestamp(),
        opens_at = CASE WHEN x.opens_at IS NOT NULL
          THEN gate_opens(x.capacity, x.used + n.count, x.burst, tokens_left(x) - n.count, x.period) END
      FROM (
        SELECT u.id, ${places}::integer AS count FROM taken t
        JOIN ${wanted} o ON o.id = t.id CROSS JOIN LATERAL unnest(o.limits) u (id) WHERE v_limited GROUP BY u.id) n
      WHERE x.id = ANY (ARRAY(SELECT DISTINCT unnest(a.limits) FROM allowed a WHERE v_limited)) AND n.id = x.id
    )
    SELECT
      (SELECT array_agg((t.id, t.run_id, t.lane_id, t.head_id, t.asset_id, t.priority, 'running', t.epoch + 1, p_process,
        NULL, NULL, NULL)::moved) FROM taken t),
      (SELECT ${places} FROM taken t),
      -- A lane that had its share may have more, or may have it after all where others were before it at a limit; one of
      -- which nothing could be had is left to the next claim.
      ARRAY(SELECT p.lane_id FROM picked p LEFT JOIN judged j ON j.id = p.id
        GROUP BY p.lane_id, p.quota HAVING count(*) = p.quota AND count(j.id) > 0
          OR (EXISTS (SELECT FROM judged) AND bool_or(p.id IN (SELECT b.id FROM beyond b)))),
      (SELECT array_agg(j.holder) FROM judged j WHERE j.holder <> j.id),
      (SELECT array_agg(t.place) FROM ${wanted} t LEFT JOIN judged j ON j.id = t.id WHERE j.id IS NULL)
    INTO v_taken, v_places, v_full, v_holders, v_unfit;`;
}

/**
 * Takes ready materializations for a process, at most `p_limit`: among the lanes whose first is the most urgent (its
 * priority, and one more for each minute without service) those of the runs with the least under way, each its share.
 * Lanes of one key count as one, so that no key delays others by the number of its runs. Then by priority and age. A row
 * whose lock is free, or its own already, takes it; the others record whom they wait for, under the head's row lock, so
 * that the holder's end cannot miss them.
 * This half never waits: what cannot be locked stays ready for the next claim. The process row is shared (KEY SHARE),
 * so that a rescue, which takes it FOR UPDATE, comes wholly before (then there is no row, and nothing is claimed) or
 * wholly after. `p_closed`: pools of which nothing is wanted. `p_run`: only of this run.
 * `p_released`: lanes in which this transaction made something ready, which the tally has not told them yet.
 * Only lanes that have a place and a token are taken from; those that have none wait at the gate of a limit that is full
 * (`shut`, `gates`: which from now on) and are looked at again when that opens. `again`: in how many ms more may be had
 * that nobody will ring for (a token comes, another process was just counting, or there were too many lanes to see them
 * all), null: not to be known.
 * Of the assets `p_batched`, so many as `p_sizes` says share a place: with those that take places, of one lane, come
 * others of it, as many as fill their batches. `p_limit` counts places, too.
 * The caller counts (tally). Plan: lanes_ready from both ends and, where these leave out some, from a place by chance, so
 * that those between are seen too; likewise limits_gates, and lanes_gated for each; ready_pkey per lane, stopped by LIMIT;
 * primary keys.
 * Guard: pending without blockers, read under the row lock; `outdated`: other definitions may count than the process
 * knows, nothing is claimed until it has asked.
 */
const CLAIM_READY = `CREATE FUNCTION claim_ready(p_namespace integer, p_process text, p_limit integer, p_assets integer[],
  p_closed integer[], p_batched integer[], p_sizes integer[], p_run bigint, p_released bigint[], OUT claimed moved[],
  OUT empty bigint[], OUT empty_at integer[], OUT again float8,
  OUT outdated boolean, OUT shut bigint[], OUT gates bigint[])
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  v_now timestamptz;
  v_left integer := p_limit;
  v_tried bigint[] := '{}';
  v_lanes bigint[];
  v_limited boolean;
  v_busy boolean := false;
  v_more boolean;
  v_keyed boolean;
  v_open boolean;
  v_opens_at timestamptz;
  v_opened bigint[];
  v_quota integer;
  v_taken moved[];
  v_places integer;
  v_full bigint[];
  v_holders bigint[];
  v_unfit tid[];
  v_shut bigint[];
  v_gates bigint[];
  v_idle bigint[];
BEGIN
  claimed := '{}';
  -- Before lanes are read: see bound_pools.
  LOCK TABLE claims IN ROW EXCLUSIVE MODE;
  SELECT p.outdated INTO outdated FROM processes p WHERE p.namespace = p_namespace AND p.id = p_process FOR KEY SHARE;
  IF outdated IS NOT false THEN RETURN; END IF;
  v_now := clock_timestamp();
  SELECT EXISTS (SELECT FROM pools p WHERE p.namespace = p_namespace AND num_nonnulls(p.key_capacity, p.key_burst) > 0),
    EXISTS (SELECT FROM limits x WHERE x.namespace = p_namespace AND x.opens_at <= v_now AND p_run IS NULL),
    (SELECT x.opens_at FROM limits x WHERE x.namespace = p_namespace AND x.opens_at > v_now AND x.opens_at < 'infinity'
      AND p_run IS NULL ORDER BY x.opens_at LIMIT 1)
  INTO v_keyed, v_open, v_opens_at;
  IF v_open THEN
    WITH opened AS MATERIALIZED (
      (SELECT x.id, x.opens_at FROM limits x WHERE x.namespace = p_namespace AND x.opens_at <= v_now
        ORDER BY x.opens_at LIMIT 64)
      UNION
      (SELECT x.id, x.opens_at FROM limits x WHERE x.namespace = p_namespace AND x.opens_at <= v_now
        ORDER BY x.opens_at DESC LIMIT 64)
    ), gate AS MATERIALIZED (
      SELECT o.id FROM opened o
      UNION
      SELECT x.id FROM (
        SELECT min(o.opens_at) + random() * (max(o.opens_at) - min(o.opens_at)) AS at FROM opened o HAVING count(*) = 128) c
      CROSS JOIN LATERAL (SELECT x.id FROM limits x
        WHERE x.namespace = p_namespace AND x.opens_at BETWEEN c.at AND v_now ORDER BY x.opens_at LIMIT 32) x
    ), each AS MATERIALIZED (
      SELECT 1 + 128 / count(*) AS lanes FROM gate HAVING count(*) > 0
    ), lane AS MATERIALIZED (
      SELECT l.id, g.id AS gate FROM gate g CROSS JOIN LATERAL (
        (SELECT l.id FROM lanes l WHERE l.gate = g.id ORDER BY l.id + 0 LIMIT (SELECT e.lanes FROM each e))
        UNION
        (SELECT l.id FROM lanes l WHERE l.gate = g.id ORDER BY l.id + 0 DESC LIMIT (SELECT e.lanes FROM each e))
        UNION
        (SELECT l.id FROM (
            SELECT a.id + floor(random() * (z.id - a.id))::bigint AS id FROM
              (SELECT l.id FROM lanes l WHERE l.gate = g.id ORDER BY l.id + 0 LIMIT 1) a,
              (SELECT l.id FROM lanes l WHERE l.gate = g.id ORDER BY l.id + 0 DESC LIMIT 1) z OFFSET 0) c
          CROSS JOIN LATERAL (SELECT l.id FROM lanes l
            WHERE l.gate = g.id AND l.id + 0 >= c.id ORDER BY l.id + 0 LIMIT (SELECT e.lanes FROM each e)) l)) l
    )
    SELECT (SELECT array_agg(l.id) FROM lane l), array_agg(g.id) FILTER (WHERE g.id NOT IN (SELECT l.gate FROM lane l))
    INTO v_opened, v_idle FROM gate g;
  END IF;
  WHILE v_left > 0 AND cardinality(claimed) < GREATEST(p_limit, ${MOST_BESIDE}) LOOP
    IF v_keyed THEN
      ${lookAtLanes(NEXT_BY_KEY)}
    ELSE
      ${lookAtLanes(NEXT_BY_RUN)}
    END IF;
    EXIT WHEN v_lanes IS NULL;
    v_quota := ceil(v_left::float8 / cardinality(v_lanes));
    v_tried := v_tried || v_lanes;

    -- Places are counted under a lock; a lane whose places another process is just counting is left to the next claim.
    IF v_limited THEN
      WITH locked AS MATERIALIZED (
        SELECT x.id, COALESCE(places_left(x), 1) > 0 AS open FROM limits x
        WHERE x.id = ANY (ARRAY(SELECT DISTINCT unnest(y.limits) FROM lanes y WHERE y.id = ANY (v_lanes)))
        ORDER BY x.id FOR UPDATE SKIP LOCKED
      )
      SELECT array_agg(y.id ORDER BY array_position(v_lanes, y.id)) FILTER (WHERE y.limits IS NULL
          OR y.limits <@ ARRAY(SELECT l.id FROM locked l WHERE l.open)),
        v_busy OR bool_or(y.limits IS NOT NULL AND NOT y.limits <@ ARRAY(SELECT l.id FROM locked l))
      INTO v_lanes, v_busy FROM lanes y WHERE y.id = ANY (v_lanes);
      CONTINUE WHEN v_lanes IS NULL;
    END IF;

    IF p_batched IS NULL THEN
${takeReady(false)}
    ELSE
${takeReady(true)}
    END IF;

    claimed := claimed || COALESCE(v_taken, '{}');
    v_left := v_left - v_places;
    v_tried := ARRAY(SELECT t.id FROM unnest(v_tried) t (id) WHERE t.id <> ALL (v_full));
    IF v_holders IS NOT NULL THEN PERFORM raise_holders(v_holders); END IF;
    -- What could not be had is locked by somebody, or has no business here; the latter must not stand in the way.
    IF v_unfit IS NOT NULL THEN
      DELETE FROM ready y WHERE y.ctid = ANY (v_unfit) AND NOT EXISTS (
        SELECT FROM materializations m WHERE m.id = y.materialization_id AND m.status = 'pending' AND m.blockers = 0
          AND m.waiting_for IS NULL OFFSET 0);
    END IF;
  END LOOP;

  -- Whoever waits at a gate is written down under the lock of that limit, so that who gives a place back opens it.
  IF v_shut IS NOT NULL THEN
    WITH locked AS MATERIALIZED (
      SELECT x.id FROM limits x WHERE x.id = ANY (v_gates) AND places_left(x) < 1 ORDER BY x.id FOR UPDATE SKIP LOCKED
    ), closed AS (
      UPDATE limits x SET opens_at = gate_opens(x.capacity, x.used, x.burst, tokens_left(x), x.period)
      WHERE x.id = ANY (ARRAY(SELECT l.id FROM locked l)) RETURNING x.id
    )
    SELECT array_agg(s.lane), array_agg(s.gate) INTO shut, gates FROM unnest(v_shut, v_gates) s (lane, gate)
    WHERE s.gate IN (SELECT c.id FROM closed c);
  END IF;
  -- A gate at which nobody waits is none. Looked at once more when it is locked, since others may have come.
  IF v_idle IS NOT NULL THEN
    v_idle := ARRAY(SELECT x.id FROM limits x
      WHERE x.id = ANY (v_idle) AND x.id <> ALL (COALESCE(gates, '{}')) ORDER BY x.id FOR UPDATE SKIP LOCKED);
    UPDATE limits x SET opens_at = NULL
    WHERE x.id = ANY (v_idle) AND NOT EXISTS (SELECT FROM lanes l WHERE l.gate = x.id OFFSET 0);
  END IF;
  -- Nobody rings when a gate opens by time.
  again := LEAST(again, ceil(extract(epoch FROM v_opens_at - v_now) * 1000));
  -- Lanes out of the way: those between can be seen.
  v_more := v_more AND v_left > 0 AND (shut IS NOT NULL OR empty IS NOT NULL);
  IF v_busy OR v_more THEN again := 0; END IF;
END $$`;

/** A holder that has not begun gets the priority of the most urgent that waits for it. It never waits, as its caller. */
const RAISE_HOLDERS = `CREATE FUNCTION raise_holders(p_holders bigint[]) RETURNS void LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
BEGIN
  WITH wanted AS MATERIALIZED (
    SELECT w.waiting_for AS id, max(w.priority) AS priority FROM materializations w
    WHERE w.waiting_for = ANY (p_holders) GROUP BY w.waiting_for
  ), locked AS MATERIALIZED (
    SELECT m.id, m.lane_id, m.priority FROM materializations m
    WHERE m.id = ANY (ARRAY(SELECT w.id FROM wanted w)) AND m.status = 'pending' FOR UPDATE SKIP LOCKED
  ), raised AS (
    UPDATE materializations m SET priority = w.priority FROM wanted w
    WHERE m.id = ANY (ARRAY(SELECT l.id FROM locked l)) AND w.id = m.id AND m.priority < w.priority
  ), place AS MATERIALIZED (
    SELECT y.place, w.priority FROM locked l JOIN wanted w ON w.id = l.id AND w.priority > l.priority
    CROSS JOIN LATERAL (
      SELECT y.ctid AS place FROM ready y
      WHERE y.lane_id = l.lane_id AND y.rank = -l.priority AND y.materialization_id = l.id FOR UPDATE SKIP LOCKED) y
  )
  UPDATE ready y SET rank = -p.priority FROM place p
  WHERE y.ctid = ANY (ARRAY(SELECT x.place FROM place x)) AND p.place = y.ctid;
END $$`;

/**
 * What a worker needs of its claims, as JSON by column, null without any; what several share stands once: their runs, the
 * versions that are their heads, what they waited for. A statement after the claim, since a head may have been committed
 * after the claim's snapshot was taken. Plan: primary keys. Guard: running by this process; it may have been silent since
 * the claim, and the epoch of whoever has it now is not for it. `p_batched`: whether some may be of batches.
 */
const DESCRIBE_CLAIMS = `CREATE FUNCTION describe_claims(p_process text, p_ids bigint[], p_batched boolean) RETURNS json
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  RETURN (
    WITH claim AS MATERIALIZED (
      SELECT m.id, m.namespace, m.run_id, m.asset_id, m.epoch, m.attempts, m.rescues, m.forced, m.priority, m.waited_for,
        h.partition, h.materialization_id AS head, h.invalidated, h.failed
      FROM materializations m
      CROSS JOIN LATERAL (SELECT h.* FROM heads h WHERE h.id = m.head_id OFFSET 0) h
      WHERE m.id = ANY (p_ids) AND m.process = p_process AND m.status = 'running'
      ORDER BY m.priority DESC, m.id
    )
    SELECT json_build_object('claimed_at', clock_timestamp(), 'id', json_agg(c.id), 'run_id', json_agg(c.run_id),
      'asset_id', json_agg(c.asset_id), 'partition', json_agg(c.partition), 'epoch', json_agg(c.epoch),
      'attempts', json_agg(c.attempts), 'rescues', json_agg(c.rescues), 'forced', json_agg(c.forced),
      'priority', json_agg(c.priority), 'waited_for', json_agg(c.waited_for), 'head', json_agg(c.head),
      'invalidated', json_agg(c.invalidated), 'failed', json_agg(c.failed),
      'runs', (SELECT json_agg(r) FROM (
        SELECT r.id, r.requested_by, r.tags, r.force_max_age FROM runs r
        WHERE r.id = ANY (ARRAY(SELECT DISTINCT c.run_id FROM claim c))) r),
      'heads', (SELECT json_agg(v) FROM (
        SELECT v.id, v.data_version, v.code_version, v.inputs, v.upstreams, v.io, v.location, v.size, v.rows, v.hash,
          v.completed_at
        FROM materializations v WHERE v.id = ANY (ARRAY(SELECT c.head FROM claim c WHERE c.head IS NOT NULL))) v),
      'joined', (SELECT json_agg(j) FROM (
        SELECT j.id, j.status, j.error FROM materializations j
        WHERE j.id = ANY (ARRAY(SELECT c.waited_for FROM claim c WHERE c.waited_for IS NOT NULL))) j),
      'batches', (SELECT json_agg(b) FROM (
        SELECT c.id, k.batch FROM claim c CROSS JOIN LATERAL (
          SELECT k.batch FROM claims k
          WHERE k.namespace = c.namespace AND k.process = p_process AND k.materialization_id = c.id OFFSET 0) k
        WHERE p_batched AND k.batch IS NOT NULL) b))
    FROM claim c HAVING count(*) > 0);
END $$`;

/**
 * Pools in which others may find something, now that these moved and lanes were released and the process itself took what it
 * could: work of assets it has no part in, and places that somebody waits for. Plan: primary keys, ready_pkey, lanes_gated.
 */
const POOLS_TO_RING = `CREATE FUNCTION pools_to_ring(p_moved moved[], p_released bigint[]) RETURNS text[] LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
BEGIN
  RETURN ARRAY(SELECT p.name FROM pools p WHERE p.id = ANY (ARRAY(
    SELECT l.pool_id FROM lanes l
    WHERE l.id = ANY (p_released) AND EXISTS (SELECT FROM ready y WHERE y.lane_id = l.id OFFSET 0)
      AND NOT EXISTS (SELECT FROM limits x WHERE x.id = ANY (l.limits) AND places_left(x) < 1 OFFSET 0)
    UNION ALL
    SELECT o.pool_id FROM (SELECT DISTINCT m.lane_id AS id FROM unnest(p_moved) m WHERE m.process IS NOT NULL) n
    CROSS JOIN LATERAL (SELECT l.limits FROM lanes l WHERE l.id = n.id AND l.limits IS NOT NULL OFFSET 0) l
    CROSS JOIN LATERAL (SELECT x.id FROM limits x
      WHERE x.id = ANY (l.limits) AND x.opens_at IS NOT NULL AND COALESCE(places_left(x), 1) > 0 OFFSET 0) x
    CROSS JOIN LATERAL (SELECT o.pool_id FROM lanes o WHERE o.gate = x.id LIMIT 1) o)) ORDER BY p.name);
END $$`;

/**
 * One beat of a process: attempts end or go back as their outcomes say, with all that follows, and what is ready is
 * claimed. Either half may be empty. Guard of the first: running at this epoch; a success also before its deadline. A
 * row whose cancel was asked for does not go back: it ends cancelled. Plan: primary keys.
 * Returns how those stand that did not move, the runs that ended, whether work was released that the claim did not see,
 * the claims, and where others may find something.
 */
const BEAT = `CREATE FUNCTION beat(p_namespace integer, p_ids bigint[], p_outcomes json, p_consumers bigint[],
  p_consumed bigint[], p_process text, p_limit integer, p_assets integer[], p_closed integer[], p_batched integer[],
  p_sizes integer[],
  OUT standing json, OUT ended bigint[], OUT released boolean, OUT claims json, OUT again float8, OUT outdated boolean,
  OUT rings text[])
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  v_moved moved[] := '{}';
  v_cut boolean := false;
  v_successes bigint[];
  v_lanes bigint[];
  v_claimed moved[];
  v_empty bigint[];
  v_empty_at integer[];
  v_shut bigint[];
  v_gates bigint[];
BEGIN
  ended := '{}'; released := false;
  IF cardinality(p_ids) > 0 THEN
    WITH outcome AS MATERIALIZED (
      SELECT * FROM json_to_recordset(p_outcomes) AS o (id bigint, epoch integer, status text, attempts integer,
        rescues integer, delay float8, told text, error jsonb, started_at timestamptz, skip_reason text, joined bigint,
        code_version text, data_version text, inputs text, upstreams text, io text, location jsonb, size bigint,
        rows bigint, hash text, metadata jsonb)
    ), locked AS MATERIALIZED (
      SELECT m.id, m.process, m.cancel_requested OR m.deadline IS NOT NULL OR m.attempts + m.rescues > 0 AS timed
      FROM materializations m WHERE m.id = ANY (p_ids) ORDER BY m.id FOR UPDATE
    ), changed AS (
      UPDATE materializations m SET
        status = CASE WHEN o.status = 'pending' AND m.cancel_requested THEN 'cancelled' ELSE o.status END,
        process = CASE WHEN o.status = 'pending' AND NOT m.cancel_requested THEN NULL ELSE m.process END,
        attempts = m.attempts + o.attempts,
        rescues = m.rescues + o.rescues,
        error = CASE WHEN o.status = 'pending' THEN COALESCE(o.error, m.error) ELSE o.error END,
        started_at = CASE WHEN o.status = 'pending' THEN NULL ELSE COALESCE(o.started_at, m.started_at) END,
        completed_at = CASE WHEN o.status <> 'pending' OR m.cancel_requested THEN clock_timestamp() END,
        deadline = NULL,
        skip_reason = o.skip_reason, joined = o.joined,
        code_version = o.code_version, data_version = o.data_version, inputs = o.inputs, upstreams = o.upstreams,
        io = o.io, location = o.location, size = o.size, rows = o.rows, hash = o.hash, metadata = o.metadata
      FROM outcome o
      WHERE m.id = ANY (ARRAY(SELECT l.id FROM locked l)) AND o.id = m.id AND m.epoch = o.epoch
        AND m.status = 'running'
        AND (o.status <> 'success' OR m.deadline IS NULL OR m.deadline > clock_timestamp())
      RETURNING m.id, m.run_id, m.lane_id, m.head_id, m.asset_id, m.priority, m.status, m.epoch, o.delay, o.told
    )
    SELECT array_agg((c.id, c.run_id, c.lane_id, c.head_id, c.asset_id, c.priority, c.status, c.epoch, l.process, l.timed,
      c.delay, c.told)::moved) INTO v_moved FROM changed c JOIN locked l ON l.id = c.id;
    v_moved := COALESCE(v_moved, '{}');

    IF cardinality(v_moved) < cardinality(p_ids) THEN
      SELECT json_agg(json_build_object('id', n.id, 'epoch', m.epoch, 'status', m.status)) INTO standing
      FROM unnest(p_ids) n (id)
      LEFT JOIN LATERAL (SELECT m.epoch, m.status FROM materializations m WHERE m.id = n.id OFFSET 0) m ON true
      WHERE n.id <> ALL (ARRAY(SELECT x.id FROM unnest(v_moved) x));
    END IF;

    -- The edges of successes become exactly what they consumed; only the difference is written.
    v_successes := ARRAY(SELECT m.id FROM unnest(v_moved) m WHERE m.status = 'success');
    IF cardinality(v_successes) > 0 THEN
      WITH wanted AS MATERIALIZED (
        SELECT DISTINCT w.downstream, w.upstream FROM unnest(p_consumers, p_consumed) AS w (downstream, upstream)
        WHERE w.downstream = ANY (v_successes)
      ), known AS MATERIALIZED (
        SELECT l.downstream, l.upstream FROM lineage l WHERE l.downstream = ANY (v_successes) AND NOT l.ordering
      ), gone AS (
        DELETE FROM lineage l USING (SELECT * FROM known EXCEPT SELECT * FROM wanted) g
        WHERE l.downstream = ANY (ARRAY(SELECT x.downstream FROM (SELECT * FROM known EXCEPT SELECT * FROM wanted) x))
          AND l.downstream = g.downstream AND l.upstream = g.upstream AND NOT l.ordering
      )
      INSERT INTO lineage (downstream, upstream) SELECT * FROM wanted EXCEPT SELECT * FROM known
      ON CONFLICT (downstream, upstream) DO UPDATE SET ordering = false;
    END IF;

    IF cardinality(v_moved) > 0 THEN
      SELECT v_moved || f.doomed, f.cut INTO v_moved, v_cut FROM follow(v_moved) f;
      v_lanes := conclude(p_namespace, v_moved);
    END IF;
    -- The claim below sees what was released.
    released := p_limit = 0 AND (v_lanes IS NOT NULL OR EXISTS (
      SELECT FROM lanes l
      WHERE l.id = ANY (ARRAY(SELECT DISTINCT m.lane_id FROM unnest(v_moved) m)) AND l.limits IS NOT NULL));
  END IF;
  IF p_limit > 0 THEN
    SELECT c.claimed, c.empty, c.empty_at, c.again, c.outdated, c.shut, c.gates
    INTO v_claimed, v_empty, v_empty_at, again, outdated, v_shut, v_gates
    FROM claim_ready(p_namespace, p_process, p_limit, p_assets, p_closed, p_batched, p_sizes, NULL, v_lanes) c;
  END IF;
  -- Of what a process has more than it takes, it rings itself.
  rings := CASE WHEN cardinality(v_moved) > 0 AND (p_limit = 0 OR cardinality(v_claimed) < p_limit)
    THEN pools_to_ring(v_moved, v_lanes) ELSE '{}' END;
  IF cardinality(v_moved) > 0 OR cardinality(v_claimed) > 0 OR v_empty IS NOT NULL OR v_shut IS NOT NULL THEN
    ended := COALESCE(tally(p_namespace, v_moved, v_claimed, v_lanes, v_empty, v_empty_at, NULL, v_shut, v_gates, v_cut), '{}');
  END IF;
  IF cardinality(v_claimed) > 0 THEN
    claims := describe_claims(p_process, ARRAY(SELECT m.id FROM unnest(v_claimed) m), p_batched IS NOT NULL);
  END IF;
END $$`;

/**
 * The work of lost processes goes back with the epoch raised, or ends: cancelled where that was asked for, failed where
 * workers were lost more than `p_cap` times. The caller holds the rows of the processes.
 * Plan: claims_pkey, then primary keys. Guard: running by one of these processes.
 */
const TAKE_BACK = `CREATE FUNCTION take_back(p_namespace integer, p_processes text[], p_cap integer, p_error jsonb,
  OUT taken integer, OUT ended bigint[]) LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  v_moved moved[];
BEGIN
  WITH held AS MATERIALIZED (
    SELECT c.materialization_id AS id FROM claims c
    WHERE c.namespace = p_namespace AND c.process = ANY (p_processes)
  ), locked AS MATERIALIZED (
    SELECT m.id, m.process, m.rescues,
      CASE WHEN m.cancel_requested THEN 'cancelled' WHEN m.rescues >= p_cap THEN 'failed' ELSE 'pending' END AS status
    FROM materializations m WHERE m.id = ANY (ARRAY(SELECT h.id FROM held h)) ORDER BY m.id FOR UPDATE
  ), changed AS (
    UPDATE materializations m SET
      status = l.status, epoch = m.epoch + 1, rescues = m.rescues + 1,
      process = CASE WHEN l.status = 'pending' THEN NULL ELSE m.process END,
      error = CASE WHEN l.status = 'failed' THEN p_error END,
      started_at = CASE WHEN l.status = 'pending' THEN NULL ELSE m.started_at END,
      completed_at = CASE WHEN l.status <> 'pending' THEN clock_timestamp() END,
      deadline = NULL
    FROM locked l
    WHERE m.id = ANY (ARRAY(SELECT x.id FROM locked x)) AND l.id = m.id AND m.status = 'running'
      AND m.process = ANY (p_processes)
    RETURNING m.id, m.run_id, m.lane_id, m.head_id, m.asset_id, m.priority, m.status, m.epoch, l.process
  )
  SELECT array_agg((c.id, c.run_id, c.lane_id, c.head_id, c.asset_id, c.priority, c.status, c.epoch, c.process, true, NULL,
    'materialization.rescued')::moved) INTO v_moved FROM changed c;
  v_moved := COALESCE(v_moved, '{}');
  taken := cardinality(v_moved);
  ended := (finish(p_namespace, v_moved, NULL)).ended;
END $$`;

/**
 * Attempts are given back by the process that holds them: no attempt used up, the epoch kept. `p_ids` null: all.
 * Plan: claims_pkey, then primary keys. Guard: running by this process.
 */
const HAND_BACK = `CREATE FUNCTION hand_back(p_namespace integer, p_process text, p_ids bigint[], OUT given integer,
  OUT ended bigint[]) LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  v_moved moved[];
BEGIN
  WITH held AS MATERIALIZED (
    SELECT c.materialization_id AS id FROM claims c
    WHERE c.namespace = p_namespace AND c.process = p_process AND (p_ids IS NULL OR c.materialization_id = ANY (p_ids))
  ), locked AS MATERIALIZED (
    SELECT m.id FROM materializations m WHERE m.id = ANY (ARRAY(SELECT h.id FROM held h)) ORDER BY m.id FOR UPDATE
  ), changed AS (
    UPDATE materializations m SET
      status = CASE WHEN m.cancel_requested THEN 'cancelled' ELSE 'pending' END,
      process = CASE WHEN m.cancel_requested THEN m.process END,
      started_at = CASE WHEN m.cancel_requested THEN m.started_at END,
      completed_at = CASE WHEN m.cancel_requested THEN clock_timestamp() END,
      deadline = NULL
    WHERE m.id = ANY (ARRAY(SELECT l.id FROM locked l)) AND m.status = 'running' AND m.process = p_process
    RETURNING m.*
  )
  SELECT array_agg((c.id, c.run_id, c.lane_id, c.head_id, c.asset_id, c.priority, c.status, c.epoch, p_process, true, NULL,
    NULL)::moved) INTO v_moved FROM changed c;
  v_moved := COALESCE(v_moved, '{}');
  given := cardinality(v_moved);
  ended := (finish(p_namespace, v_moved, NULL)).ended;
END $$`;

/**
 * What runs of a run is asked to stop, with a timer after which it is fenced. Returns it, as JSON.
 * Plan: materializations_run. Guard: running.
 */
const ASK_TO_STOP = `CREATE FUNCTION ask_to_stop(p_namespace integer, p_run bigint, p_grace float8) RETURNS json
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
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
 * A planned run is cancelled: what is pending, or the first of it and then nothing of the run is claimed any more
 * (`more`: stop_pending goes on); what runs is asked to stop. The run records that this was accepted; the first request
 * counts. Plan: materializations_run, then primary keys. Guard: the run is running.
 */
const CANCEL_RUN = `CREATE FUNCTION cancel_run(p_namespace integer, p_run bigint, p_actor text, p_reason text,
  p_grace float8, OUT accepted boolean, OUT running json, OUT is_ended boolean, OUT released boolean, OUT more boolean)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  v_open integer;
  v_moved moved[];
  v_lanes bigint[];
BEGIN
  accepted := false; running := '[]'; is_ended := false; released := false; more := false;
  PERFORM FROM runs r WHERE r.id = p_run AND r.namespace = p_namespace AND r.status = 'running';
  IF NOT FOUND THEN RETURN; END IF;
  -- All that is open, at once: what goes back to pending between the next two steps would escape both.
  PERFORM FROM materializations m WHERE m.run_id = p_run AND m.status IN ('pending', 'running')
  ORDER BY m.run_id, m.id + 0 LIMIT ${MOST_STOPPED} FOR UPDATE;
  GET DIAGNOSTICS v_open = ROW_COUNT;
  more := v_open = ${MOST_STOPPED};
  v_moved := cancel_pending(p_run, 0);
  running := ask_to_stop(p_namespace, p_run, p_grace);
  v_lanes := conclude(p_namespace, v_moved);
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
  is_ended := tally(p_namespace, v_moved, NULL, v_lanes, NULL, NULL, ARRAY[p_run]) IS NOT NULL;
  released := v_lanes IS NOT NULL;
END $$`;

/**
 * The next of a run in which too much depends on failures for one transaction cannot run: one look at so many of its rows,
 * by id, in which upstreams come before what depends on them. By one process at a time. A failure that comes meanwhile
 * (`dooms`) sends it back to where it began, or further. Returns the runs that ended, and whether there is more; null:
 * nothing was to be done here. Plan: runs_dooming, materializations_run, then primary keys, lineage_upstream.
 * Guard: pending.
 */
const DOOM_PENDING = `CREATE FUNCTION doom_pending(p_namespace integer, OUT ended bigint[], OUT more boolean)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
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
  v_lanes := conclude(p_namespace, v_doomed);
  ended := COALESCE(tally(p_namespace, v_doomed, NULL, v_lanes, NULL, NULL, ARRAY[v_run]), '{}');
  UPDATE runs r SET doomed_to = CASE WHEN r.dooms <> v_dooms THEN LEAST(r.doomed_to, v_from)
    WHEN cardinality(v_looked) = ${MOST_STOPPED} THEN v_to END WHERE r.id = v_run;
  more := true;
END $$`;

/**
 * The next of what is pending in a run that is being stopped is cancelled, by one process at a time. `p_run` null: of
 * any run. When the end of it is reached, once more from the beginning, with all that is open locked, so that nothing
 * escapes that was claimed or went back meanwhile; then the run is stopped. First what depends on failures of it, so that
 * it ends as such. Returns what was asked to stop now, the runs that ended, and whether there is more.
 * Plan: runs_stopping, materializations_run, then primary keys.
 * Guard: the run is being stopped.
 */
const STOP_PENDING = `CREATE FUNCTION stop_pending(p_namespace integer, p_run bigint, OUT running json,
  OUT ended bigint[], OUT released boolean, OUT more boolean)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  v_run bigint;
  v_to bigint;
  v_grace float8;
  v_moved moved[];
  v_lanes bigint[];
BEGIN
  running := '[]'; released := false;
  IF p_run IS NULL THEN
    SELECT d.ended, d.more INTO ended, more FROM doom_pending(p_namespace) d;
    IF more THEN RETURN; END IF;
  END IF;
  ended := '{}'; more := false;
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
    PERFORM FROM materializations m WHERE m.run_id = v_run AND m.status IN ('pending', 'running')
    ORDER BY m.run_id, m.id + 0 FOR UPDATE;
  END IF;
  v_moved := cancel_pending(v_run, v_to);
  more := v_to > 0 OR cardinality(v_moved) = ${MOST_STOPPED};
  IF NOT more AND v_grace IS NOT NULL THEN running := ask_to_stop(p_namespace, v_run, v_grace); END IF;
  v_lanes := conclude(p_namespace, v_moved);
  released := v_lanes IS NOT NULL;
  -- What becomes ready again of a stopped run may have been taken for nothing until now.
  IF NOT more THEN v_lanes := v_lanes || ARRAY(SELECT l.id FROM lanes l WHERE l.run_id = v_run); END IF;
  ended := COALESCE(tally(p_namespace, v_moved, NULL, v_lanes, NULL, NULL, ARRAY[v_run]), '{}');
  IF cardinality(v_moved) < ${MOST_STOPPED} THEN
    UPDATE runs r SET stopping = more, stopped_to = 0 WHERE r.id = v_run;
  END IF;
  more := more OR p_run IS NULL;
END $$`;

/**
 * Due retries become ready, each once: its timer goes in the same transaction. Plan: timers_due, then primary keys.
 * Guard: pending at the epoch of the timer.
 */
const FIRE_RETRIES = `CREATE FUNCTION fire_retries(p_namespace integer, p_most integer) RETURNS integer LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
DECLARE
  v_lanes bigint[];
  v_released integer;
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
  SELECT array_agg(DISTINCT o.lane_id), count(*) INTO v_lanes, v_released FROM offered o;
  IF v_released > 0 THEN PERFORM tally(p_namespace, '{}', NULL, v_lanes, NULL, NULL, NULL); END IF;
  RETURN v_released;
END $$`;

export const FUNCTIONS: readonly string[] = [
  MOVED,
  TOKENS_LEFT,
  PLACES_LEFT,
  TOKEN_DUE,
  GATE_OPENS,
  BOUND_POOLS,
  CANCEL_PENDING,
  FOLLOW,
  CONCLUDE,
  TALLY,
  FINISH,
  RAISE_HOLDERS,
  CLAIM_READY,
  DESCRIBE_CLAIMS,
  POOLS_TO_RING,
  BEAT,
  TAKE_BACK,
  HAND_BACK,
  ASK_TO_STOP,
  DOOM_PENDING,
  CANCEL_RUN,
  STOP_PENDING,
  FIRE_RETRIES,
];
