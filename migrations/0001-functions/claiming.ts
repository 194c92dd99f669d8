// How work is given to a process: what of the next lanes is taken. What is told of it: telling.ts.
import { ENTER, LANES_IN_SIGHT, LOOK_FURTHER, lookAtLanes, NEXT_BY_KEY, NEXT_BY_RUN, ofItsAssets } from './lanes.js';

/** Of what is claimed for batches beside what takes their places, so many at once. */
const MOST_BESIDE = 1000;

/** Of the row of a ready one, and of its head: what each is read as. */
const OF_ROW = {
  ...{
    spot: 'm.ctid',
    id: 'm.id',
    run_id: 'm.run_id',
    lane_id: 'm.lane_id',
    head_id: 'm.head_id',
    asset_id: 'm.asset_id',
  },
  ...{ priority: 'm.priority', epoch: 'm.epoch', attempts: 'm.attempts', rescues: 'm.rescues', repins: 'm.repins' },
  ...{ forced: 'm.forced' },
  waited_for: 'm.waited_for',
};
const OF_HEAD = {
  ...{ head_spot: 'h.ctid', partition: 'h.partition', head: 'h.materialization_id', invalidated: 'h.invalidated' },
  ...{ failed: 'h.failed', active: 'h.active_materialization' },
};
const readAs = (columns: Readonly<Record<string, string>>): string =>
  Object.entries(columns)
    .map(([name, column]) => `${column} AS ${name}`)
    .join(', ');

/**
 * Ready rows with what they are claimed by, in their order, not more than `most`; each is locked, and so is its head.
 * What others hold is left out. Who takes such a row from the ready ones holds these locks, so that it needs none itself.
 */
const openRows = (where: string, most: string): string => `
        SELECT y.ctid AS place, y.rank, m.*, h.* FROM ready y
        CROSS JOIN LATERAL (
          SELECT ${readAs(OF_ROW)} FROM materializations m
          WHERE m.id = y.materialization_id AND m.status = 'pending' AND m.blockers = 0 AND m.waiting_for IS NULL
          FOR UPDATE SKIP LOCKED) m
        CROSS JOIN LATERAL (
          SELECT ${readAs(OF_HEAD)} FROM heads h WHERE h.id = m.head_id FOR UPDATE SKIP LOCKED) h
        WHERE ${where}
        ORDER BY y.rank, y.materialization_id LIMIT ${most}`;

/** The columns of `openRows`. */
const OPEN_ROW = ['place', 'rank', ...Object.keys(OF_ROW), ...Object.keys(OF_HEAD)];

/** Where lanes have limits: what of the picked ones these allow. */
const ALLOWED = `    ), beyond AS (
      -- Lanes that share a limit may have picked more than it has places: the first of each lane, in their order, and so on.
      SELECT p.id FROM (
        SELECT p.id, u.id AS limit_id, row_number() OVER (PARTITION BY u.id ORDER BY p.round, p.turn) AS place
        FROM (SELECT p.*, row_number() OVER (PARTITION BY p.lane_id ORDER BY p.rank, p.id) AS round FROM picked p) p
        CROSS JOIN LATERAL unnest(p.limits) u (id)) p
      CROSS JOIN LATERAL (SELECT places_left(x) AS free FROM limits x WHERE x.id = p.limit_id OFFSET 0) x
      WHERE p.place > x.free
    ), allowed AS MATERIALIZED (
      SELECT p.* FROM picked p WHERE p.id NOT IN (SELECT b.id FROM beyond b) ORDER BY p.rank, p.id LIMIT v_left
`;

