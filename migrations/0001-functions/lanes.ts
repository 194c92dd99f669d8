// Which lanes are next: what of them is in sight, and where claims begin.

/** Whether the process executes the asset of the row `row`: a bit for each, by number. */
export const ofItsAssets = (row: string): string =>
  `CASE WHEN ${row}.asset_id < v_known THEN get_bit(p_assets, ${row}.asset_id) = 1 END`;

/**
 * Whether anything in the lane `lane` may be of an asset that the process executes. Unnested as it is read, which is mostly
 * no further than to the first; in FROM it would be wholly.
 */
const hasOfIts = (lane: string): string =>
  `EXISTS (SELECT FROM (SELECT unnest(${lane}.assets) AS asset_id) a WHERE ${ofItsAssets('a')})`;

/**
 * Where something is to be claimed: whether other definitions may count than the process knows; null: it is gone. Its row
 * is shared (KEY SHARE), so that a rescue, which takes it FOR UPDATE, comes wholly before (then there is no row, and
 * nothing is claimed) or wholly after. The table first, before lanes are read: see bound_pools.
 */
export const ENTER = `LOCK TABLE claims IN ROW EXCLUSIVE MODE;
    SELECT p.outdated INTO outdated FROM processes p WHERE p.namespace = p_namespace AND p.id = p_process FOR KEY SHARE;`;

/**
 * The lanes in sight that wait at no gate: all, or where there are very many those at both ends and some from a place by
 * chance between, so that each is seen sooner or later. Where there are few, which is cheap to know, nothing else is read.
 */
export const LANES_IN_SIGHT = `    v_sight := ARRAY(SELECT l.id FROM lanes l WHERE l.namespace = p_namespace AND l.has_ready AND l.gate IS NULL
      ORDER BY l.id LIMIT 512);
    v_more := cardinality(v_sight) = 512;
    IF v_more THEN
      WITH ends AS MATERIALIZED (
        SELECT n.id FROM unnest(v_sight[:256]) n (id)
        UNION
        (SELECT l.id FROM lanes l WHERE l.namespace = p_namespace AND l.has_ready AND l.gate IS NULL
          ORDER BY l.id DESC LIMIT 256)
      )
      SELECT array_agg(n.id) INTO v_sight FROM (
        SELECT e.id FROM ends e
        UNION
        SELECT l.id FROM (
          SELECT min(e.id) + floor(random() * (max(e.id) - min(e.id)))::bigint AS id FROM ends e) c
        CROSS JOIN LATERAL (SELECT l.id FROM lanes l
          WHERE l.namespace = p_namespace AND l.has_ready AND l.gate IS NULL AND l.id >= c.id ORDER BY l.id LIMIT 128) l) n;
    END IF;`;

/**
 * For a loop that found nothing open in sight: where that were not all lanes it goes on, once, with more of those that may
 * have something for the process; else it ends. Reads all lanes that wait at no gate.
 */
export const LOOK_FURTHER = `EXIT WHEN NOT v_more OR v_left < 1;
      v_more := false;
      v_further := ARRAY(SELECT l.id FROM lanes l WHERE l.namespace = p_namespace AND l.has_ready AND l.gate IS NULL
        AND l.id NOT IN (SELECT n.id FROM unnest(v_sight) n (id)) AND ${hasOfIts('l')} ORDER BY l.id LIMIT 512);
      EXIT WHEN cardinality(v_further) = 0;
      v_sight := v_sight || v_further;
      CONTINUE;`;

/**
 * A look at the lanes in sight, and which of them are next, by `first`: a CTE made of `lane`. Open are only those that may
 * have something for the process: what others leave lying in a lane, however much, is not to be read in vain. Of all of
 * them it is found out whether they are empty or have no place, so that they are in nobody's sight.
 */
export const lookAtLanes = (first: string): string => `WITH lane AS MATERIALIZED (
      SELECT l.id, l.releases, l.limits, l.gate, l.key_limit, y.rank, x.due, x.shut,
        l.id <> ALL (v_tried) AND x.shut IS NULL AND ${hasOfIts('l')} AS open,
        l.served_at < v_now - interval '1 second' AS stale, GREATEST(r.running, x.key_used) AS load, GREATEST(l.served_at, x.key_served_at) AS served_at,
        floor(extract(epoch FROM v_now - l.served_at) / 60)::integer - y.rank AS urgency
      FROM (SELECT DISTINCT n.id FROM unnest(v_sight) n (id)) n
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
    ), ${first}
    SELECT (SELECT array_agg(f.id) FROM first f), (SELECT bool_or(f.limits IS NOT NULL) FROM first f),
      (SELECT array_agg(f.id) FROM first f WHERE f.stale), (SELECT count(*) FROM first) = count(*) FILTER (WHERE l.open),
      array_agg(l.id) FILTER (WHERE l.rank IS NULL), array_agg(l.releases) FILTER (WHERE l.rank IS NULL),
      min(l.due) FILTER (WHERE l.rank IS NOT NULL),
      array_agg(l.id) FILTER (WHERE l.rank IS NOT NULL AND l.shut <> COALESCE(l.gate, 0)),
      array_agg(l.shut) FILTER (WHERE l.rank IS NOT NULL AND l.shut <> COALESCE(l.gate, 0))
    INTO v_lanes, v_limited, v_stale, v_all, empty, empty_at, again, v_shut, v_gates FROM lane l;`;

/** Of the most urgent those of the runs with the least under way. */
export const NEXT_BY_RUN = `first AS (
      SELECT l.id, l.limits, l.stale FROM lane l WHERE l.open AND l.urgency = (SELECT max(x.urgency) FROM lane x WHERE x.open)
      ORDER BY l.load, l.id LIMIT v_left
    )`;

/** The same where lanes have keys. */
export const NEXT_BY_KEY = `standing AS MATERIALIZED (
      -- Lanes of one key stand to each other by their own urgency; the key stands to others by the highest priority in
      -- it and by when it was served: many lanes make it no more urgent. A lane without a key stands for itself.
      SELECT l.*, l.urgency - max(l.urgency) OVER key + max(-l.rank) OVER key
        + floor(extract(epoch FROM v_now - l.served_at) / 60)::integer AS standing
      FROM lane l WHERE l.open WINDOW key AS (PARTITION BY COALESCE(l.key_limit, -l.id))
    ), first AS (
      SELECT s.id, s.limits, s.stale FROM (
        -- Each lane of a key adds to what is under way of it.
        SELECT s.*, s.load + row_number() OVER (PARTITION BY COALESCE(s.key_limit, -s.id)
          ORDER BY s.load, s.served_at, s.id) AS share
        FROM standing s WHERE s.standing = (SELECT max(x.standing) FROM standing x)) s
      ORDER BY s.share, s.served_at, s.id LIMIT v_left
    )`;
