// The lanes of a plan's rows: which pool each runs in, and for which key of it.
import { dimensionValue, type Dimensions } from '../../partitions/partition-dimensions.js';
import type { PlanRows } from '../work.js';
import type { Sql } from './database.js';
import { type Batch, batchesOf } from './plan-batches.js';
import { ADD_KEYS, KEYED_ASSETS, MAKE_KEY_LANES, MAKE_LANES } from './statements/requesting.js';

/** Which run the rows of a plan belong to. */
export interface PlanPlace {
  readonly namespace: number;
  readonly run: number;
}

/** The assets of a plan's rows, by number. */
export interface PlanAssets {
  /** By index. */
  readonly byRow: Int32Array;
  /** Each of them once. */
  readonly distinct: readonly number[];
}

/** An asset whose pool has keys, as recorded. */
export interface KeyedAsset {
  readonly asset: number;
  readonly pool: number;
  readonly dimension: string;
  readonly dimensions: Dimensions;
}

type AssetRow = { readonly asset: number; readonly lane: number } & (KeyedAsset | { readonly dimension: null });

/** A key of a pool. */
interface PoolKey {
  readonly pool: number;
  readonly key: string;
}

/** Which keys the rows of a plan have in the pools of their assets. */
class PoolKeys {
  readonly #assets: ReadonlyMap<number, KeyedAsset>;

  constructor(assets: readonly KeyedAsset[]) {
    this.#assets = new Map(assets.map((keyed) => [keyed.asset, keyed]));
  }

  /** Whether no asset has any. */
  get none(): boolean {
    return this.#assets.size === 0;
  }

  /** Of row `i`, whose partition is asked for only where its asset has keys: naming a million takes time. */
  of(asset: number, plan: PlanRows, i: number): PoolKey | undefined {
    const keyed = this.#assets.get(asset);
    const key = keyed && dimensionValue(keyed.dimensions, keyed.dimension, plan.partitionAt(i));
    return key === undefined ? undefined : { pool: keyed!.pool, key };
  }
}

/** The lanes of one run, made as its rows need them. */
export class PlanLanes {
  readonly #byPool = new Map<number, Map<string, number>>();

  private constructor(
    private readonly place: PlanPlace,
    private readonly lanes: ReadonlyMap<number, number>,
    private readonly keys: PoolKeys,
  ) {}

  /** Those of these assets (by number), but for what has a key. */
  static async make(sql: Sql, place: PlanPlace, assets: readonly number[]): Promise<PlanLanes> {
    const rows = await sql.rows<AssetRow>(MAKE_LANES, [place.namespace, place.run, assets]);
    const keyed = rows.filter((row): row is AssetRow & KeyedAsset => row.dimension !== null);
    return new PlanLanes(place, new Map(rows.map(({ asset, lane }) => [asset, lane])), new PoolKeys(keyed));
  }

  /** Makes lanes for the keys of these rows, before they are asked for. */
  async makeFor(sql: Sql, plan: PlanRows, assets: ArrayLike<number>, batch: Batch): Promise<void> {
    if (this.keys.none) return;
    const missing = keysOf(this.keys, plan, assets, batch).filter(({ pool, key }) => !this.#byPool.get(pool)?.has(key));
    if (missing.length === 0) return;
    await addKeys(sql, this.place.namespace, missing);
    const values = [
      this.place.namespace,
      this.place.run,
      missing.map(({ pool }) => pool),
      missing.map(({ key }) => key),
    ];
    for (const { pool, key, lane } of await sql.rows<PoolKey & { lane: number }>(MAKE_KEY_LANES, values)) {
      const ofPool = this.#byPool.get(pool) ?? new Map<string, number>();
      this.#byPool.set(pool, ofPool.set(key, lane));
    }
  }

  of(asset: number, plan: PlanRows, i: number): number {
    const key = this.keys.of(asset, plan, i);
    return key ? this.#byPool.get(key.pool)!.get(key.key)! : this.lanes.get(asset)!;
  }
}

/**
 * The keys of a large plan's pools are added ahead of its transaction, so that no other plan with the same keys waits for
 * that to end. Adding is all: a key that nothing runs for says nothing.
 */
export async function addKeysAhead(
  sql: Sql,
  namespace: number,
  plan: PlanRows,
  { byRow, distinct }: PlanAssets,
): Promise<void> {
  const keys = new PoolKeys(await sql.rows<KeyedAsset>(KEYED_ASSETS, [distinct]));
  if (keys.none) return;
  for (const batch of batchesOf(plan)) await addKeys(sql, namespace, keysOf(keys, plan, byRow, batch));
}

async function addKeys(sql: Sql, namespace: number, keys: readonly PoolKey[]): Promise<void> {
  if (keys.length > 0) await sql.rows(ADD_KEYS, [namespace, keys.map(({ pool }) => pool), keys.map(({ key }) => key)]);
}

/** Each key once. */
function keysOf(keys: PoolKeys, plan: PlanRows, assets: ArrayLike<number>, { from, to }: Batch): PoolKey[] {
  const found = new Map<number, Set<string>>();
  for (let i = from; i < to; i++) {
    const key = keys.of(assets[i]!, plan, i);
    if (key) found.set(key.pool, (found.get(key.pool) ?? new Set()).add(key.key));
  }
  return [...found].flatMap(([pool, ofPool]) => Array.from(ofPool, (key) => ({ pool, key })));
}
