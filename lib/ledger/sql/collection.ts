// Retention on the database: judging superseded versions, condemning their values, removing records and events.
import type {
  AttemptName,
  CollectionLedger,
  CollectionTurn,
  CondemnedValue,
  RemovalStep,
  RunProgressMark,
  ValueOwner,
  VersionPolicies,
} from '../collection.port.js';
import type { VersionPolicy } from '../records.js';
import type { AssetNumbers } from './asset-numbers.js';
import type { Database, Sql } from './database.js';
import { valueRecord } from './rows.js';
import {
  CLOSE_COLLECTION,
  CONDEMN_THESE,
  CONDEMNED,
  END_TURN,
  FREE_COLLECTIONS,
  JUDGE,
  JUDGED_ASSETS,
  KEEP_TURN,
  LOOK_AGAIN,
  MARK_GONE,
  OPEN_COLLECTION,
  SET_POLICIES,
  TAKE_TURN,
  UNREACHABLE,
} from './statements/collecting.js';
import {
  EXPIRED_RUNS,
  IDLE_KEYS,
  REMOVE_EVENTS,
  REMOVE_KEYS,
  REMOVE_MATERIALIZATIONS,
  REMOVE_RECORDS,
  REMOVE_RUN_EVENTS,
  REMOVE_RUNS,
} from './statements/removing.js';
import { json } from './values.js';

interface OwnerRow {
  readonly id: number;
  readonly asset_id: number;
  readonly partitioned: boolean;
  readonly partition: string;
}

type CondemnedRow = OwnerRow & Parameters<typeof valueRecord>[0];

/** Assets by number, with what their policies are as parameters of JUDGE. */
interface Judged {
  readonly policies: VersionPolicies;
  readonly assets: readonly number[];
  readonly keeps: readonly (number | null)[];
  readonly ages: readonly (number | null)[];
}

export class Collection implements CollectionLedger {
  /** Of the policies given last: read once for many steps. */
  #judged: Judged | undefined;

  constructor(
    readonly database: Database,
    readonly namespace: number,
    readonly assets: AssetNumbers,
  ) {}

  async takeTurn(
    process: string,
    { lease, now }: { readonly lease: number; readonly now: boolean },
  ): Promise<CollectionTurn | undefined> {
    const values = [this.namespace, process, lease, now];
    const [row] = await this.database.rows<{ started_at: Date; orphans_due: boolean }>(TAKE_TURN, values);
    this.#judged = undefined;
    return row && { startedAt: row.started_at, orphansDue: row.orphans_due };
  }

  async keepTurn(process: string, lease: number): Promise<boolean> {
    return (await this.database.rows(KEEP_TURN, [this.namespace, process, lease])).length > 0;
  }

  async endTurn(process: string, { every, orphans }: { every: number; orphans: number | null }): Promise<void> {
    await this.database.rows(END_TURN, [this.namespace, process, every, orphans]);
  }

  async condemn(policies: VersionPolicies, limit: number): Promise<number> {
    if (this.#judged?.policies !== policies) this.#judged = await this.#judge(policies, limit);
    const { assets, keeps, ages } = this.#judged;
    return this.database.transaction(async (sql) => {
      type Row = { judged: number; condemned: number; collection: number | null };
      const [row] = await sql.rows<Row>(JUDGE, [assets, keeps, ages, limit]);
      if (row!.condemned > 0) await sql.rows(OPEN_COLLECTION, [this.namespace, row!.collection]);
      return row!.judged;
    });
  }

  /** Condemns the versions of these heads in the transaction that deleted them; returns the collection. */
  async condemnDeleted(sql: Sql, heads: readonly number[]): Promise<number | null> {
    const [row] = await sql.rows<{ condemned: number; collection: number }>(CONDEMN_THESE, [heads]);
    if (row!.condemned === 0) return null;
    await sql.rows(OPEN_COLLECTION, [this.namespace, row!.collection]);
    return row!.collection;
  }

  /** What assets are judged by; those judged by another policy before are due again. */
  async #judge(policies: VersionPolicies, limit: number): Promise<Judged> {
    type Row = { id: number; key: string; version_policy: string | null };
    const rows = await this.database.rows<Row>(JUDGED_ASSETS, [this.namespace]);
    const policyOf = ({ key }: Row): VersionPolicy => policies.byAsset.get(key) ?? policies.otherwise;
    const changed = rows.filter((row) => row.version_policy !== json(policyOf(row)));
    if (changed.length > 0) {
      const ids = changed.map(({ id }) => id);
      for (let due = limit; due === limit;) {
        due = (await this.database.rows<{ due: number }>(LOOK_AGAIN, [ids, limit]))[0]!.due;
      }
      await this.database.rows(SET_POLICIES, [ids, changed.map((row) => json(policyOf(row)))]);
    }
    const all = rows.map(policyOf);
    return {
      policies,
      assets: rows.map(({ id }) => id),
      keeps: all.map((policy) => (policy !== 'all' && 'keep' in policy ? policy.keep : null)),
      ages: all.map((policy) => (policy !== 'all' && 'age' in policy ? policy.age : null)),
    };
  }

