// Processes and what they declare: registration, leases, rescue, the definitions that count.
import { FlowStoneError } from '../../flowstone.errors.js';
import {
  NOTHING_TAKEN,
  type AssetRegistration,
  type CurrentDefinition,
  type LostMaterialization,
  type PoolRegistration,
  type ProcessRegistration,
  type Renewal,
  type TakenBack,
} from '../registrations.js';
import type { JsonObject } from '../records.js';
import { plannerLost, RESCUE_CAP, workerLost } from '../transitions.js';
import type { AssetNumbers } from './asset-numbers.js';
import type { Database, Sql } from './database.js';
import { HELD } from './statements/claiming.js';
import {
  ADD_ASSETS,
  ADD_DEFINITIONS,
  ADD_POOLS,
  ASSETS,
  BOUND_POOLS,
  CATCH_UP,
  CURRENT_DEFINITIONS,
  DECLARE,
  DELETE_PROCESSES,
  ENTER_POOLS,
  ENTER_PROCESS,
  EXPIRED,
  HAND_BACK,
  LOCK_NAMESPACE,
  LOCK_OTHERS,
  LOCK_PROCESS,
  OUTDATE_OTHERS,
  RENAME_ASSETS,
  RENEW,
  TAKE_BACK,
  TELL_ATTEMPTS,
} from './statements/registering.js';
import { json } from './values.js';

interface AssetRow {
  readonly id: number;
  readonly key: string;
  readonly partitioned: boolean;
}

interface TakenRow extends Omit<TakenBack, 'failed'> {
  readonly failed: readonly (Omit<LostMaterialization, 'partition' | 'message'> & {
    readonly partition: string | null;
  })[];
}

interface HeldRow {
  readonly id: number;
  readonly epoch: number;
  readonly cancel_requested: boolean;
}

/** Renews the lease of a process: see Ledger.renew. */
export async function renewLease(database: Sql, namespace: number, process: string, cutOff: boolean): Promise<Renewal> {
  const [renewed] = await database.rows<{ listened: boolean }>(RENEW, [namespace, process, cutOff]);
  if (!renewed) return { alive: false, held: [], cancelled: [], listened: false };
  const rows = await database.rows<HeldRow>(HELD, [namespace, process]);
  const attempt = ({ id, epoch }: HeldRow) => ({ id, epoch });
  return {
    alive: true,
    held: rows.map(attempt),
    cancelled: rows.filter((row) => row.cancel_requested).map(attempt),
    listened: renewed.listened,
  };
}

export class Processes {
  /** @param exclusive whether only one process can have this ledger open (embedded): all others are gone then. */
  constructor(
    readonly database: Database,
    readonly namespace: number,
    readonly assets: AssetNumbers,
    readonly exclusive: boolean,
  ) {}

  /** See Ledger.register. */
  async register(
    process: ProcessRegistration,
    declared: readonly AssetRegistration[],
    pools: readonly PoolRegistration[],
  ): Promise<TakenBack> {
    const entered = await this.database.transaction(async (sql) => {
      await sql.rows(LOCK_NAMESPACE, [this.namespace]);
      const gone = this.exclusive ? await sql.rows<{ id: string }>(LOCK_OTHERS, [this.namespace, process.id]) : [];
      const taken = await this.#rescueOf(sql, gone);
      await this.#enterPools(sql, declared, pools);
      const rows = await this.#enterAssets(sql, declared);
      const idOf = new Map(rows.map(({ id, key }) => [key, id]));
      const ids = declared.map(({ key }) => idOf.get(key)!);
      const hashes = declared.map(({ hash }) => hash);
      const definitions = declared.map(({ hash, upstreams, definition }, index) => ({
        asset: ids[index],
        ...{ hash, upstreams, definition },
      }));
      await sql.rows(ADD_DEFINITIONS, [json(definitions)]);
      const { id, host, pid, worker, lease, tellsAttempts = false } = process;
      if (worker) await sql.rows(TELL_ATTEMPTS, [this.namespace, tellsAttempts]);
      await sql.rows(ENTER_PROCESS, [id, this.namespace, host, pid, worker, lease]);
      await sql.rows(DECLARE, [this.namespace, id, ids, hashes]);
      await sql.rows(ENTER_POOLS, [
        this.namespace,
        ids,
        hashes,
        declared.map(({ pool }) => pool),
        declared.map(({ dimensions = [] }) => json(dimensions)),
      ]);
      // Last, since heartbeats of those processes wait for the end of this.
      if (worker) await sql.rows(OUTDATE_OTHERS, [this.namespace, id]);
      return { rows, taken };
    });
    for (const { id, key } of entered.rows) this.assets.remember(key, id);
    return entered.taken;
  }

