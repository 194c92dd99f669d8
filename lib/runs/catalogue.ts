// What is declared of every asset by the definitions that count now (semantics, Planning and running 15): this process's own
// where those count, others as they are stored. Executing is not for here: it takes the class.
import type { AssetClass, DeclaredAsset } from '../assets/asset.definition.js';
import type { AssetRegistry } from '../assets/asset.registry.js';
import { readStored, type KnownCode } from '../assets/stored.definition.js';
import type { CurrentDefinition } from '../ledger/registrations.js';
import { schemeLeaves, type CustomScheme } from '../partitions/partition-scheme.js';

type Current = ReadonlyMap<string, CurrentDefinition>;

/** The catalogue as of one reading of the current definitions. */
interface Reading {
  readonly of: Current;
  readonly byKey: ReadonlyMap<string, DeclaredAsset>;
  readonly definitions: readonly DeclaredAsset[];
  /** Assets that code which is not here may concern. */
  readonly closed: ReadonlySet<string>;
  /** Pools of assets that only other processes work for. */
  readonly shared: ReadonlySet<string>;
}

export class Catalogue {
  #reading: Reading | undefined;

  /** @param current the definitions that count; a new map when they may have changed */
  constructor(
    private readonly registry: AssetRegistry,
    private readonly current: () => Current,
  ) {}

  /** All that this process declares, and what else live workers declare, in the order of keys. */
  get definitions(): readonly DeclaredAsset[] {
    return this.#read().definitions;
  }

  /** The asset of a class of this process or of a key, if there is one. */
  find(asset: AssetClass | string): DeclaredAsset | undefined {
    const key = typeof asset === 'string' ? asset : this.registry.find(asset)?.definition.key;
    return key === undefined ? undefined : this.#read().byKey.get(key);
  }

  /** @throws FlowStoneError `FLOWSTONE_ASSET_UNKNOWN`, with the nearest key of this process */
  resolve(asset: AssetClass | string): DeclaredAsset {
    return this.find(asset) ?? this.registry.resolve(asset);
  }

  /** Whether a plan of the asset needs no code, of it or of what it is connected to, that this process does not have. */
  canPlan(asset: string): boolean {
    const { byKey, closed } = this.#read();
    return byKey.has(asset) && !closed.has(asset);
  }

  /** Whether there are assets in the pool that other processes work for, and this one does not. */
  isShared(pool: string): boolean {
    return this.#read().shared.has(pool);
  }

  #read(): Reading {
    const of = this.current();
    if (this.#reading?.of !== of) this.#reading = { of, ...this.#readingOf(of) };
    return this.#reading;
  }

  #readingOf(current: Current): Omit<Reading, 'of'> {
    const code = new RegistryCode(this.registry);
    const incomplete: string[] = [];
    const read = ({ key, hash, definition }: CurrentDefinition): DeclaredAsset => {
      const { declared, complete } = readStored(key, hash, definition, code);
      if (!complete) incomplete.push(key);
      return declared;
    };
    const own = this.registry.definitions.map((definition): DeclaredAsset => {
      const counts = current.get(definition.key);
      return !counts || counts.hash === definition.hash ? definition : read(counts);
    });
    const others = [...current.values()].filter(({ key, live }) => live && !this.registry.find(key)).map(read);
    const definitions = [...own, ...others].sort((a, b) => (a.key < b.key ? -1 : 1));
    const byKey = new Map(definitions.map((declared) => [declared.key, declared]));
    const shared = [...current.values()].filter(
      ({ key, hash, live }) => live && this.registry.find(key)?.definition.hash !== hash,
    );
    return {
      definitions,
      byKey,
      shared: new Set(shared.map(({ key }) => byKey.get(key)!.pool)),
      closed: incomplete.length === 0 ? new Set() : connectedTo(incomplete, definitions),
    };
  }
}

/** The code that the classes of this process have. */
class RegistryCode implements KnownCode {
  #schemes: readonly CustomScheme[] | undefined;

  constructor(private readonly registry: AssetRegistry) {}

  scheme(name: string, dimensions: readonly string[]): CustomScheme | undefined {
    this.#schemes ??= this.registry.definitions
      .flatMap(({ scheme }) => (scheme ? schemeLeaves(scheme) : []))
      .filter((leaf): leaf is CustomScheme => leaf.kind === 'custom');
    return this.#schemes.find((known) => known.name === name && known.dimensions.join() === dimensions.join());
  }

  mapping(asset: string, alias: string): DeclaredAsset['dependencies'][number]['mapping'] | undefined {
    const dependencies = this.registry.find(asset)?.definition.dependencies;
    return dependencies?.find((dependency) => dependency.alias === alias)?.mapping;
  }
}

/** These assets, and all that can be reached from them along dependencies, whichever way. */
function connectedTo(keys: readonly string[], definitions: readonly DeclaredAsset[]): ReadonlySet<string> {
  const neighbours = new Map<string, string[]>();
  const join = (from: string, to: string): void => void neighbours.set(from, [...(neighbours.get(from) ?? []), to]);
  for (const { key, dependencies } of definitions) {
    for (const { upstream } of dependencies) {
      join(key, upstream);
      join(upstream, key);
    }
  }
  const reached = new Set(keys);
  for (const key of reached) for (const next of neighbours.get(key) ?? []) reached.add(next);
  return reached;
}
