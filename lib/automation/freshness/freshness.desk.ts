// flowstone.freshness: whether what is there is as young as it has to be.
import type { AssetClass, DeclaredAsset } from '../../assets/asset.definition.js';
import { FlowStoneError } from '../../flowstone.errors.js';
import type { FreshnessLedger, OverduePartition } from '../../ledger/freshness.port.js';
import type { PartitionKeyInput } from '../../partitions/partition-key.js';
import type { PlanningModel } from '../../planning/planning-model.js';
import { elsewhere, requireOptions } from '../../request.options.js';
import type { FreshnessReader } from './freshness.reader.js';

export interface FreshnessDeskParts {
  readonly ledger: () => FreshnessLedger;
  readonly reader: FreshnessReader;
  readonly model: () => Promise<PlanningModel>;
  readonly resolve: (asset: AssetClass | string) => DeclaredAsset;
  readonly partitionIn: (model: PlanningModel, asset: string, input: PartitionKeyInput | undefined) => string;
  readonly beforeUse: () => void;
}

/** `overdue`: it should have been computed by `due`. */
export type FreshnessState = 'on_time' | 'overdue';

export interface AssetFreshness {
  readonly state: FreshnessState;
  /** By when it has to be computed, or had to; null: it need not be computed again. */
  readonly due: Date | null;
  /** Of a partitioned asset as a whole: what is overdue of the partitions that are looked at, the newest last. */
  readonly overdue: readonly OverduePartition[];
}

export class FreshnessDesk {
  /** @param parts found when they are used: the application may not have started yet */
  constructor(private readonly parts: () => FreshnessDeskParts) {}

  /**
   * Of one partition, or of an asset as a whole, at this moment; of a partitioned one the last 1,000 partitions are looked at.
   * @throws FlowStoneError FLOWSTONE_REQUEST_INVALID: the asset declares no `freshness`
   */
  async of(
    asset: AssetClass | string,
    options: { readonly partition?: PartitionKeyInput } = {},
  ): Promise<AssetFreshness> {
    requireOptions('freshness.of()', options, { partition: elsewhere });
    const { reader, model: fresh, resolve, partitionIn } = this.#used();
    const declared = resolve(asset);
    const { key, freshness } = declared;
    if (!freshness) {
      const message = `${key} declares no freshness, so that nothing is too old of it. Give it @Asset({ freshness: { maxLag: '26h' } }).`;
      throw new FlowStoneError('FLOWSTONE_REQUEST_INVALID', message, { context: { asset: key } });
    }
    const model = await fresh();
    const { partition } = options;
    const { all, unknown } = await reader.read(
      model,
      [declared],
      partition === undefined ? undefined : partitionIn(model, key, partition),
    );
    if (unknown.has(key)) throw unknown.get(key);
    const now = model.now.getTime();
    const first = all.reduce((earliest, { due }) => Math.min(earliest, due), Infinity);
    return {
      state: first <= now ? 'overdue' : 'on_time',
      due: first === Infinity ? null : new Date(first),
      overdue: all
        .filter(({ due }) => due <= now)
        .map((each) => ({ asset: key, partition: each.partition, due: new Date(each.due) })),
    };
  }

  /** All that is known to be overdue, of any asset: that first which was due first. */
  async overdue(): Promise<readonly OverduePartition[]> {
    return this.#used().ledger().overdue();
  }

  #used(): FreshnessDeskParts {
    const parts = this.parts();
    parts.beforeUse();
    return parts;
  }
}
