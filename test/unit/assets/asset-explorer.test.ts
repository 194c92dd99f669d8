import { afterEach, describe, expect, it } from '@jest/globals';
import { Injectable, Module, type ModuleMetadata, Scope } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { Test, type TestingModule, type TestingModuleBuilder } from '@nestjs/testing';
import type { AssetContext } from '../../../lib/assets/asset.context.js';
import { Asset } from '../../../lib/assets/asset.decorator.js';
import type { AssetClass } from '../../../lib/assets/asset.definition.js';
import { AssetExplorer } from '../../../lib/assets/asset.explorer.js';
import { AssetRegistry } from '../../../lib/assets/asset.registry.js';
import { ExternalAsset } from '../../../lib/assets/asset.value.js';
import { checkDeclarations } from '../../../lib/assets/declaration.check.js';
import { DependsOn } from '../../../lib/assets/depends-on.decorator.js';
import { Requires } from '../../../lib/assets/requires.decorator.js';
import { managers } from './discovery.js';

@Injectable()
class GeoService {
  readonly place = 'real';
}

@Asset({ external: true })
class RawOrders extends ExternalAsset<number[]> {}

const resources = { geo: GeoService };

@Asset()
@DependsOn({ orders: RawOrders })
@Requires(resources)
class Orders {
  constructor(private readonly geo: GeoService) {}
  execute(context: AssetContext<typeof resources>, { orders }: { orders: number[] }) {
    return `${this.geo.place} ${context.resources.geo.place} ${orders.length}`;
  }
}

@Asset()
@DependsOn({ orders: Orders })
class Report {
  execute(_context: AssetContext, { orders }: { orders: string }) {
    return orders;
  }
}

@Module({ providers: [GeoService, RawOrders, Orders], exports: [Orders] })
class OrdersModule {}

@Module({ imports: [OrdersModule], providers: [Report] })
class ReportModule {}

let app: TestingModule | undefined;
afterEach(() => app?.close());

async function explored(
  metadata: ModuleMetadata,
  change: (builder: TestingModuleBuilder) => TestingModuleBuilder = (builder) => builder,
): Promise<AssetRegistry> {
  const builder = Test.createTestingModule({
    ...metadata,
    imports: [DiscoveryModule, ...(metadata.imports ?? [])],
    providers: [AssetExplorer, ...(metadata.providers ?? [])],
  });
  app = await change(builder).compile();
  return new AssetRegistry(checkDeclarations(app.get(AssetExplorer).explore(), managers));
}

const keysOf = (registry: AssetRegistry) => registry.definitions.map(({ key }) => key);

