// Acts of people: cancelling, invalidating, deleting heads, reporting versions, changing dynamic partitions.
import { FlowStoneError } from '../../flowstone.errors.js';
import type { Act, AssetPartitions, Ledger } from '../ledger.port.js';
import type { AssetNumbers } from './asset-numbers.js';
import type { Collection } from './collection.js';
import type { Database, Sql } from './database.js';
import type { HeadRow } from './rows.js';
import {
  ADD_PARTITIONS,
  CANCEL_PLANNING,
  CANCEL_RUN,
  DELETE_HEADS,
  ENSURE_HEAD,
  INVALIDATE,
  LOCK_HEADS,
  REMOVE_PARTITIONS,
  REPORT_VERSION,
  STOP_PENDING,
} from './statements/acting.js';
import { json, storable } from './values.js';

type LockedHead = HeadRow & { readonly id: number };
type Cancelled = Awaited<ReturnType<Ledger['cancelRun']>>;
type Stopped = Awaited<ReturnType<Ledger['stopPending']>>;

export class Acts {
  constructor(
    readonly database: Database,
    readonly namespace: number,
    readonly assets: AssetNumbers,
    readonly collection: Collection,
  ) {}

  /** See Ledger.cancelRun. */
  async cancelRun(run: number, { actor, reason, grace }: Act & { readonly grace: number }): Promise<Cancelled> {
    const by = [this.namespace, run, actor, reason];
    const planned = await this.database.rows(CANCEL_PLANNING, by);
    if (planned.length > 0) return { accepted: true, running: [], ended: true, rings: [], more: false };
    const [cancelled] = await this.database.rows<Cancelled>(CANCEL_RUN, [...by, grace]);
    return cancelled!;
  }

  /** See Ledger.stopPending. */
  async stopPending(run: number | undefined): ReturnType<Ledger['stopPending']> {
    const [step] = await this.database.rows<Stopped>(STOP_PENDING, [this.namespace, run ?? null]);
    return step!;
  }

  /** See Ledger.invalidate. */
  async invalidate(sql: Sql, targets: readonly AssetPartitions[], { actor, reason }: Act): Promise<number> {
    const chosen = await this.#chosen(sql, targets);
    const [row] = await sql.rows<{ invalidated: number }>(INVALIDATE, [...chosen, actor, reason]);
    return row!.invalidated;
  }

  /** See Ledger.deleteHeads. */
  async deleteHeads(targets: readonly AssetPartitions[], { actor, reason }: Act): ReturnType<Ledger['deleteHeads']> {
    return this.database.transaction(async (sql) => {
      const heads = await sql.rows<LockedHead>(LOCK_HEADS, await this.#chosen(sql, targets));
      const keyOf = await this.assets.keys(
        sql,
        heads.map((head) => head.asset_id),
      );
      const busy = heads.find((head) => head.active_materialization !== null);
      if (busy) throw assetBusy(keyOf(busy.asset_id), busy.partition, busy.active_materialization!);
      const present = heads.filter((head) => head.materialization_id !== null);
      await sql.rows(DELETE_HEADS, [this.namespace, present.map(({ id }) => id), actor, reason]);
      const collection = await this.collection.condemnDeleted(
        sql,
        heads.map(({ id }) => id),
      );
      const deleted = present.map((head) => ({ asset: keyOf(head.asset_id), partition: head.partition }));
      return { heads: deleted, collection };
    });
  }

  /** See Ledger.reportVersion. */
  async reportVersion(sql: Sql, report: Parameters<Ledger['reportVersion']>[0], { actor }: Act): Promise<number> {
    const { asset, partition, dataVersion, metadata } = report;
    const id = (await this.assets.require(sql, [asset]))(asset);
    await sql.rows(ENSURE_HEAD, [id, partition]);
    const [row] = await sql.rows<{ materialization_id: number }>(REPORT_VERSION, [
      ...[this.namespace, id, partition, storable(dataVersion), metadata && json(metadata), actor],
    ]);
    return row!.materialization_id;
  }

  /** See Ledger.addPartitions. */
  async addPartitions(sql: Sql, name: string, keys: readonly string[], { actor }: Act): Promise<readonly string[]> {
    return this.#changePartitions(sql, ADD_PARTITIONS, name, keys, actor);
  }

  /** See Ledger.removePartitions. */
  async removePartitions(sql: Sql, name: string, keys: readonly string[], { actor }: Act): Promise<readonly string[]> {
    return this.#changePartitions(sql, REMOVE_PARTITIONS, name, keys, actor);
  }

  /** Answers in the order of the keys given. */
  async #changePartitions(
    sql: Sql,
    change: typeof ADD_PARTITIONS,
    name: string,
    keys: readonly string[],
    actor: string | null,
  ): Promise<readonly string[]> {
    const distinct = [...new Set(keys)];
    const rows = await sql.rows<{ key: string }>(change, [this.namespace, name, distinct, actor]);
    const changed = new Set(rows.map(({ key }) => key));
    return distinct.filter((key) => changed.has(key));
  }

  /** Targets as parameters: namespace, whole assets, single partitions as two arrays. Unknown assets have no heads. */
  async #chosen(sql: Sql, targets: readonly AssetPartitions[]): Promise<unknown[]> {
    const whole: number[] = [];
    const assets: number[] = [];
    const partitions: string[] = [];
    for (const { asset, partitions: named } of targets) {
      const [id] = await this.assets.known(sql, [asset]);
      if (id === undefined) continue;
      if (named === 'all') {
        whole.push(id);
        continue;
      }
      for (const partition of named) {
        assets.push(id);
        partitions.push(partition);
      }
    }
    return [this.namespace, whole, assets, partitions];
  }
}

function assetBusy(asset: string, partition: string, materialization: number): FlowStoneError {
  return new FlowStoneError(
    'FLOWSTONE_ASSET_BUSY',
    `${asset}[${partition}] is being materialized by materialization ${materialization}. Wait for it or cancel its run, then delete.`,
    { context: { asset, partition, materialization } },
  );
}