/** Beside what takes places, others of the same assets that go with it. */
const BESIDE = `    ), beside AS MATERIALIZED (
      -- Next to the first of them, since a plan keeps those of an asset together; the bound is for what lies between.
      SELECT y.* FROM (
        SELECT a.lane_id, a.asset_id, a.rank, min(a.id) AS id, count(*) * (s.size - 1) AS most FROM allowed a
        JOIN unnest(p_batched, p_sizes) s (asset_id, size) ON s.asset_id = a.asset_id
        GROUP BY a.lane_id, a.asset_id, a.rank, s.size) g
      CROSS JOIN LATERAL (${openRows(
        `y.lane_id = g.lane_id AND y.rank = g.rank
          AND y.materialization_id BETWEEN g.id AND g.id + 10 * ${MOST_BESIDE}
          AND (y.asset_id = g.asset_id AND y.materialization_id NOT IN (SELECT a.id FROM allowed a)) IS TRUE`,
        `LEAST(g.most, ${MOST_BESIDE})`,
      )}) y
    ), together AS MATERIALIZED (
      SELECT ${OPEN_ROW.map((column) => `a.${column}`).join(', ')} FROM allowed a
      UNION ALL
      SELECT ${OPEN_ROW.map((column) => `b.${column}`).join(', ')} FROM beside b
`;

/** The batches of what is taken. */
const IN_BATCHES = `    ), numbered AS MATERIALIZED (
      SELECT j.id, j.lane_id, j.asset_id,
        (row_number() OVER (PARTITION BY j.lane_id, j.asset_id ORDER BY j.priority DESC, j.id) - 1) / s.size AS number
      FROM judged j JOIN unnest(p_batched, p_sizes) s (asset_id, size) ON s.asset_id = j.asset_id WHERE j.holder = j.id
    ), batches AS MATERIALIZED (
      SELECT n.lane_id, n.asset_id, n.number, nextval('batches') AS batch FROM numbered n
      GROUP BY n.lane_id, n.asset_id, n.number
    ), batched AS (
      SELECT j.*, b.batch FROM judged j
      LEFT JOIN numbered n ON n.id = j.id
      LEFT JOIN batches b ON b.lane_id = n.lane_id AND b.asset_id = n.asset_id AND b.number = n.number
`;

/**
 * The step of claim_ready that finds and locks what is taken from lanes. Most have no limits and nothing that is computed
 * in batches; the parts of the statement that only these need would cost as much as the rest where few are taken.
 */
function pickReady({ limited, batched }: { readonly limited: boolean; readonly batched: boolean }): string {
  const lane = limited
    ? `SELECT l.id, l.limits, LEAST(v_quota, f.free) AS quota, n.turn
      FROM unnest(v_lanes) WITH ORDINALITY n (id, turn)
      CROSS JOIN LATERAL (SELECT l.id, l.limits FROM lanes l WHERE l.id = n.id OFFSET 0) l
      CROSS JOIN LATERAL (SELECT min(places_left(x)) AS free FROM limits x WHERE x.id = ANY (l.limits) OFFSET 0) f`
    : `SELECT n.id, v_quota AS quota FROM unnest(v_lanes) n (id)`;
  return `    WITH picked AS MATERIALIZED (
      SELECT y.*, ${limited ? 'l.limits, l.turn, ' : ''}l.quota FROM (${lane}) l CROSS JOIN LATERAL (${openRows(
        // IS TRUE keeps it from becoming a condition of the index, which is to be read in its order.
        `y.lane_id = l.id AND (${ofItsAssets('y')}) IS TRUE`,
        'l.quota',
      )}) y${limited ? '' : ' ORDER BY y.rank, y.id LIMIT v_left'}
${limited ? ALLOWED : ''}${batched ? BESIDE : ''}    ), judged AS ${batched ? 'MATERIALIZED ' : ''}(
      SELECT w.*, COALESCE(w.active, first_value(w.id) OVER (PARTITION BY w.head_id ORDER BY w.priority DESC, w.id))
        AS holder
      FROM ${batched ? 'together' : limited ? 'allowed' : 'picked'} w
${batched ? IN_BATCHES : ''}    )
    SELECT array_agg(j.place), array_agg(j.head_spot), array_agg(j.id), array_agg(j.holder),
      array_agg(j.spot) FILTER (WHERE j.holder = j.id),
      array_agg((j.id, j.run_id, j.lane_id, j.asset_id, j.partition, j.priority, j.epoch + 1, j.attempts, j.rescues, j.repins, j.forced,
        j.waited_for, j.head, j.invalidated, j.failed, ${batched ? 'j.batch' : 'NULL'})::claim) FILTER (WHERE j.holder = j.id),
      array_agg(j.id) FILTER (WHERE j.holder <> j.id), array_agg(j.holder) FILTER (WHERE j.holder <> j.id),
      -- A lane that had its share may have more${
        limited
          ? `, or may have it after all where others were before it at a limit; one of
      -- which nothing could be had is left to the next claim.
      ARRAY(SELECT p.lane_id FROM picked p GROUP BY p.lane_id, p.quota HAVING count(*) = p.quota
        OR (EXISTS (SELECT FROM allowed) AND bool_or(p.id IN (SELECT b.id FROM beyond b))))`
          : `.
      ARRAY(SELECT p.lane_id FROM picked p GROUP BY p.lane_id, p.quota HAVING count(*) = p.quota)`
      }
    INTO v_places, v_heads, v_ids, v_holder_of, v_spots, v_taken, v_waiting, v_holders, v_full
    FROM ${batched ? 'batched' : 'judged'} j;`;
}