describe('the explorer', () => {
  it('finds the assets of all modules, with the instances and resources they run with', async () => {
    const registry = await explored({ imports: [ReportModule] });
    expect(keysOf(registry)).toEqual(['orders', 'raw_orders', 'report']);
    const orders = registry.require(Orders);
    expect(orders.instance).toBe(app?.get(Orders, { strict: false }));
    expect(orders.resources).toEqual({ geo: app?.get(GeoService, { strict: false }) });
  });

  it('counts a class once that several modules provide', async () => {
    const forFeature = (assets: (new (...args: never[]) => unknown)[]) => {
      class Feature {}
      return { module: Feature, providers: [...assets, GeoService], exports: assets };
    };
    const imports = [forFeature([RawOrders, Orders]), forFeature([RawOrders, Orders, Report]), OrdersModule];
    expect(keysOf(await explored({ imports }))).toEqual(['orders', 'raw_orders', 'report']);
  });

  it('finds nothing where nothing is declared', async () => {
    expect((await explored({ providers: [GeoService] })).definitions).toEqual([]);
  });

  it('finds a class behind another token, but not twice under an alias', async () => {
    const providers = [
      { provide: 'REPORT', useClass: Report },
      { provide: 'SAME', useExisting: 'REPORT' },
    ];
    const registry = await explored({ imports: [OrdersModule], providers });
    expect(registry.require(Report).instance).toBe(app?.get('SAME'));
  });

  it('executes what an asset was overridden with, as the asset it replaces', async () => {
    const mock = { execute: () => 'mocked' };
    class Double {
      execute() {
        return 'double';
      }
    }
    const registry = await explored({ imports: [ReportModule] }, (builder) =>
      builder.overrideProvider(Orders).useValue(mock).overrideProvider(Report).useClass(Double),
    );
    expect(registry.require('orders').instance).toBe(mock);
    expect(registry.require('report').instance).toBeInstanceOf(Double);
    expect(registry.resolve('report').dependencies).toMatchObject([{ alias: 'orders', upstream: 'orders' }]);
  });

  it('lends what a resource was overridden with', async () => {
    const geo = { place: 'mocked' };
    const registry = await explored({ imports: [OrdersModule] }, (builder) =>
      builder.overrideProvider(GeoService).useValue(geo),
    );
    expect(registry.require(Orders).resources['geo']).toBe(geo);
  });

  it('refuses an override that cannot execute', async () => {
    const broken = explored({ imports: [OrdersModule] }, (builder) =>
      builder.overrideProvider(Orders).useValue({ run: () => 1 }),
    );
    await expect(broken).rejects.toThrow(/Orders: it has no method execute/);
  });

  it('takes a subclass for an asset only where it says so itself', async () => {
    class Draft extends Report {}
    @Asset({ name: 'final_report' })
    class Final extends Report {}
    const registry = await explored({ imports: [OrdersModule], providers: [Draft, Final] });
    expect(registry.find(Draft)).toBeUndefined();
    expect(registry.resolve(Final).dependencies).toMatchObject([{ alias: 'orders', upstream: 'orders' }]);
  });

  it('refuses assets and resources that are not singletons, and what injects such', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Session {}

    @Asset()
    class Personal {
      constructor(readonly session: Session) {}
      execute() {}
    }
    @Asset()
    class Brief {
      execute() {}
    }
    Injectable({ scope: Scope.TRANSIENT })(Brief);

    @Asset()
    @Requires({ session: Session })
    class Borrower {
      execute() {}
    }
    const broken = explored({ providers: [Session, Personal, Brief, Borrower] });
    await expect(broken).rejects.toMatchObject({
      context: {
        problems: [
          { class: 'Personal', problem: 'it is request-scoped, or injects something that is' },
          { class: 'Brief', problem: 'it is transient' },
          { class: 'Borrower', problem: 'it requires Session as session, which is request-scoped' },
        ],
      },
    });
  });
});

describe('the registry', () => {
  it('resolves classes and keys', async () => {
    const registry = await explored({ imports: [ReportModule] });
    expect(registry.resolve(Report)).toBe(registry.resolve('report'));
    expect(registry.find('nothing')).toBeUndefined();
  });

  it('says what is meant where there is no such asset', async () => {
    @Asset({ name: 'reports', formerly: ['summary'] })
    class Reports {
      execute() {}
    }
    const registry = await explored({ providers: [Reports] });
    const messageOf = (asset: AssetClass | string) => {
      try {
        return registry.resolve(asset).key;
      } catch (error) {
        return error instanceof Error && 'code' in error ? `${String(error.code)}: ${error.message}` : error;
      }
    };
    expect(messageOf('reprots')).toMatch(
      /^FLOWSTONE_ASSET_UNKNOWN: There is no asset 'reprots' \(did you mean "reports"\?\)/,
    );
    expect(messageOf('summary')).toMatch(/There is no asset 'summary' \(it is now called 'reports'\)/);
    expect(messageOf('zzz')).toMatch(/There is no asset 'zzz'\. Check the key/);
    expect(messageOf(GeoService)).toMatch(/GeoService is not a declared asset\. Decorate it/);
  });
});
