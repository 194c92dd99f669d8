// What processes are told: of their claims, and in which pools others may find something.

/** A materialization that a process has claimed in this transaction, with what it is told of it. */
export const CLAIM = `CREATE TYPE claim AS (
  id bigint,
  run_id bigint,
  lane_id bigint,
  asset_id integer,
  partition text,
  priority integer,
  epoch integer,
  attempts integer,
  rescues integer,
  repins integer,
  forced boolean,
  waited_for bigint,
  -- of (asset, partition): the newest version, and what became of it and of attempts since
  head bigint,
  invalidated boolean,
  failed boolean,
  -- of those that are computed together and share a place; null: it has one of its own
  batch bigint
)`;

/** What a worker is told of each claim: columns of its type. */
const TOLD = [
  ...[
    'id',
    'run_id',
    'asset_id',
    'partition',
    'epoch',
    'attempts',
    'rescues',
    'repins',
    'forced',
    'priority',
    'waited_for',
    'head',
  ],
  ...['invalidated', 'failed', 'batch'],
];

/** The JSON of claims by column; `valuesOf`: the JSON of one. */
export const toldBy = (valuesOf: (column: string) => string): string =>
  `json_build_object(${TOLD.map((column) => `'${column}', ${valuesOf(column)}`).join(', ')})`;

/**
 * What a worker needs of its claims, as JSON: them by column (`v_columns`), and what several share once, their runs
 * (`v_runs`), the versions that are their heads (`v_heads`, null: none), what they waited for (`v_joined`, likewise).
 */
export const DESCRIPTION = `json_build_object('claimed_at', clock_timestamp(), 'columns', v_columns,
    'runs', (SELECT json_agg(r) FROM (
      SELECT r.id, r.requested_by, r.tags, r.force_max_age FROM runs r WHERE r.id = ANY (v_runs)) r),
    'heads', CASE WHEN v_heads IS NOT NULL THEN (SELECT json_agg(v) FROM (
      SELECT v.id, v.data_version, v.code_version, v.inputs, v.upstreams, v.io, v.location, v.size, v.rows, v.hash,
        v.completed_at
      FROM materializations v WHERE v.id = ANY (v_heads)) v) END,
    'joined', CASE WHEN v_joined IS NOT NULL THEN (SELECT json_agg(j) FROM (
      SELECT j.id, j.status, j.error FROM materializations j WHERE j.id = ANY (v_joined)) j) END)`;

/**
 * The description of claims, null without any. A statement after the claim, since a head may have been committed after the
 * claim's snapshot was taken. Plan: primary keys.
 */
export const DESCRIBE_CLAIMS = `CREATE FUNCTION describe_claims(p_claims claim[]) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  v_columns json;
  v_runs bigint[];
  v_heads bigint[];
  v_joined bigint[];
BEGIN
  SELECT ${toldBy((column) => `json_agg(c.${column})`)},
    array_agg(DISTINCT c.run_id), array_agg(c.head) FILTER (WHERE c.head IS NOT NULL),
    array_agg(c.waited_for) FILTER (WHERE c.waited_for IS NOT NULL)
  INTO v_columns, v_runs, v_heads, v_joined
  FROM (SELECT c.* FROM unnest(p_claims) c ORDER BY c.priority DESC, c.id) c HAVING count(*) > 0;
  IF v_columns IS NULL THEN RETURN NULL; END IF;
  RETURN ${DESCRIPTION};
END $$`;

/**
 * The same of what a process holds; it may have been silent since it claimed, and the epoch of whoever has it now is not
 * for it. Plan: primary keys, claims_pkey. Guard: running by this process.
 */
export const DESCRIBE_HELD = `CREATE FUNCTION describe_held(p_process text, p_ids bigint[]) RETURNS json LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
BEGIN
  RETURN describe_claims(ARRAY(
    SELECT (m.id, m.run_id, m.lane_id, m.asset_id, h.partition, m.priority, m.epoch, m.attempts, m.rescues, m.repins, m.forced,
      m.waited_for, h.materialization_id, h.invalidated, h.failed, k.batch)::claim
    FROM materializations m
    CROSS JOIN LATERAL (SELECT h.* FROM heads h WHERE h.id = m.head_id OFFSET 0) h
    CROSS JOIN LATERAL (
      SELECT k.batch FROM claims k
      WHERE k.namespace = m.namespace AND k.process = p_process AND k.materialization_id = m.id OFFSET 0) k
    WHERE m.id = ANY (p_ids) AND m.process = p_process AND m.status = 'running'));
END $$`;

/**
 * Pools in which somebody may find something, now that these moved and lanes were released, and whoever did that took what
 * it could: work of assets it has no part in, and places that somebody waits for. Plan: primary keys, lanes_gated.
 */
export const POOLS_TO_RING = `CREATE FUNCTION pools_to_ring(p_moved moved[], p_released bigint[]) RETURNS text[] LANGUAGE plpgsql
AS $$
BEGIN
  RETURN ARRAY(SELECT p.name FROM pools p WHERE p.id = ANY (ARRAY(
    SELECT l.pool_id FROM lanes l
    WHERE l.id = ANY (p_released)
      AND NOT EXISTS (SELECT FROM limits x WHERE x.id = ANY (l.limits) AND places_left(x) < 1 OFFSET 0)
    UNION ALL
    SELECT o.pool_id FROM (SELECT DISTINCT m.lane_id AS id FROM unnest(p_moved) m WHERE m.process IS NOT NULL) n
    CROSS JOIN LATERAL (SELECT l.limits FROM lanes l WHERE l.id = n.id AND l.limits IS NOT NULL OFFSET 0) l
    CROSS JOIN LATERAL (SELECT x.id FROM limits x
      WHERE x.id = ANY (l.limits) AND x.opens_at IS NOT NULL AND COALESCE(places_left(x), 1) > 0 OFFSET 0) x
    CROSS JOIN LATERAL (SELECT o.pool_id FROM lanes o WHERE o.gate = x.id LIMIT 1) o)) ORDER BY p.name);
END $$`;
