// What is overdue, on the database.
import type { FreshnessLedger, OverduePartition } from '../freshness.port.js';
import type { AssetNumbers } from './asset-numbers.js';
import type { Database } from './database.js';
import { BECOME_ON_TIME, BECOME_OVERDUE, OVERDUE, REGISTERED } from './statements/aging.js';

export class Freshness implements FreshnessLedger {
  constructor(
    private readonly database: Database,
    private readonly namespace: number,
    private readonly assets: AssetNumbers,
  ) {}

  async registered(assets: readonly string[]): Promise<ReadonlyMap<string, Date>> {
    const numbers = await this.assets.known(this.database, assets);
    const keyOf = await this.assets.keys(this.database, numbers);
    const rows = await this.database.rows<{ id: number; at: Date }>(REGISTERED, [numbers]);
    return new Map(rows.map(({ id, at }) => [keyOf(id), at]));
  }

  async overdue(): Promise<readonly OverduePartition[]> {
    type Row = { asset_id: number; partition: string; due: Date };
    const rows = await this.database.rows<Row>(OVERDUE, [this.namespace]);
    const keyOf = await this.assets.keys(
      this.database,
      rows.map((row) => row.asset_id),
    );
    return rows.map(({ asset_id: id, partition, due }) => ({ asset: keyOf(id), partition, due }));
  }

  async tell(overdue: readonly OverduePartition[], onTime: readonly Omit<OverduePartition, 'due'>[]): Promise<void> {
    const numberOf = await this.assets.require(
      this.database,
      [...overdue, ...onTime].map(({ asset }) => asset),
    );
    const places = (of: readonly Omit<OverduePartition, 'due'>[]) => [
      of.map(({ asset }) => numberOf(asset)),
      of.map(({ partition }) => partition),
    ];
    if (overdue.length > 0) {
      const dues = overdue.map(({ due }) => due.toISOString());
      await this.database.rows(BECOME_OVERDUE, [this.namespace, ...places(overdue), dues]);
    }
    if (onTime.length > 0) await this.database.rows(BECOME_ON_TIME, [this.namespace, ...places(onTime)]);
  }
}