/**
 * The step of claim_ready that takes what was picked and is locked. The holder of a head as it was read under the lock.
 */
const TAKE = `      UPDATE heads h SET active_materialization = j.holder,
        waited = (h.waited AND h.active_materialization IS NOT NULL) OR j.waits
      FROM (SELECT n.spot, max(n.holder) AS holder, bool_or(n.holder <> n.id) AS waits
        FROM unnest(v_heads, v_ids, v_holder_of) n (spot, id, holder) GROUP BY n.spot) j
      WHERE h.ctid = ANY (v_heads) AND h.ctid = j.spot;
      UPDATE materializations m SET status = 'running', epoch = m.epoch + 1, process = p_process
      WHERE m.ctid = ANY (v_spots);
      INSERT INTO claims (namespace, process, materialization_id, batch)
      SELECT p_namespace, p_process, t.id, t.batch FROM unnest(v_taken) t;
      IF v_holders IS NOT NULL THEN
        UPDATE materializations m SET waiting_for = w.holder FROM unnest(v_waiting, v_holders) w (id, holder)
        WHERE m.id = ANY (v_waiting) AND w.id = m.id;
      END IF;
      DELETE FROM ready y WHERE y.ctid = ANY (v_places);
      GET DIAGNOSTICS v_gone = ROW_COUNT;
      -- Between the snapshot and the lock it was claimed by another, ended there and is to be tried again, perhaps later.
      IF v_gone < cardinality(v_places) THEN
        RAISE EXCEPTION 'what was ready was taken by another meanwhile' USING ERRCODE = 'serialization_failure';
      END IF;
      IF v_limited THEN
        WITH n AS MATERIALIZED (
          SELECT u.id, sum(c.count)::integer AS count FROM (
            SELECT t.lane_id, count(DISTINCT COALESCE(t.batch, -t.id)) AS count FROM unnest(v_taken) t GROUP BY t.lane_id) c
          CROSS JOIN LATERAL (SELECT l.limits FROM lanes l WHERE l.id = c.lane_id OFFSET 0) l
          CROSS JOIN LATERAL unnest(l.limits) u (id) GROUP BY u.id
        )
        UPDATE limits x SET used = x.used + n.count,
          tokens = CASE WHEN x.burst IS NOT NULL THEN GREATEST(tokens_left(x) - n.count, 0) END,
          refilled_at = CASE WHEN x.burst IS NOT NULL THEN clock_timestamp() END,
          served_at = clock_timestamp(),
          opens_at = CASE WHEN x.opens_at IS NOT NULL
            THEN gate_opens(x.capacity, x.used + n.count, x.burst, tokens_left(x) - n.count, x.period) END
        FROM n WHERE x.id = ANY (ARRAY(SELECT y.id FROM n y)) AND n.id = x.id;
      END IF;
      IF v_holders IS NOT NULL THEN PERFORM raise_holders(v_holders); END IF;
      claimed := claimed || COALESCE(v_taken, '{}');
      IF v_stale IS NOT NULL THEN
        served := served || ARRAY(SELECT DISTINCT t.lane_id FROM unnest(v_taken) t WHERE t.lane_id = ANY (v_stale));
      END IF;
      v_left := v_left - CASE WHEN p_batched IS NULL THEN COALESCE(cardinality(v_taken), 0)
        ELSE (SELECT count(DISTINCT COALESCE(t.batch, -t.id)) FROM unnest(v_taken) t) END;`;

