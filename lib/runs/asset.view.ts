// An asset as one planning model shows it: what is the same for all claims of it, worked out once.
import type { AssetDefinition, DependencyDefinition } from '../assets/asset.definition.js';
import type { AssetRegistry, RegisteredAsset } from '../assets/asset.registry.js';
import type { ResolvedMapping } from '../partitions/mapping.js';
import type { PartitionSet } from '../partitions/partition-set.js';
import { declaredUpstreams } from '../planning/must-run.js';
import type { PlanningModel } from '../planning/planning-model.js';

/** A dependency with its upstream, as the model shows them. */
export interface DependencyView {
  readonly dependency: DependencyDefinition;
  readonly mapping: ResolvedMapping;
  readonly partitions: PartitionSet;
  /** Of the upstream. */
  readonly partitioned: boolean;
  readonly external: boolean;
}

/** What may fail, such as partitions of the user's own making, is worked out when it is first asked for. */
export class AssetView {
  readonly definition: AssetDefinition;
  readonly instance: unknown;
  /** Upstream keys as heads record them. */
  readonly upstreams: string;
  /** Whether the definition that this process would execute is the one that counts. */
  readonly counts: boolean;
  readonly #index: number;
  #dependencies: readonly DependencyView[] | undefined;

  constructor(
    private readonly model: PlanningModel,
    private readonly registry: AssetRegistry,
    { definition, instance }: RegisteredAsset,
  ) {
    this.definition = definition;
    this.instance = instance;
    this.upstreams = declaredUpstreams(definition);
    this.#index = model.requireIndex(definition.key);
    this.counts = model.assets[this.#index] === definition;
  }

  get partitions(): PartitionSet {
    return this.model.setOf(this.#index);
  }

  /** In the order in which they are declared. */
  get dependencies(): readonly DependencyView[] {
    return (this.#dependencies ??= this.#resolveDependencies());
  }

  #resolveDependencies(): DependencyView[] {
    const { model } = this;
    const byAlias = new Map(model.dependenciesOf(this.#index).map((resolved) => [resolved.declared.alias, resolved]));
    return this.definition.dependencies.map((dependency) => {
      const { mapping, upstream } = byAlias.get(dependency.alias)!;
      const { scheme, external } = this.registry.resolve(dependency.upstream);
      return { dependency, mapping, partitions: model.setOf(upstream), partitioned: scheme !== undefined, external };
    });
  }
}

/** Views of the model that serves now. */
export class AssetViews {
  readonly #registry: AssetRegistry;
  #model: PlanningModel | undefined;
  #views = new Map<string, AssetView>();

  constructor(registry: AssetRegistry) {
    this.#registry = registry;
  }

  /** @throws FlowStoneError FLOWSTONE_ASSET_UNKNOWN, FLOWSTONE_PLAN_ASSET_UNKNOWN */
  of(model: PlanningModel, asset: string): AssetView {
    if (model !== this.#model) {
      this.#model = model;
      this.#views = new Map();
    }
    let view = this.#views.get(asset);
    if (!view) this.#views.set(asset, (view = new AssetView(model, this.#registry, this.#registry.require(asset))));
    return view;
  }
}
