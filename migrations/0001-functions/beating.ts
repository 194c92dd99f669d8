// How attempts come to their end or go back: the beat of a process, and the work of those that are lost or leave.
import { ENTER } from './lanes.js';

/**
 * One beat of a process: attempts end or go back as their outcomes say, with all that follows, and what is ready is
 * claimed. Either half may be empty. Guard of the first: running at this epoch; a success also before its deadline. A
 * row whose cancel was asked for does not go back: it ends cancelled. Plan: primary keys.
 * Returns how those stand that did not move, the runs that ended, whether work was released that the claim did not see,
 * or that it may have left to others (`fresh`), the claims, and where others may find something.
 */
export const BEAT = `CREATE FUNCTION beat(p_namespace integer, p_ids bigint[], p_outcomes json, p_consumers bigint[],
  p_consumed bigint[], p_documented bigint[], p_documents text[], p_process text, p_limit integer, p_assets bytea,
  p_batched integer[], p_sizes integer[],
  OUT standing json, OUT ended bigint[], OUT released boolean, OUT fresh boolean, OUT claims json, OUT again float8, OUT outdated boolean,
  OUT rings text[])
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  v_moved moved[] := '{}';
  v_failing boolean;
  v_cut boolean := false;
  v_successes bigint[];
  v_lanes bigint[];
  v_gave boolean := false;
  v_claimed claim[];
  v_served bigint[];
  v_empty bigint[];
  v_empty_at integer[];
  v_shut bigint[];
  v_gates bigint[];
  v_left integer := p_limit;
BEGIN
  ended := '{}'; released := false; fresh := false;
  IF p_limit > 0 THEN
    ${ENTER}
    IF outdated IS NOT false THEN v_left := 0; END IF;
  END IF;
  IF cardinality(p_ids) > 0 THEN
    WITH outcome AS MATERIALIZED (
      SELECT * FROM json_to_recordset(p_outcomes) AS o (id bigint, epoch integer, status text, attempts integer,
        rescues integer, repins integer, delay float8, told text, error jsonb, started_at timestamptz, skip_reason text, joined bigint,
        code_version text, data_version text, inputs text, upstreams text, io text, location jsonb, size bigint,
        rows bigint, hash text, format text, schema json, metadata jsonb, definition text)
    ), changed AS (
      UPDATE materializations m SET
        status = CASE WHEN o.status = 'pending' AND m.cancel_requested THEN 'cancelled' ELSE o.status END,
        process = CASE WHEN o.status = 'pending' AND NOT m.cancel_requested THEN NULL ELSE m.process END,
        attempts = m.attempts + o.attempts,
        rescues = m.rescues + o.rescues,
        repins = m.repins + COALESCE(o.repins, 0),
        error = CASE WHEN o.status = 'pending' THEN COALESCE(o.error, m.error) ELSE o.error END,
        started_at = CASE WHEN o.status = 'pending' THEN NULL ELSE COALESCE(o.started_at, m.started_at) END,
        completed_at = CASE WHEN o.status <> 'pending' OR m.cancel_requested THEN clock_timestamp() END,
        deadline = CASE WHEN o.status <> 'pending' OR m.cancel_requested THEN m.deadline END,
        skip_reason = o.skip_reason, joined = o.joined,
        code_version = o.code_version, data_version = o.data_version, inputs = o.inputs, upstreams = o.upstreams,
        io = o.io, location = o.location, size = o.size, rows = o.rows, hash = o.hash,
        format = o.format, schema = o.schema, metadata = o.metadata, definition = o.definition
      FROM outcome o
      -- Who ran it, of what goes back: of an attempt that was claimed it does not change.
      LEFT JOIN LATERAL (SELECT x.process FROM materializations x WHERE x.id = o.id AND o.status = 'pending' OFFSET 0) x
        ON true
      WHERE m.id = ANY (p_ids) AND o.id = m.id AND m.epoch = o.epoch
        AND m.status = 'running'
        AND (o.status <> 'success' OR m.deadline IS NULL OR m.deadline > clock_timestamp())
      RETURNING m.id, m.run_id, m.lane_id, m.head_id, m.asset_id, m.priority, m.status, m.epoch,
        COALESCE(m.process, x.process) AS process,
        o.status = 'pending' OR m.cancel_requested OR m.deadline IS NOT NULL
          OR m.attempts + m.rescues > o.attempts + o.rescues AS timed,
        o.delay, o.told
    )
    SELECT array_agg((c.id, c.run_id, c.lane_id, c.head_id, c.asset_id, c.priority, c.status, c.epoch, c.process, c.timed,
      c.delay, c.told)::moved), array_agg(c.id) FILTER (WHERE c.status = 'success'),
      bool_or(c.status IN ('failed', 'cancelled'))
    INTO v_moved, v_successes, v_failing FROM changed c;
    v_moved := COALESCE(v_moved, '{}');

    IF cardinality(v_moved) < cardinality(p_ids) THEN
      SELECT json_agg(json_build_object('id', n.id, 'epoch', m.epoch, 'status', m.status)) INTO standing
      FROM unnest(p_ids) n (id)
      LEFT JOIN LATERAL (SELECT m.epoch, m.status FROM materializations m WHERE m.id = n.id OFFSET 0) m ON true
      WHERE n.id <> ALL (ARRAY(SELECT x.id FROM unnest(v_moved) x));
    END IF;

    IF cardinality(p_documented) > 0 THEN
      INSERT INTO value_documents (namespace, materialization_id, epoch, content)
      SELECT n.name, m.id, m.epoch, d.content::jsonb
      FROM unnest(p_documented, p_documents) AS d (id, content)
      JOIN unnest(v_moved) m ON m.id = d.id AND m.status = 'success'
      JOIN namespaces n ON n.id = p_namespace;
    END IF;

    -- The edges of successes become exactly what they consumed; only the difference is written.
    IF cardinality(p_consumers) > 0 OR EXISTS (
      SELECT FROM unnest(v_successes) n (id)
      CROSS JOIN LATERAL (SELECT FROM lineage l WHERE l.downstream = n.id AND NOT l.ordering LIMIT 1) l)
    THEN
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
      IF v_failing THEN SELECT v_moved || f.doomed, f.cut INTO v_moved, v_cut FROM follow(v_moved) f; END IF;
      SELECT c.released, c.gave, c.claimed, c.served INTO v_lanes, v_gave, v_claimed, v_served
      FROM conclude(p_namespace, v_moved, p_process, v_left, p_assets, p_batched) c;
      v_left := v_left - COALESCE(cardinality(v_claimed), 0);
    END IF;
    -- Beside what was taken at once.
    fresh := v_lanes IS NOT NULL OR v_gave;
    -- A claim below sees what was released.
    released := p_limit = 0 AND fresh;
  END IF;
  -- Where something was taken at once nothing else was ready before.
  IF v_left > 0 AND (v_claimed IS NULL OR v_lanes IS NOT NULL) THEN
    SELECT v_claimed || c.claimed, v_served || c.served, c.empty, c.empty_at, c.again, c.shut, c.gates
    INTO v_claimed, v_served, v_empty, v_empty_at, again, v_shut, v_gates
    FROM claim_ready(p_namespace, p_process, v_left, p_assets, p_batched, p_sizes, NULL, v_lanes) c;
    -- Most have been emptied by that.
    IF v_lanes IS NOT NULL THEN
      SELECT array_agg(r.id) INTO v_lanes FROM unnest(v_lanes) r (id)
      WHERE EXISTS (SELECT FROM ready y WHERE y.lane_id = r.id OFFSET 0);
    END IF;
  END IF;
  -- Before the locks that every beat of a run takes, which last until the commit.
  IF cardinality(v_claimed) > 0 THEN claims := describe_claims(v_claimed); END IF;
  rings := CASE WHEN v_lanes IS NOT NULL OR v_gave THEN pools_to_ring(v_moved, v_lanes) ELSE '{}' END;
  PERFORM note_lanes(v_lanes, v_served, v_empty, v_empty_at, v_shut, v_gates);
  IF cardinality(v_moved) > 0 OR cardinality(v_claimed) > 0 THEN
    ended := COALESCE(tally(p_namespace, v_moved, v_claimed, p_cut => v_cut), '{}');
  END IF;
END $$`;

