// What Nest would discover, without Nest: the declaration check takes plain data.
import type { AssetClass } from '../../../lib/assets/asset.definition.js';
import type {
  DiscoveredAsset,
  DiscoveredProvider,
  Discovery,
  ProviderScope,
} from '../../../lib/assets/asset.explorer.js';
import type { IoManagers } from '../../../lib/assets/declaration.check.js';

type Concrete = new () => object;

export function discoveryOf(
  classes: readonly Concrete[],
  { resources = [], scope = 'singleton' }: { resources?: readonly Concrete[]; scope?: ProviderScope } = {},
): Discovery {
  const assets = classes.map((target): DiscoveredAsset => {
    const methods = Object.getOwnPropertyNames(target.prototype);
    return { target, instance: new target(), scope, methods };
  });
  const provided = resources.map((resource): [AssetClass, DiscoveredProvider] => [
    resource,
    { instance: new resource(), scope },
  ]);
  return { assets, providers: new Map(provided) };
}

/** `filesystem` knows the option `format`, `memory` none. */
export const managers: IoManagers = {
  names: ['filesystem', 'memory'],
  keepsHeadOnly: () => false,
  default: 'filesystem',
  optionProblems: (manager, options) =>
    Object.keys(options)
      .filter((option) => manager !== 'filesystem' || option !== 'format')
      .map((option) => `unknown option '${option}'`),
};
