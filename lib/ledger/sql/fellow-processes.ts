// Processes on the database, as they see each other: which there are, and how their resources are.
import type { HeldAsset, ProcessRecord, ProcessResource, ResourceReport } from '../process.records.js';
import type { ProcessLedger } from '../processes.port.js';
import type { AssetNumbers } from './asset-numbers.js';
import type { Database } from './database.js';
import { ALL_PROCESSES, ALL_RESOURCES, HELD_ASSETS, TELL_RESOURCES } from './statements/lending.js';
import { json, storable } from './values.js';

interface ResourceRow extends Omit<ProcessResource, 'assets'> {
  readonly process: string;
  readonly asset_ids: readonly number[];
}

export class FellowProcesses implements ProcessLedger {
  constructor(
    private readonly database: Database,
    private readonly namespace: number,
    private readonly assets: AssetNumbers,
  ) {}

  async tellResources(process: string, reports: readonly ResourceReport[]): Promise<void> {
    if (reports.length === 0) return;
    const rows: object[] = [];
    for (const { message, assets, ...report } of reports) {
      const numbers = await this.assets.known(this.database, assets);
      rows.push({ ...report, message: message === null ? null : storable(message), assets: numbers });
    }
    await this.database.rows(TELL_RESOURCES, [this.namespace, process, json(rows)]);
  }

  async heldAssets(): Promise<readonly HeldAsset[]> {
    return this.database.rows<HeldAsset>(HELD_ASSETS, [this.namespace]);
  }

  async processes(): Promise<readonly ProcessRecord[]> {
    const processes = await this.database.rows<Omit<ProcessRecord, 'resources'>>(ALL_PROCESSES, [this.namespace]);
    const rows = await this.database.rows<ResourceRow>(ALL_RESOURCES, [this.namespace]);
    const keyOf = await this.assets.keys(
      this.database,
      rows.flatMap((row) => row.asset_ids),
    );
    const resources = (id: string): ProcessResource[] =>
      rows
        .filter((row) => row.process === id)
        .map(({ name, state, message, asset_ids: ids, since }) => {
          return { name, state, message, assets: ids.map(keyOf).sort(), since };
        });
    return processes.map((process) => ({ ...process, resources: resources(process.id) }));
  }
}
