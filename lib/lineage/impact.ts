// What would have to be computed again if some partitions changed, and what that would take. Counts and ranges at once;
// single partitions page by page, since there may be millions.
import type { HeadConsumer } from '../ledger/lineage.port.js';
import { OrdinalRanges } from '../planning/ordinal-ranges.js';
import { Pace } from '../planning/pace.js';
import type { AssetState } from '../planning/node-states.js';
import type { PlanningFacts } from '../planning/planning.port.js';
import type { PlanningModel } from '../planning/planning-model.js';
import { requireOptions } from '../request.options.js';
import { affectedBy, type ChangedPartitions } from './affected.js';
import { COST_SAMPLES, expectedCost, inWords, type ExpectedCost } from './expected.cost.js';
import { pageStates } from './impact.states.js';
import { IMPACT_PAGE } from './lineage.requests.js';
import { RecomputeOrder } from './recompute.order.js';

/** Partitions next to each other; `from` and `to` are keys, both included. */
export interface PartitionRange {
  readonly from: string;
  readonly to: string;
  readonly count: number;
}

/** What of one asset would have to be computed again. */
export interface ImpactedAsset {
  readonly asset: string;
  /** How many partitions, 1 where it has none. */
  readonly partitions: number;
  /** These, the first 1,000 ranges. */
  readonly ranges: readonly PartitionRange[];
  /** Of how many ranges. */
  readonly rangeCount: number;
  readonly cost: ExpectedCost & {
    /** ms for all of them, one after the other; null: not known. */
    readonly total: number | null;
  };
}

/** One partition that would have to be computed again. */
export interface ImpactEntry {
  /** Its place in the order in which they would be, from 0. */
  readonly index: number;
  readonly asset: string;
  /** `''` for an unpartitioned asset. */
  readonly partition: string;
  /** As it is now. */
  readonly state: AssetState;
  /**
   * It could not be computed: a mapping names a partition that does not exist, of its own or of what it needs. Nothing
   * recomputes it until that is corrected.
   */
  readonly unable: boolean;
  /** ms expected; null: not known. */
  readonly cost: number | null;
}

export interface ImpactPage {
  readonly items: readonly ImpactEntry[];
  /** Pass as `from` for the next page; null at the end. */
  readonly next: number | null;
}

/** A head that consumed a changed partition, though nothing that is declared now leads to it from there. */
export interface UndeclaredConsumer {
  readonly asset: string;
  readonly partition: string;
  readonly materialization: number;
  /** The partition it consumed. */
  readonly consumed: string;
}

export interface UndeclaredConsumers {
  readonly items: readonly UndeclaredConsumer[];
  /** There are more. */
  readonly truncated: boolean;
}

/** Where recorded facts come from. */
export interface ImpactFacts {
  readonly facts: PlanningFacts;
  durations(assets: readonly string[], most: number): Promise<ReadonlyMap<string, readonly number[]>>;
  headConsumers(materializations: readonly number[]): Promise<readonly HeadConsumer[]>;
}

const MOST_RANGES = 1000;
const USUAL_PAGE = 100;
/** Versions whose consumers are looked up at once. */
const VERSIONS_AT_ONCE = 1000;

/**
 * Works out what follows from a change of these partitions; they themselves are not in it.
 * @throws FlowStoneError FLOWSTONE_PLAN_TOO_LARGE
 */
export async function findImpact(
  model: PlanningModel,
  recorded: ImpactFacts,
  changed: ChangedPartitions,
): Promise<Impact> {
  const extent = new Map(await affectedBy(model, changed, new Pace(recorded.facts)));
  const own = extent.get(changed.asset)?.minus(changed.partitions);
  extent.delete(changed.asset);
  if (own !== undefined && own.size > 0) extent.set(changed.asset, own);
  const keys = [...extent.keys()].map((asset) => model.assets[asset]!.key);
  const durations = await recorded.durations(keys, COST_SAMPLES);
  const costs = new Map(keys.map((key) => [key, expectedCost(durations.get(key) ?? [])]));
  return new Impact(model, recorded, changed, new RecomputeOrder(model, extent, recorded.facts), costs);
}

/** See {@link findImpact}. An upper bound: what comes out as before ends there, and nothing below it is computed again. */
export class Impact {
  /** How many partitions would have to be computed again. */
  readonly size: number;
  /** By asset, in the order in which they would be. */
  readonly assets: readonly ImpactedAsset[];
  readonly cost: {
    /** ms of all whose cost is known, one after the other. */
    readonly known: number;
    /** Assets of which it is not. */
    readonly unknown: readonly string[];
    /** For people. */
    readonly message: string;
  };