/**
 * The work of lost processes goes back with the epoch raised, or ends: cancelled where that was asked for, failed where
 * workers were lost more than `p_cap` times; runs that they were planning likewise, those that fail with
 * `p_unplanned`. The caller holds the rows of the processes. Returns how many materializations, the runs that ended, the
 * pools in which there is something to do or to plan now, and what failed.
 * Plan: claims_pkey, runs_planner, assets_key, then primary keys. Guard: running, or being planned, by one of these
 * processes.
 */
export const TAKE_BACK = `CREATE FUNCTION take_back(p_namespace integer, p_processes text[], p_cap integer, p_error jsonb,
  p_unplanned jsonb, OUT taken integer, OUT ended bigint[], OUT rings text[], OUT failed json)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  v_moved moved[];
  v_to_plan bigint[];
  v_unplanned bigint[];
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
      deadline = CASE WHEN l.status <> 'pending' THEN m.deadline END
    FROM locked l
    WHERE m.id = ANY (ARRAY(SELECT x.id FROM locked x)) AND l.id = m.id AND m.status = 'running'
      AND m.process = ANY (p_processes)
    RETURNING m.id, m.run_id, m.lane_id, m.head_id, m.asset_id, m.priority, m.status, m.epoch, l.process
  )
  SELECT array_agg((c.id, c.run_id, c.lane_id, c.head_id, c.asset_id, c.priority, c.status, c.epoch, c.process, true, NULL,
    'materialization.rescued')::moved) INTO v_moved FROM changed c;
  v_moved := COALESCE(v_moved, '{}');
  taken := cardinality(v_moved);
  SELECT COALESCE(json_agg(json_build_object('run', m.run_id, 'asset', a.key, 'attempt', x.attempts + 1,
    'partition', CASE WHEN a.partitioned THEN h.partition END) ORDER BY m.id), '[]') INTO failed
  FROM unnest(v_moved) m
  CROSS JOIN LATERAL (SELECT x.attempts FROM materializations x WHERE x.id = m.id OFFSET 0) x
  CROSS JOIN LATERAL (SELECT h.partition FROM heads h WHERE h.id = m.head_id OFFSET 0) h
  CROSS JOIN LATERAL (SELECT a.key, a.partitioned FROM assets a WHERE a.id = m.asset_id OFFSET 0) a
  WHERE m.status = 'failed';
  SELECT f.ended, f.rings INTO ended, rings FROM finish(p_namespace, v_moved, NULL) f;
  -- Runs come last, as everywhere.
  WITH held AS MATERIALIZED (
    SELECT r.id FROM runs r
    WHERE r.namespace = p_namespace AND r.status = 'planning' AND r.planner = ANY (p_processes)
    ORDER BY r.id FOR UPDATE
  ), changed AS (
    UPDATE runs r SET planner = NULL, plannings_lost = r.plannings_lost + 1,
      status = CASE WHEN r.plannings_lost < p_cap THEN r.status ELSE 'failed' END,
      error = CASE WHEN r.plannings_lost >= p_cap THEN p_unplanned END,
      completed_at = CASE WHEN r.plannings_lost >= p_cap THEN clock_timestamp() END
    WHERE r.id = ANY (ARRAY(SELECT h.id FROM held h))
    RETURNING r.id, r.status
  ), told AS (
    INSERT INTO events (namespace, kind, run_id, detail)
    SELECT p_namespace, 'run.ended', c.id, jsonb_build_object('status', c.status) FROM changed c
    WHERE c.status <> 'planning' ORDER BY c.id
  )
  SELECT array_agg(c.id) FILTER (WHERE c.status = 'planning'), array_agg(c.id) FILTER (WHERE c.status <> 'planning')
  INTO v_to_plan, v_unplanned FROM changed c;
  ended := ended || v_unplanned;
  -- It is planned by whoever works for one of its targets.
  rings := rings || ARRAY(SELECT DISTINCT p.name
    FROM (SELECT r.request FROM runs r WHERE r.id = ANY (v_to_plan) OFFSET 0) r
    CROSS JOIN LATERAL json_array_elements(r.request -> 'targets') t
    CROSS JOIN LATERAL (SELECT a.pool_id FROM assets a
      WHERE a.namespace = p_namespace AND a.key = t ->> 'asset' OFFSET 0) a
    CROSS JOIN LATERAL (SELECT p.name FROM pools p WHERE p.id = a.pool_id OFFSET 0) p);
END $$`;

/**
 * Attempts are given back by the process that holds them: no attempt used up, the epoch kept. `p_ids` null: all. Returns
 * how many, the runs that ended, and the pools in which there is something to do now.
 * Plan: claims_pkey, then primary keys. Guard: running by this process.
 */
export const HAND_BACK = `CREATE FUNCTION hand_back(p_namespace integer, p_process text, p_ids bigint[], OUT given integer,
  OUT ended bigint[], OUT rings text[]) LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
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
      deadline = CASE WHEN m.cancel_requested THEN m.deadline END
    WHERE m.id = ANY (ARRAY(SELECT l.id FROM locked l)) AND m.status = 'running' AND m.process = p_process
    RETURNING m.*
  )
  SELECT array_agg((c.id, c.run_id, c.lane_id, c.head_id, c.asset_id, c.priority, c.status, c.epoch, p_process, true, NULL,
    NULL)::moved) INTO v_moved FROM changed c;
  v_moved := COALESCE(v_moved, '{}');
  given := cardinality(v_moved);
  SELECT f.ended, f.rings INTO ended, rings FROM finish(p_namespace, v_moved, NULL) f;
END $$`;