  async #enterPools(
    sql: Sql,
    declared: readonly AssetRegistration[],
    pools: readonly PoolRegistration[],
  ): Promise<void> {
    const names = new Set([...declared.map(({ pool }) => pool), ...pools.map(({ name }) => name)]);
    await sql.rows(ADD_POOLS, [this.namespace, [...names].sort()]);
    if (pools.length === 0) return;
    const bounds = pools.map(({ name, concurrency, rate, perKey }) => ({
      ...{ name, capacity: concurrency, burst: rate?.count, period: rate?.period, dimension: perKey?.dimension },
      ...{ key_capacity: perKey?.concurrency, key_burst: perKey?.rate?.count, key_period: perKey?.rate?.period },
    }));
    await sql.rows(BOUND_POOLS, [this.namespace, json(bounds)]);
  }

  /** Renames, refuses changed partitioning, adds what is new; returns the rows of all. */
  async #enterAssets(sql: Sql, declared: readonly AssetRegistration[]): Promise<AssetRow[]> {
    const names = declared.flatMap(({ key, formerly }) => [key, ...formerly]);
    const known = new Map(
      (await sql.rows<AssetRow>(ASSETS, [this.namespace, names])).map((row) => [row.key, row] as const),
    );
    const changed = declared.filter(
      ({ key, partitioned }) => (known.get(key)?.partitioned ?? partitioned) !== partitioned,
    );
    if (changed.length > 0) throw partitioningChanged(changed.map(({ key }) => key));
    const renames = declared.flatMap(({ key, formerly, partitioned }) => {
      const former = known.has(key) ? undefined : formerly.find((name) => known.get(name)?.partitioned === partitioned);
      return former === undefined ? [] : [{ former, key }];
    });
    if (renames.length > 0) {
      await sql.rows(RENAME_ASSETS, [
        this.namespace,
        renames.map(({ former }) => former),
        renames.map(({ key }) => key),
      ]);
    }
    const keys = declared.map(({ key }) => key);
    const partitioned = declared.map((asset) => asset.partitioned);
    const pools = declared.map((asset) => asset.pool);
    await sql.rows(ADD_ASSETS, [this.namespace, keys, partitioned, pools]);
    return sql.rows<AssetRow>(ASSETS, [this.namespace, keys]);
  }

  /** See Ledger.renew. */
  renew(process: string, cutOff: boolean): Promise<Renewal> {
    return renewLease(this.database, this.namespace, process, cutOff);
  }

  /** See Ledger.unregister. */
  async unregister(process: string): Promise<TakenBack> {
    return this.database.transaction(async (sql) => {
      const own = await sql.rows<{ id: string }>(LOCK_PROCESS, [this.namespace, process]);
      if (own.length === 0) return NOTHING_TAKEN;
      const [handed] = await sql.rows<Omit<TakenBack, 'failed'>>(HAND_BACK, [this.namespace, process]);
      await sql.rows(DELETE_PROCESSES, [this.namespace, [process]]);
      return { ...NOTHING_TAKEN, ...handed };
    });
  }

  /** See Ledger.rescue. */
  async rescue(rescuer: string): Promise<TakenBack> {
    return this.database.transaction(async (sql) =>
      this.#rescueOf(sql, await sql.rows<{ id: string }>(EXPIRED, [this.namespace, rescuer])),
    );
  }

  /** See Ledger.currentDefinitions. */
  async currentDefinitions(process: string | undefined): Promise<readonly CurrentDefinition[]> {
    // Before the reading: what changes between the two is to be asked for again.
    if (process !== undefined) await this.database.rows(CATCH_UP, [this.namespace, process]);
    type Row = { key: string; hash: string; definition: JsonObject; live: boolean };
    return this.database.rows<Row>(CURRENT_DEFINITIONS, [this.namespace]);
  }

  async #rescueOf(sql: Sql, lost: readonly { id: string }[]): Promise<TakenBack> {
    const processes = lost.map(({ id }) => id);
    if (processes.length === 0) return NOTHING_TAKEN;
    const error = workerLost(processes);
    const values = [this.namespace, processes, RESCUE_CAP, json(error), json(plannerLost(processes))];
    const [taken] = await sql.rows<TakenRow>(TAKE_BACK, values);
    await sql.rows(DELETE_PROCESSES, [this.namespace, processes]);
    const { failed, ...rest } = taken!;
    const { message } = error;
    return {
      ...rest,
      failed: failed.map(({ partition, ...place }) => ({ ...place, message, partition: partition ?? undefined })),
    };
  }
}

function partitioningChanged(keys: readonly string[]): FlowStoneError {
  return new FlowStoneError(
    'FLOWSTONE_LEDGER_PARTITIONING_CHANGED',
    `Partitioned became unpartitioned, or the reverse: ${keys.join(', ')}. What is recorded cannot be read so: give the asset a new name.`,
    { context: { assets: keys } },
  );
}