  async freeCollections(): Promise<readonly number[]> {
    const rows = await this.database.rows<{ id: number }>(FREE_COLLECTIONS, [this.namespace]);
    return rows.map(({ id }) => id);
  }

  async condemned(collection: number, after: number, limit: number): Promise<readonly CondemnedValue[]> {
    const rows = await this.database.rows<CondemnedRow>(CONDEMNED, [collection, after, limit]);
    const ownerOf = await this.#owners(rows);
    return rows.map((row) => {
      const { id: materialization } = row;
      return { materialization, ...ownerOf(row), value: valueRecord(row) };
    });
  }

  async markGone(materializations: readonly number[]): Promise<void> {
    await this.database.rows(MARK_GONE, [materializations]);
  }

  async closeCollection(collection: number): Promise<void> {
    await this.database.rows(CLOSE_COLLECTION, [collection]);
  }

  async expiredRuns(before: Date, after: number, limit: number): ReturnType<CollectionLedger['expiredRuns']> {
    type Row = { id: number; old: boolean; expired: boolean };
    const rows = await this.database.rows<Row>(EXPIRED_RUNS, [this.namespace, after, before, limit]);
    const runs = rows.flatMap(({ id, expired }) => (expired ? [id] : []));
    const more = rows.length === limit && rows.every(({ old }) => old);
    return { runs, next: more ? rows.at(-1)!.id : null };
  }

  async removeMaterializations(
    runs: readonly number[],
    from: RunProgressMark | null,
    limit: number,
  ): Promise<RemovalStep<RunProgressMark>> {
    type Row = { removed: number; seen: number; run: number; last: number };
    const left = from ? runs.slice(runs.indexOf(from.run)) : runs;
    const [row] = await this.database.rows<Row>(REMOVE_MATERIALIZATIONS, [left, from?.after ?? 0, limit]);
    if (!row) return { removed: 0, next: null };
    return { removed: row.removed, next: row.seen < limit ? null : { run: row.run, after: row.last } };
  }

  async removeRunEvents(runs: readonly number[], limit: number): Promise<number> {
    const [row] = await this.database.rows<{ removed: number }>(REMOVE_RUN_EVENTS, [runs, limit]);
    return row!.removed;
  }

  async removeRuns(runs: readonly number[]): Promise<number> {
    const [row] = await this.database.rows<{ removed: number }>(REMOVE_RUNS, [this.namespace, runs]);
    return row!.removed;
  }

  async removeRecords(before: Date, limit: number): Promise<{ judged: number; removed: number }> {
    type Row = { judged: number; removed: number };
    const assets = await this.database.rows<{ id: number }>(JUDGED_ASSETS, [this.namespace]);
    const [row] = await this.database.rows<Row>(REMOVE_RECORDS, [assets.map(({ id }) => id), before, limit]);
    return row!;
  }

  async removeKeys(after: number, limit: number): Promise<RemovalStep<number>> {
    return this.database.transaction(async (sql) => {
      type Page = { seen: number; last: number | null; ids: number[] };
      const [page] = await sql.rows<Page>(IDLE_KEYS, [this.namespace, after, limit]);
      const { seen, last, ids } = page!;
      const [row] = ids.length > 0 ? await sql.rows<{ removed: number }>(REMOVE_KEYS, [ids]) : [];
      return { removed: row?.removed ?? 0, next: seen === limit ? last : null };
    });
  }

  async removeEvents(before: Date, after: number, limit: number): Promise<RemovalStep<number>> {
    type Row = { removed: number; seen: number; last: number | null; old: boolean | null };
    const [row] = await this.database.rows<Row>(REMOVE_EVENTS, [this.namespace, before, after, limit]);
    const { removed, seen, last, old } = row!;
    return { removed, next: old && seen === limit ? last : null };
  }

  async unreachable(attempts: readonly AttemptName[]): Promise<readonly (AttemptName & ValueOwner)[]> {
    const rows = await this.database.rows<OwnerRow & { epoch: number }>(UNREACHABLE, [
      this.namespace,
      attempts.map(({ materialization }) => materialization),
      attempts.map(({ epoch }) => epoch),
    ]);
    const ownerOf = await this.#owners(rows);
    return rows.map((row) => ({ materialization: row.id, epoch: row.epoch, ...ownerOf(row) }));
  }

  async #owners(rows: readonly OwnerRow[]): Promise<(row: OwnerRow) => ValueOwner> {
    const keyOf = await this.assets.keys(
      this.database,
      rows.map((row) => row.asset_id),
    );
    return ({ asset_id, partitioned, partition }) => ({
      asset: keyOf(asset_id),
      partition: partitioned ? partition : undefined,
    });
  }
}
