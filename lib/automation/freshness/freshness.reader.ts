// How fresh partitions are: from when they were computed, by the ledger's clock. Nothing of it is stored.
import type { DeclaredAsset } from '../../assets/asset.definition.js';
import type { FreshnessLedger } from '../../ledger/freshness.port.js';
import type { Ledger } from '../../ledger/ledger.port.js';
import type { PlanningModel } from '../../planning/planning-model.js';
import type { PartitionSet } from '../../partitions/partition-set.js';
import { dueAfter } from './due.js';

/** Of an asset so many partitions are looked at, the last ones: of time, the newest. */
const MOST_PARTITIONS = 1000;

/** A partition, and by when it has to be computed. */
export interface Freshness {
  readonly asset: string;
  readonly partition: string;
  /** ms; Infinity: it is there, and need not be computed again. */
  readonly due: number;
}

export interface ReadFreshness {
  readonly all: readonly Freshness[];
  /** Assets whose partitions cannot be told now, and why. */
  readonly unknown: ReadonlyMap<string, unknown>;
}

export class FreshnessReader {
  constructor(private readonly ledger: () => Pick<Ledger, 'heads'> & { readonly freshness: FreshnessLedger }) {}

  /** All that are looked at of these assets; `only`: of one asset, this partition. */
  async read(model: PlanningModel, assets: readonly DeclaredAsset[], only?: string): Promise<ReadFreshness> {
    const ledger = this.ledger();
    const watched = assets.filter(({ freshness }) => freshness !== undefined);
    const unknown = new Map<string, unknown>();
    if (watched.length === 0) return { all: [], unknown };
    const keys = watched.map(({ key }) => key);
    const registered = await ledger.freshness.registered(keys);
    const all: Freshness[] = [];
    for (const { key: asset, freshness } of watched) {
      const set = this.#setOf(model, asset, unknown);
      if (!set) continue;
      const first = only === undefined ? Math.max(0, set.size - MOST_PARTITIONS) : set.ordinalOf(only);
      const last = only === undefined ? set.size : first + 1;
      const partitions: string[] = [];
      for (let ordinal = Math.max(0, first); ordinal < last; ordinal++) partitions.push(set.keyAt(ordinal));
      const [heads] = await ledger.heads([{ asset, partitions }]);
      for (const [index, partition] of partitions.entries()) {
        const computed = heads!.get(partition)?.completedAt?.getTime();
        const end = set.windowAt(first + index)?.end.getTime();
        // Before it was declared nobody could have computed it.
        const begun = registered.get(asset)?.getTime() ?? model.now.getTime();
        const due =
          end === undefined
            ? dueAfter(freshness!, computed ?? begun)
            : computed === undefined
              ? dueAfter(freshness!, Math.max(end, begun))
              : Infinity;
        all.push({ asset, partition, due });
      }
    }
    return { all, unknown };
  }

  /** The function of a custom scheme may fail, which is nobody else's business. */
  #setOf(model: PlanningModel, asset: string, unknown: Map<string, unknown>): PartitionSet | undefined {
    try {
      return model.setOf(model.requireIndex(asset));
    } catch (error) {
      unknown.set(asset, error);
      return undefined;
    }
  }
}