  /** @internal Made by {@link findImpact}. */
  constructor(
    private readonly model: PlanningModel,
    private readonly recorded: ImpactFacts,
    private readonly changed: ChangedPartitions,
    private readonly order: RecomputeOrder,
    private readonly costs: ReadonlyMap<string, ExpectedCost>,
  ) {
    this.size = order.size;
    this.assets = Array.from(order.assets(), ({ asset, ranges }) => this.#impacted(asset, ranges));
    const known = this.assets.reduce((sum, { cost }) => sum + (cost.total ?? 0), 0);
    const unknown = this.assets.filter(({ cost }) => cost.total === null).map(({ asset }) => asset);
    this.cost = { known, unknown, message: costInWords(known, unknown, this.assets.length) };
  }

  /** Single partitions in the order in which they would be computed again: `limit` (100) of them from a place on (0). */
  async entries(page: { readonly from?: number; readonly limit?: number } = {}): Promise<ImpactPage> {
    requireOptions('impact.entries()', page, IMPACT_PAGE);
    const { from = 0, limit = USUAL_PAGE } = page;
    const to = Math.min(this.size, from + limit);
    const places = await this.order.places(from, to);
    const states = await pageStates(this.model, this.recorded.facts, places, this.order.extent, this.changed);
    const items = places.map(({ asset, ordinal }, at): ImpactEntry => {
      const { key } = this.model.assets[asset]!;
      const partition = this.model.setOf(asset).keyAt(ordinal);
      return { index: from + at, asset: key, partition, ...states[at]!, cost: this.costs.get(key)!.each };
    });
    return { items, next: to < this.size ? to : null };
  }

  /**
   * Heads that are recorded to have consumed a changed partition and are not in the impact: their declaration has changed
   * since, or their partition is retired. Nothing computes them again because of the change. The first `limit` (1,000).
   */
  async undeclared({ limit = 1000 }: { readonly limit?: number } = {}): Promise<UndeclaredConsumers> {
    requireOptions('impact.undeclared()', { limit }, { limit: IMPACT_PAGE.limit });
    const partitionOf = await this.#changedVersions();
    const items: UndeclaredConsumer[] = [];
    const versions = [...partitionOf.keys()];
    for (let at = 0; at < versions.length && items.length <= limit; at += VERSIONS_AT_ONCE) {
      const consumers = await this.recorded.headConsumers(versions.slice(at, at + VERSIONS_AT_ONCE));
      for (const { asset, partition, materialization, consumed } of consumers) {
        if (this.#reaches(asset, partition)) continue;
        items.push({ asset, partition, materialization, consumed: partitionOf.get(consumed)! });
      }
    }
    return { items: items.slice(0, limit), truncated: items.length > limit };
  }

  /** The versions that are heads of what changes, with their partitions. */
  async #changedVersions(): Promise<ReadonlyMap<number, string>> {
    const { asset, partitions } = this.changed;
    const set = this.model.setOf(asset);
    const isWhole = partitions.size === set.size;
    const keys = isWhole
      ? 'all'
      : Array.from({ length: partitions.size }, (_, at) => set.keyAt(partitions.ordinalAt(at)));
    const [heads] = await this.recorded.facts.heads([{ asset: this.model.assets[asset]!.key, partitions: keys }]);
    return new Map(
      [...heads!].flatMap(([partition, { materialization }]) =>
        materialization === null ? [] : [[materialization, partition] as const],
      ),
    );
  }

  #reaches(key: string, partition: string): boolean {
    const asset = this.model.graph.indexOf(key);
    if (asset === -1) return false;
    const ordinal = this.model.setOf(asset).ordinalOf(partition);
    const isChanged = asset === this.changed.asset && this.changed.partitions.positionOf(ordinal) !== -1;
    return isChanged || (this.order.extent.get(asset)?.positionOf(ordinal) ?? -1) !== -1;
  }

  #impacted(asset: number, ranges: OrdinalRanges): ImpactedAsset {
    const set = this.model.setOf(asset);
    const { key } = this.model.assets[asset]!;
    const shown = ranges.starts.slice(0, MOST_RANGES).map((start, at): PartitionRange => {
      const end = ranges.ends[at]!;
      return { from: set.keyAt(start), to: set.keyAt(end - 1), count: end - start };
    });
    const cost = this.costs.get(key)!;
    const total = cost.each === null ? null : cost.each * ranges.size;
    return {
      ...{ asset: key, partitions: ranges.size, ranges: shown, rangeCount: ranges.starts.length },
      cost: { ...cost, total },
    };
  }
}

function costInWords(known: number, unknown: readonly string[], assets: number): string {
  if (assets === 0) return 'nothing would have to be computed again';
  if (unknown.length === assets) return 'not known: no success of any of these assets is recorded';
  const sum = `about ${inWords(known)} of work`;
  return unknown.length === 0 ? sum : `${sum}, and what ${unknown.slice(0, 10).join(', ')} will take is not known`;
}
