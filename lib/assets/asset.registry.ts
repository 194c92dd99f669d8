// The declared assets of this process: by key, by class, with what executes them.
import { FlowStoneError } from '../flowstone.errors.js';
import { didYouMean } from '../graph/did-you-mean.js';
import type { AssetClass, AssetDefinition } from './asset.definition.js';

/** An asset and what of the application it runs with. */
export interface RegisteredAsset {
  readonly definition: AssetDefinition;
  /** Has `execute`, or `executeMany` where batches are declared, unless the asset is external. */
  readonly instance: unknown;
  /** Instances of the required resources, by alias. */
  readonly resources: Readonly<Record<string, unknown>>;
}

/** All assets, complete and checked. */
export class AssetRegistry {
  /** Every definition, in the order of keys. */
  readonly definitions: readonly AssetDefinition[];
  readonly #byKey = new Map<string, RegisteredAsset>();
  readonly #byClass = new Map<AssetClass, RegisteredAsset>();
  readonly #renamed = new Map<string, string>();

  constructor(assets: readonly RegisteredAsset[]) {
    for (const asset of assets) {
      const { key, target, formerly } = asset.definition;
      this.#byKey.set(key, asset);
      this.#byClass.set(target, asset);
      for (const old of formerly) this.#renamed.set(old, key);
    }
    this.definitions = assets.map(({ definition }) => definition).sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  /** The asset of a class or key, if there is one. */
  find(asset: AssetClass | string): RegisteredAsset | undefined {
    return typeof asset === 'string' ? this.#byKey.get(asset) : this.#byClass.get(asset);
  }

  /**
   * The asset of a class or key.
   * @throws FlowStoneError `FLOWSTONE_ASSET_UNKNOWN`, with the nearest key or the new one of a renamed asset
   */
  require(asset: AssetClass | string): RegisteredAsset {
    const found = this.find(asset);
    if (found) return found;
    const name = typeof asset === 'string' ? asset : asset.name;
    const message =
      typeof asset === 'string'
        ? `There is no asset '${name}'${this.#hint(name)}. Check the key, or add its class to the providers of a module.`
        : `${name} is not a declared asset. Decorate it with @Asset() and add it to the providers of a module.`;
    throw new FlowStoneError('FLOWSTONE_ASSET_UNKNOWN', message, { context: { asset: name } });
  }

  /** {@link require}, for those who only want what is declared. */
  resolve(asset: AssetClass | string): AssetDefinition {
    return this.require(asset).definition;
  }

  #hint(name: string): string {
    const renamed = this.#renamed.get(name);
    return renamed === undefined ? didYouMean(name, this.#byKey.keys()) : ` (it is now called '${renamed}')`;
  }
}