/**
 * Takes ready materializations for a process, at most `p_limit`: among the lanes whose first is the most urgent (its
 * priority, and one more for each minute without service) those of the runs with the least under way, each its share.
 * Lanes of one key count as one, so that no key delays others by the number of its runs. Then by priority and age. A row
 * whose lock is free, or its own already, takes it; the others record whom they wait for, under the head's row lock, so
 * that the holder's end cannot miss them.
 * `p_assets`: a bit for each asset that the process executes, by number (get_bit).
 * This half never waits: what cannot be locked stays ready for the next claim. `p_run`: only of this run.
 * `p_released`: lanes in which this transaction made something ready, which they have not noted yet.
 * Only lanes that have a place and a token are taken from; those that have none wait at the gate of a limit that is full
 * (`shut`, `gates`: which from now on) and are looked at again when that opens. `again`: in how many ms more may be had
 * that nobody will ring for (a token comes, another process was just counting, or there were too many lanes to see them
 * all), null: not to be known.
 * Of the assets `p_batched`, so many as `p_sizes` says share a place: with those that take places, of one lane, come
 * others of it, as many as fill their batches. `p_limit` counts places, too.
 * `served`: lanes that are to note that they were. The caller notes what concerns lanes (note_lanes) and counts (tally).
 * Plan: lanes_ready from both ends and, where these leave out some, from a place by chance, so that those between are seen
 * too, and all of it where too little is found so; likewise limits_gates, and lanes_gated for each; ready_pkey per lane,
 * stopped by LIMIT; primary keys.
 * Guard: pending without blockers, read under the row lock; the caller knows that the process may claim (ENTER).
 */
