// What bounds how much runs: places and tokens of a limit, and how the pools of a process are bounded.

/** The tokens of the rate of a limit `x`, counted up to now; null without a rate. */
const TOKENS = `LEAST(x.burst, x.tokens
  + GREATEST(extract(epoch FROM clock_timestamp() - x.refilled_at), 0)::float8 * 1000 * x.burst / x.period)`;

// These have no search path of their own, so that they are inlined where they are called.
export const TOKENS_LEFT = `CREATE FUNCTION tokens_left(x limits) RETURNS float8 LANGUAGE sql AS $$ SELECT ${TOKENS} $$`;

/** How many more may be claimed; null where nothing bounds it, less than one where none may. */
export const PLACES_LEFT = `CREATE FUNCTION places_left(x limits) RETURNS integer LANGUAGE sql AS $$
  SELECT LEAST(x.capacity - x.used, floor(${TOKENS})::integer) $$`;

/** In how many ms the next token comes; null where there is one, or no rate. */
export const TOKEN_DUE = `CREATE FUNCTION token_due(x limits) RETURNS float8 LANGUAGE sql AS $$
  SELECT CASE WHEN ${TOKENS} < 1 THEN ceil((1 - ${TOKENS}) * x.period / x.burst) END $$`;

/** From when on whoever waits at a limit may look again: a time to come, never (until a place is given back), or now. */
export const GATE_OPENS = `CREATE FUNCTION gate_opens(capacity integer, used integer, burst integer, tokens float8, period float8)
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
export const BOUND_POOLS = `CREATE FUNCTION bound_pools(p_namespace integer, p_pools json) RETURNS void LANGUAGE plpgsql
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
