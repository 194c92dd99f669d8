// What lineage needs of the rest of the process.
import type { AssetClass, DeclaredAsset } from '../assets/asset.definition.js';
import type { AssetPartitions, EntityManager, Ledger } from '../ledger/ledger.port.js';
import type { RunRequest } from '../ledger/records.js';
import type { PartitionKeyInput } from '../partitions/partition-key.js';
import type { PlanningFacts } from '../planning/planning.port.js';
import type { PlanningModel } from '../planning/planning-model.js';
import type { RunOptions } from '../runs/requester.js';
import type { RunHandle } from '../runs/run.handle.js';

export interface LineageParts {
  readonly ledger: Pick<
    Ledger,
    'lineage' | 'approvals' | 'heads' | 'materialization' | 'materializations' | 'consumed' | 'run'
  >;
  readonly facts: PlanningFacts;
  /** All assets by what counts now. */
  definitions(): readonly DeclaredAsset[];
  /** Of an asset by class or key. */
  resolve(asset: AssetClass | string): DeclaredAsset;
  /** A partition that exists, or a retired one of which something is recorded; `key` as the ledger has it. */
  recorded(
    asset: AssetClass | string,
    partition: PartitionKeyInput | undefined,
  ): Promise<{ readonly asset: string; readonly key: string }>;
  /** Reads with the model of this moment, within the open transaction of a caller. */
  reading<T>(manager: EntityManager | undefined, read: (model: PlanningModel) => Promise<T>): Promise<T>;
  invalidate(
    targets: readonly AssetPartitions[],
    act: { readonly by?: string; readonly reason?: string; readonly manager?: EntityManager },
  ): Promise<number>;
  request(request: RunRequest, options: RunOptions, model: PlanningModel): Promise<RunHandle>;
  /** Throws where asking would wait for the caller's own transaction. */
  beforeUse(manager: EntityManager | undefined): void;
}
