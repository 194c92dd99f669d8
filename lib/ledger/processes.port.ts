// The part of the ledger's port by which processes see each other. How one enters and is given up stands in ledger.port.ts.
import type { HeldAsset, ProcessRecord, ResourceReport } from './process.records.js';

export interface ProcessLedger {
  /**
   * How resources of a process are now; of those that are not named nothing changes. One that becomes unhealthy, or healthy
   * after that, is told by an event of the same transaction. Of a process that was given up nothing is kept.
   */
  tellResources(process: string, reports: readonly ResourceReport[]): Promise<void>;
  /** The assets that no worker can begin for their resources, by key. */
  heldAssets(): Promise<readonly HeldAsset[]>;
  /** All that have neither left nor been given up, those first that entered first. */
  processes(): Promise<readonly ProcessRecord[]>;
}
