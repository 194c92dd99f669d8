// Finds the declared assets, and what they may borrow, among the providers of all modules of the application.
import { Inject, Injectable, Scope } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import type { AssetClass } from './asset.definition.js';
import { assetOptionsOf } from './asset.metadata.js';
import { isClass } from './dependency.js';

/** How long an instance lives; anything but `singleton` cannot be an asset. */
export type ProviderScope = 'singleton' | 'request' | 'transient';

/** A provider of the application. */
export interface DiscoveredProvider {
  readonly instance: unknown;
  readonly scope: ProviderScope;
}

/** A provider that is an asset. `instance` is what executes: after an override in a test not one of `target`. */
export interface DiscoveredAsset extends DiscoveredProvider {
  readonly target: AssetClass;
  /** Names of the instance's methods. */
  readonly methods: readonly string[];
}

/** What an application provides. */
export interface Discovery {
  /** Each asset class once. */
  readonly assets: readonly DiscoveredAsset[];
  /** All providers whose token is a class. */
  readonly providers: ReadonlyMap<unknown, DiscoveredProvider>;
}

type Wrapper = ReturnType<DiscoveryService['getProviders']>[number];

@Injectable()
export class AssetExplorer {
  constructor(
    @Inject(DiscoveryService) private readonly discovery: DiscoveryService,
    @Inject(MetadataScanner) private readonly scanner: MetadataScanner,
  ) {}

  /** Call it once all providers exist (`onModuleInit` or later). A class that several modules provide counts once. */
  explore(): Discovery {
    const assets = new Map<AssetClass, DiscoveredAsset>();
    const providers = new Map<unknown, DiscoveredProvider>();
    for (const wrapper of this.discovery.getProviders()) {
      const { token, instance } = wrapper;
      const target = assetClassOf(wrapper);
      if (target === undefined && typeof token !== 'function') continue;
      const provider: DiscoveredProvider = { instance, scope: scopeOf(wrapper) };
      if (!providers.has(token)) providers.set(token, provider);
      if (target === undefined || assets.has(target)) continue;
      assets.set(target, { ...provider, target, methods: this.methodsOf(instance) });
    }
    return { assets: [...assets.values()], providers };
  }

  private methodsOf(instance: unknown): string[] {
    if (typeof instance !== 'object' || instance === null) return [];
    const own = Object.entries(instance).flatMap(([name, value]) => (typeof value === 'function' ? [name] : []));
    return [...own, ...this.scanner.getAllMethodNames(Object.getPrototypeOf(instance) as object | null)];
  }
}

/** The token first: after `overrideProvider(X).useValue(mock)` nothing else still knows the class. */
function assetClassOf({ token, metatype }: Wrapper): AssetClass | undefined {
  return [token, metatype].filter(isClass).find((candidate) => assetOptionsOf(candidate) !== undefined);
}

function scopeOf(wrapper: Wrapper): ProviderScope {
  if (wrapper.scope === Scope.TRANSIENT) return 'transient';
  return wrapper.isDependencyTreeStatic() ? 'singleton' : 'request';
}
