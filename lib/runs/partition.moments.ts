// The planning model of now: which partitions exist at this moment, by the ledger's clock, its dynamic keys and the
// functions of custom schemes.
import type { DeclaredAsset } from '../assets/asset.definition.js';
import type { AssetRegistry } from '../assets/asset.registry.js';
import { FlowStoneError } from '../flowstone.errors.js';
import type { Ledger } from '../ledger/ledger.port.js';
import { buildPlanningModel, type PlanningModel } from '../planning/planning-model.js';
import type { PlanningAsset } from '../planning/planning.port.js';
import { schemeLeaves, type CustomScheme } from '../partitions/partition-scheme.js';
import type { Catalogue } from './catalogue.js';
import { CustomSchemes, type SchemeAnswer } from './custom.schemes.js';

/** How long a model serves for looking again at claims, ms. Requests always get a new one. */
const MODEL_AGE = 1000;

/** What functions of custom schemes are given. */
export interface SchemeSupply {
  readonly config: Readonly<Record<string, unknown>>;
  /** Rejects where one of these resources, which `what` requires, is not healthy. */
  readonly healthy: (resources: readonly unknown[], what: string) => Promise<void>;
}

/** What a model is for. */
interface MomentOptions {
  /** By default those that count now. */
  readonly definitions?: readonly DeclaredAsset[];
  /** It is asked about these and their upstreams only: no other custom scheme is waited for. By default about all. */
  readonly assets?: Iterable<string>;
  /** Keys that dynamic schemes are about to have, by name; such a model serves nobody else. */
  readonly added?: ReadonlyMap<string, readonly string[]> | undefined;
}

/** A model, which is not asked about partitions of custom schemes before their answers are here. */
interface Moment {
  readonly at: number;
  readonly model: Promise<PlanningModel>;
  /** Each is asked once; one that failed, again. */
  readonly asked: Map<CustomScheme, Promise<void>>;
  readonly answers: Map<CustomScheme, SchemeAnswer>;
}

export class PartitionMoments {
  #moment: Moment | undefined;
  readonly #customs: CustomSchemes;

  constructor(
    private readonly ledger: Ledger,
    private readonly registry: AssetRegistry,
    private readonly catalogue: Catalogue,
    { config, healthy }: SchemeSupply,
  ) {
    this.#customs = new CustomSchemes(async (scheme) => {
      const resources = this.#resourcesOf(scheme);
      await healthy(Object.values(resources), `The custom scheme "${scheme.name}"`);
      return { config, resources };
    });
  }

  /** The model of this moment. */
  fresh({ definitions = this.catalogue.definitions, assets, added }: MomentOptions = {}): Promise<PlanningModel> {
    if (added && added.size > 0) return this.#answered(this.#begin(definitions, added), assets);
    return this.#answered((this.#moment = this.#begin(definitions)), assets);
  }

  /** A model that is at most a second old, and not older than the last change of dynamic keys by this process. */
  recent(assets: Iterable<string>): Promise<PlanningModel> {
    if (!this.#moment || performance.now() - this.#moment.at >= MODEL_AGE) return this.fresh({ assets });
    return this.#answered(this.#moment, assets);
  }

  /** Dynamic keys changed. */
  forget(): void {
    this.#moment = undefined;
  }

  /** Of these assets, those for which functions of the user's own have to be asked. */
  withCustomKeys(assets: Iterable<string>): ReadonlySet<string> {
    const { definitions } = this.catalogue;
    return new Set([...new Set(assets)].filter((asset) => customsOf(definitions, [asset]).size > 0));
  }

  #begin(definitions: readonly DeclaredAsset[], added?: ReadonlyMap<string, readonly string[]>): Moment {
    const answers = new Map<CustomScheme, SchemeAnswer>();
    return { at: performance.now(), model: this.#build(definitions, answers, added), asked: new Map(), answers };
  }

  async #build(
    definitions: readonly DeclaredAsset[],
    answers: ReadonlyMap<CustomScheme, SchemeAnswer>,
    added: ReadonlyMap<string, readonly string[]> = new Map(),
  ): Promise<PlanningModel> {
    const leaves = definitions.flatMap(({ scheme }) => (scheme ? schemeLeaves(scheme) : []));
    const names = new Set(leaves.flatMap((leaf) => (leaf.kind === 'dynamic' ? leaf.name : [])));
    const [now, dynamic] = await Promise.all([
      this.ledger.now(),
      mapOf(names, async (name) => {
        const known = await this.ledger.dynamicPartitions(name);
        return added.has(name) ? [...new Set([...known, ...added.get(name)!])] : known;
      }),
    ]);
    const moment = {
      now,
      dynamicKeys: (name: string) => dynamic.get(name) ?? [],
      customKeys: (scheme: CustomScheme) => {
        const keys = answers.get(scheme);
        if (keys === undefined) throw new Error(`The model was not made for the custom scheme "${scheme.name}".`);
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

  /** The model of a moment once it can be asked about these assets. */
  async #answered({ model: made, asked, answers }: Moment, assets?: Iterable<string>): Promise<PlanningModel> {
    const model = await made;
    const ask = async (scheme: CustomScheme): Promise<void> => {
      const answer = await this.#customs.ask(scheme);
      answers.set(scheme, answer);
      // Whoever asks next shall not get this failure for as long as a model serves.
      if (answer instanceof FlowStoneError) asked.delete(scheme);
    };
    const answering: Promise<void>[] = [];
    for (const scheme of customsOf(model.assets, assets)) {
      let answer = asked.get(scheme);
      if (!answer) asked.set(scheme, (answer = ask(scheme)));
      answering.push(answer);
    }
    if (answering.length > 0) await Promise.all(answering);
    return model;
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

/** The custom schemes of declared assets, by asset: its own and those of its upstreams. Worked out once per declaration. */
const customSchemes = new WeakMap<readonly PlanningAsset[], ReadonlyMap<string, ReadonlySet<CustomScheme>>>();

/** Those of these assets; undefined: of all. */
function customsOf(
  declared: readonly PlanningAsset[],
  assets: Iterable<string> | undefined,
): ReadonlySet<CustomScheme> {
  let byAsset = customSchemes.get(declared);
  if (!byAsset) customSchemes.set(declared, (byAsset = customsByAsset(declared)));
  if (byAsset.size === 0) return NO_SCHEMES;
  const found = new Set<CustomScheme>();
  for (const asset of new Set(assets ?? byAsset.keys()))
    for (const scheme of byAsset.get(asset) ?? []) found.add(scheme);
  return found;
}

const NO_SCHEMES: ReadonlySet<CustomScheme> = new Set();

function customsByAsset(declared: readonly PlanningAsset[]): ReadonlyMap<string, ReadonlySet<CustomScheme>> {
  const own = new Map<string, readonly CustomScheme[]>();
  for (const { key, scheme } of declared) {
    const customs = scheme ? schemeLeaves(scheme).filter((leaf) => leaf.kind === 'custom') : [];
    if (customs.length > 0) own.set(key, customs);
  }
  const byAsset = new Map<string, ReadonlySet<CustomScheme>>();
  for (const { key, dependencies } of own.size > 0 ? declared : []) {
    const all = [key, ...dependencies.map(({ upstream }) => upstream)].flatMap((asset) => own.get(asset) ?? []);
    if (all.length > 0) byAsset.set(key, new Set(all));
  }
  return byAsset;
}

async function mapOf<K, V>(keys: Iterable<K>, value: (key: K) => Promise<V>): Promise<Map<K, V>> {
  return new Map(await Promise.all([...keys].map(async (key) => [key, await value(key)] as const)));
}
