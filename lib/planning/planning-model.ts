// All that is declared, at one moment: assets, their graph, which partitions exist and how they map to each other.
// Holds no recorded fact; partitions and mappings are worked out when first asked for.

import { FlowStoneError } from '../flowstone.errors.js';
import type { AssetGraph } from '../graph/asset-graph.js';
import { buildGraph } from '../graph/asset-graph.js';
import { didYouMean } from '../graph/did-you-mean.js';
import type { ResolvedMapping } from '../partitions/mapping.js';
import { mappingLooksBack, resolveMapping } from '../partitions/mapping.js';
import type { PartitionMoment, PartitionSet } from '../partitions/partition-set.js';
import { resolvePartitions } from '../partitions/partition-set.js';
import type { PlanningAsset, PlanningDependency } from './planning.port.js';

const DAY = 86_400_000;

/** A dependency with its mapping between the ordinals that exist now. `upstream` is the index of an asset. */
export interface ModelDependency {
  readonly declared: PlanningDependency;
  readonly upstream: number;
  readonly mapping: ResolvedMapping;
}

/** A dependency seen from its upstream. */
export interface ModelDependent {
  readonly downstream: number;
  readonly dependency: ModelDependency;
}

/**
 * Builds the model of a moment. Throws FLOWSTONE_GRAPH_INVALID and FLOWSTONE_GRAPH_CYCLE; partitions are resolved, and
 * may be refused, when they are first asked for.
 */
export function buildPlanningModel(assets: readonly PlanningAsset[], moment: PartitionMoment): PlanningModel {
  const nodes = assets.map((asset) => {
    const others = asset.dependencies.filter((dependency) => dependency.upstream !== asset.key);
    const keys = (lookBack: boolean) =>
      others.filter(({ mapping }) => mappingLooksBack(mapping) === lookBack).map(({ upstream }) => upstream);
    return { key: asset.key, upstreams: keys(false), lookBacks: keys(true) };
  });
  return new PlanningModel(assets, buildGraph(nodes), moment);
}

/** See {@link buildPlanningModel}. An asset is named by its index, which is the same in `assets` and `graph`. */
export class PlanningModel {
  readonly #sets: (PartitionSet | undefined)[] = [];
  readonly #setsSoon: (PartitionSet | undefined)[] = [];
  readonly #dependencies: (readonly ModelDependency[] | undefined)[] = [];
  #groups: readonly Int32Array[] | undefined;
  #ranks: Int32Array | undefined;

  /** @internal */
  constructor(
    readonly assets: readonly PlanningAsset[],
    readonly graph: AssetGraph,
    private readonly moment: PartitionMoment,
  ) {}

  /** The ledger's time at which it was made. */
  get now(): Date {
    return this.moment.now;
  }

  /** The index of an asset, or -1. */
  indexOf(key: string): number {
    return this.graph.indexOf(key);
  }

  /** The index of an asset. Throws FLOWSTONE_PLAN_ASSET_UNKNOWN with the name that may have been meant. */
  requireIndex(key: string): number {
    const index = this.graph.indexOf(key);
    if (index !== -1) return index;
    const hint = didYouMean(
      key,
      this.assets.map((asset) => asset.key),
    );
    const message = `there is no asset "${key}"${hint}: name one that is declared`;
    throw new FlowStoneError('FLOWSTONE_PLAN_ASSET_UNKNOWN', message, { context: { asset: key } });
  }

  /** The partitions of an asset that exist. */
  setOf(index: number): PartitionSet {
    return (this.#sets[index] ??= resolvePartitions(this.assets[index]!.scheme, this.moment));
  }

  /** The same, and those that will exist within a day: whoever works with a model for long meets them. */
  setSoonOf(index: number): PartitionSet {
    const { moment } = this;
    return (this.#setsSoon[index] ??= resolvePartitions(this.assets[index]!.scheme, {
      now: new Date(moment.now.getTime() + DAY),
      dynamicKeys: (name) => moment.dynamicKeys(name),
      customKeys: (scheme) => moment.customKeys(scheme),
    }));
  }

  /** The dependencies of an asset, in the order in which {@link groups} name their upstreams. */
  dependenciesOf(index: number): readonly ModelDependency[] {
    return (this.#dependencies[index] ??= this.#resolveDependencies(index));
  }

  /** The assets that depend on an asset, itself included where it consumes its own past. */
  dependentsOf(index: number): readonly ModelDependent[] {
    const consumers = new Set([...this.graph.downstreamsOf(index), index]);
    return [...consumers].flatMap((downstream) =>
      this.dependenciesOf(downstream)
        .filter((dependency) => dependency.upstream === index)
        .map((dependency) => ({ downstream, dependency })),
    );
  }

  /** Assets that depend on each other's or their own partitions together, others alone; upstream groups first. */
  groups(): readonly Int32Array[] {
    return (this.#groups ??= this.graph.connectedGroups());
  }

  /** Whether partitions of one asset of the group may depend on partitions of another of it, or of itself. */
  isKnot(group: Int32Array): boolean {
    if (group.length > 1) return true;
    const { key, dependencies } = this.assets[group[0]!]!;
    return dependencies.some((dependency) => dependency.upstream === key);
  }

  #rankAssets(): Int32Array {
    if (this.#ranks === undefined) {
      this.#ranks = new Int32Array(this.assets.length);
      let rank = 0;
      for (const group of this.groups()) for (const asset of group) this.#ranks[asset] = rank++;
    }
    return this.#ranks;
  }

  #resolveDependencies(index: number): ModelDependency[] {
    const { scheme, dependencies } = this.assets[index]!;
    const resolved = dependencies.map((declared) => {
      const upstream = this.graph.indexOf(declared.upstream);
      const down = { scheme, set: this.setOf(index) };
      const up = { scheme: this.assets[upstream]!.scheme, set: this.setOf(upstream) };
      return { declared, upstream, mapping: resolveMapping(declared.mapping, down, up) };
    });
    const ranks = this.#rankAssets();
    return resolved.sort((a, b) => ranks[a.upstream]! - ranks[b.upstream]!);
  }
}
