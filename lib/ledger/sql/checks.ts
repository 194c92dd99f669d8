// What checks found, on the database.
import type { CheckResult, NewCheckResult } from '../check.records.js';
import type { CheckFilter, CheckLedger } from '../checks.port.js';
import type { Page, PageRequest } from '../page.js';
import type { AssetNumbers } from './asset-numbers.js';
import type { Database } from './database.js';
import { CHECKS_OF_ASSET, CHECKS_OF_HEADS, CHECKS_OF_PARTITION, RECORD_CHECKS } from './statements/checking.js';
import { json, storable } from './values.js';

interface ResultRow extends Omit<CheckResult, 'asset'> {
  readonly asset_id: number;
}

export class Checks implements CheckLedger {
  constructor(
    private readonly database: Database,
    private readonly namespace: number,
    private readonly assets: AssetNumbers,
  ) {}

  async record(results: readonly NewCheckResult[]): Promise<readonly number[]> {
    if (results.length === 0) return [];
    const numberOf = await this.assets.require(
      this.database,
      results.map(({ asset }) => asset),
    );
    const rows = results.map(({ asset, message, onDemand, ...result }, place) => ({
      ...result,
      ...{ place, asset: numberOf(asset), on_demand: onDemand },
      message: message === null ? null : storable(message),
    }));
    const kept = await this.database.rows<{ id: number }>(RECORD_CHECKS, [this.namespace, json(rows)]);
    return kept.map(({ id }) => id);
  }

  async results(filter: CheckFilter, { limit, before }: PageRequest): Promise<Page<CheckResult>> {
    const { asset, partition, check = null, status = null, materialization = null } = filter;
    const [number] = await this.assets.known(this.database, [asset]);
    if (number === undefined) return { items: [], next: null };
    const others = [check, status, materialization, before ?? Number.MAX_SAFE_INTEGER, limit + 1];
    const rows =
      partition === undefined
        ? await this.database.rows<ResultRow>(CHECKS_OF_ASSET, [number, ...others])
        : await this.database.rows<ResultRow>(CHECKS_OF_PARTITION, [number, partition, ...others]);
    const items = rows.slice(0, limit).map((row) => resultOf(row, asset));
    return { items, next: rows.length > limit ? items.at(-1)!.id : null };
  }

  async latest(asset: string, partitions: readonly string[]): Promise<readonly CheckResult[]> {
    const [number] = await this.assets.known(this.database, [asset]);
    if (number === undefined) return [];
    const rows = await this.database.rows<ResultRow>(CHECKS_OF_HEADS, [number, partitions]);
    return rows.map((row) => resultOf(row, asset));
  }
}

function resultOf({ asset_id: _, ...row }: ResultRow, asset: string): CheckResult {
  return { ...row, asset };
}
