// The planning model of now: which partitions exist at this moment, by the ledger's clock and its dynamic keys.
import type { DeclaredAsset } from '../assets/asset.definition.js';
import type { AssetRegistry } from '../assets/asset.registry.js';
import { FlowStoneError } from '../flowstone.errors.js';
import type { Ledger } from '../ledger/ledger.port.js';
import { buildPlanningModel, type PlanningModel } from '../planning/planning-model.js';
import { schemeLeaves, type CustomScheme } from '../partitions/partition-scheme.js';
import { customKeys } from '../partitions/canonical-key.js';
import type { Catalogue } from './catalogue.js';
import { messageOf } from './failure.js';

/** How long a model serves for looking again at claims, ms. Requests always get a new one. */
const MODEL_AGE = 1000;

export class PartitionMoments {
  #model: { readonly at: number; readonly model: Promise<PlanningModel> } | undefined;

  constructor(
    private readonly ledger: Ledger,
    private readonly registry: AssetRegistry,
    private readonly catalogue: Catalogue,
    private readonly config: Readonly<Record<string, unknown>>,
  ) {}

  /** The model of this moment. */
  fresh(definitions = this.catalogue.definitions): Promise<PlanningModel> {
    const model = this.#build(definitions);
    this.#model = { at: performance.now(), model };
    return model;
  }

  /** A model that is at most a second old, and not older than the last change of dynamic keys by this process. */
  recent(): Promise<PlanningModel> {
    if (this.#model && performance.now() - this.#model.at < MODEL_AGE) return this.#model.model;
    return this.fresh();
  }

  /** Dynamic keys changed. */
  forget(): void {
    this.#model = undefined;
  }

  async #build(definitions: readonly DeclaredAsset[]): Promise<PlanningModel> {
    const leaves = definitions.flatMap(({ scheme }) => (scheme ? schemeLeaves(scheme) : []));
    const names = new Set(leaves.flatMap((leaf) => (leaf.kind === 'dynamic' ? leaf.name : [])));
    const customs = new Set(leaves.filter((leaf): leaf is CustomScheme => leaf.kind === 'custom'));
    const [now, dynamic, custom] = await Promise.all([
      this.ledger.now(),
      mapOf(names, (name) => this.ledger.dynamicPartitions(name)),
      mapOf(customs, (scheme) => this.#customKeys(scheme)),
    ]);
    const moment = {
      now,
      dynamicKeys: (name: string) => dynamic.get(name) ?? [],
      customKeys: (scheme: CustomScheme) => {
        const keys = custom.get(scheme) ?? [];
        if (keys instanceof FlowStoneError) throw keys;
        return keys;
      },
    };
    try {
      return buildPlanningModel(definitions, moment);
    } catch {
      // Each process declares a sound graph. Together, in the middle of a rollout, they may make none.
      return buildPlanningModel(this.registry.definitions, moment);
    }
  }

  /** Its failure is an answer as well: it concerns only those who ask for these keys. */
  async #customKeys(scheme: CustomScheme): Promise<readonly string[] | FlowStoneError> {
    try {
      return await customKeys(scheme, { config: this.config, resources: this.#resourcesOf(scheme) });
    } catch (thrown) {
      // Whoever asks next shall not get this failure for as long as a model serves.
      this.forget();
      if (thrown instanceof FlowStoneError) return thrown;
      const message = `The function of the custom scheme "${scheme.name}" failed: ${messageOf(thrown)}. Until it answers, nothing that needs its partitions can be planned or run.`;
      return new FlowStoneError('FLOWSTONE_PARTITION_SCHEME_FAILED', message, {
        cause: thrown,
        context: { scheme: scheme.name },
      });
    }
  }

  /** What the assets that are partitioned by it require. */
  #resourcesOf(scheme: CustomScheme): Readonly<Record<string, unknown>> {
    const users = this.registry.definitions.filter(
      (definition) => definition.scheme && schemeLeaves(definition.scheme).includes(scheme),
    );
    return Object.assign({}, ...users.map(({ key }) => this.registry.require(key).resources)) as Record<
      string,
      unknown
    >;
  }
}

async function mapOf<K, V>(keys: Iterable<K>, value: (key: K) => Promise<V>): Promise<Map<K, V>> {
  return new Map(await Promise.all([...keys].map(async (key) => [key, await value(key)] as const)));
}