export const CLAIM_READY = `CREATE FUNCTION claim_ready(p_namespace integer, p_process text, p_limit integer, p_assets bytea,
  p_batched integer[], p_sizes integer[], p_run bigint, p_released bigint[], OUT claimed claim[],
  OUT served bigint[], OUT empty bigint[], OUT empty_at integer[], OUT again float8,
  OUT shut bigint[], OUT gates bigint[])
LANGUAGE plpgsql AS $$
DECLARE
  v_now timestamptz;
  v_left integer := p_limit;
  v_known integer := 8 * octet_length(p_assets);
  v_tried bigint[] := '{}';
  v_lanes bigint[];
  v_limited boolean;
  v_all boolean;
  v_stale bigint[];
  v_busy boolean := false;
  v_sight bigint[];
  v_more boolean := false;
  v_further bigint[];
  v_keyed boolean;
  v_open boolean;
  v_opens_at timestamptz;
  v_opened bigint[];
  v_quota integer;
  v_places tid[];
  v_heads tid[];
  v_ids bigint[];
  v_holder_of bigint[];
  v_spots tid[];
  v_taken claim[];
  v_waiting bigint[];
  v_holders bigint[];
  v_full bigint[];
  v_gone integer;
  v_unfit tid[];
  v_shut bigint[];
  v_gates bigint[];
  v_idle bigint[];
BEGIN
  claimed := '{}';
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
  IF p_run IS NULL THEN
${LANES_IN_SIGHT}
    v_sight := v_sight || p_released || v_opened;
  ELSE
    v_sight := ARRAY(SELECT l.id FROM lanes l WHERE l.run_id = p_run AND l.has_ready);
  END IF;
  WHILE v_left > 0 AND cardinality(claimed) < GREATEST(p_limit, ${MOST_BESIDE}) LOOP
    IF v_keyed THEN
      ${lookAtLanes(NEXT_BY_KEY)}
    ELSE
      ${lookAtLanes(NEXT_BY_RUN)}
    END IF;
    IF v_lanes IS NULL THEN
      ${LOOK_FURTHER}
    END IF;
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

    IF p_batched IS NOT NULL THEN
${pickReady({ limited: true, batched: true })}
    ELSIF v_limited THEN
${pickReady({ limited: true, batched: false })}
    ELSE
${pickReady({ limited: false, batched: false })}
    END IF;
    IF v_places IS NOT NULL THEN
${TAKE}
    ELSE
      -- What could not be had is locked by somebody, or has no business here; the latter must not stand in the way.
      v_unfit := ARRAY(
        SELECT y.place FROM unnest(v_lanes) l (id) CROSS JOIN LATERAL (
          SELECT y.ctid AS place, y.materialization_id AS id FROM ready y
          WHERE y.lane_id = l.id AND (${ofItsAssets('y')}) IS TRUE
          ORDER BY y.rank, y.materialization_id LIMIT 4) y
        WHERE NOT EXISTS (SELECT FROM materializations m
          WHERE m.id = y.id AND m.status = 'pending' AND m.blockers = 0 AND m.waiting_for IS NULL OFFSET 0));
      DELETE FROM ready y WHERE y.ctid = ANY (ARRAY(
        SELECT x.ctid FROM ready x WHERE x.ctid = ANY (v_unfit) FOR UPDATE SKIP LOCKED));
    END IF;
    -- Nothing is open but what was tried.
    IF v_all AND NOT v_limited AND cardinality(v_full) = 0 THEN
      ${LOOK_FURTHER}
    END IF;
    v_tried := ARRAY(SELECT t.id FROM unnest(v_tried) t (id) WHERE t.id <> ALL (v_full));
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
  -- More lanes may have something than were looked at. Some are out of the way now, so that those between can be seen;
  -- else others are seen by chance, and not so soon, since all that may be had may be of other processes.
  IF v_left > 0 AND cardinality(v_further) = 512 THEN
    again := LEAST(again, CASE WHEN num_nonnulls(shut, empty) > 0 THEN 0 ELSE 1000 END);
  END IF;
  IF v_busy THEN again := 0; END IF;
END $$`;

/** A holder that has not begun gets the priority of the most urgent that waits for it. It never waits, as its caller. */
export const RAISE_HOLDERS = `CREATE FUNCTION raise_holders(p_holders bigint[]) RETURNS void LANGUAGE plpgsql
AS $$
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

/** Claims of one run within the transaction that inserts it, as JSON. */
export const CLAIM_RUN = `CREATE FUNCTION claim_run(p_namespace integer, p_process text, p_limit integer, p_assets bytea,
  p_run bigint, p_batched integer[], p_sizes integer[]) RETURNS json LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  v_claimed claim[];
  v_served bigint[];
  v_shut bigint[];
  v_gates bigint[];
  outdated boolean;
BEGIN
  ${ENTER}
  IF outdated IS NOT false THEN RETURN NULL; END IF;
  SELECT c.claimed, c.served, c.shut, c.gates INTO v_claimed, v_served, v_shut, v_gates
  FROM claim_ready(p_namespace, p_process, p_limit, p_assets, p_batched, p_sizes, p_run, NULL) c;
  PERFORM note_lanes(NULL, v_served, p_shut => v_shut, p_gates => v_gates);
  PERFORM tally(p_namespace, '{}', v_claimed);
  RETURN describe_claims(v_claimed);
END $$`;
