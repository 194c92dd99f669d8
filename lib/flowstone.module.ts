// What an application imports: forRoot() once, forFeature() where assets are grouped in modules of their own.
import {
  Logger,
  Module,
  type DynamicModule,
  type InjectionToken,
  type ModuleMetadata,
  type Provider,
  type Type,
} from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { AssetExplorer } from './assets/asset.explorer.js';
import { EventBus } from './events/event.bus.js';
import { HookExplorer } from './events/hook.explorer.js';
import { FlowStoneEvents } from './events/flowstone.events.js';
import { FLOWSTONE_LEDGER, FLOWSTONE_OPTIONS, FlowStoneLifecycle } from './flowstone.lifecycle.js';
import { resolveOptions, type FlowStoneOptions, type ResolvedOptions } from './flowstone.options.js';
import { EngineSource, FlowStoneService } from './flowstone.service.js';
import { createLedger, type OpenableLedger } from './flowstone.storage.js';
import { createQueue } from './flowstone.transport.js';
import { FLOWSTONE_QUEUE } from './queue/queue.port.js';
import { messageOf } from './runs/failure.js';

/**
 * Token of the ledger's DataSource (undefined for a ledger in memory): its transactions are what `{ manager }` of the
 * service takes. On the embedded database it is the only one there is.
 */
export const FLOWSTONE_DATA_SOURCE = Symbol.for('flowstone:data-source');

/** Options made by a factory, e.g. from a configuration service. */
export interface FlowStoneAsyncOptions extends Pick<ModuleMetadata, 'imports'> {
  readonly inject?: readonly InjectionToken[];
  // The arguments are those of `inject`, which TypeScript cannot relate.
  readonly useFactory: (...injected: never[]) => FlowStoneOptions | Promise<FlowStoneOptions>;
}

@Module({})
export class FlowStoneModule {
  /** FlowStone for the whole application. Import it once, in the root module. */
  static forRoot(options: FlowStoneOptions = {}): DynamicModule {
    return rootModule({ provide: FLOWSTONE_OPTIONS, useFactory: () => resolveOptions(options) });
  }

  /** The same with options from a factory. */
  static forRootAsync({ imports, inject, useFactory }: FlowStoneAsyncOptions): DynamicModule {
    const make = useFactory as (...injected: unknown[]) => FlowStoneOptions | Promise<FlowStoneOptions>;
    const options: Provider = {
      provide: FLOWSTONE_OPTIONS,
      inject: [...(inject ?? [])],
      useFactory: async (...injected: unknown[]) => resolveOptions(await make(...injected)),
    };
    return rootModule(options, imports);
  }

  /** A module of assets, and of whatever else they need, in one call; the same as a module of your own with these providers. */
  static forFeature(providers: readonly (Type | Provider)[]): DynamicModule {
    return {
      module: FlowStoneFeatureModule,
      providers: [...providers],
      exports: [...providers] as DynamicModule['exports'],
    };
  }
}

/** Home of what forFeature() is given. */
@Module({})
class FlowStoneFeatureModule {}

function rootModule(options: Provider, imports: ModuleMetadata['imports'] = []): DynamicModule {
  return {
    module: FlowStoneModule,
    global: true,
    imports: [DiscoveryModule, ...imports],
    providers: [
      options,
      {
        provide: FLOWSTONE_LEDGER,
        inject: [FLOWSTONE_OPTIONS],
        useFactory: (resolved: ResolvedOptions) => createLedger(resolved),
      },
      {
        provide: FLOWSTONE_QUEUE,
        inject: [FLOWSTONE_OPTIONS],
        useFactory: (resolved: ResolvedOptions) => createQueue(resolved, new Logger('FlowStone')),
      },
      {
        provide: FLOWSTONE_DATA_SOURCE,
        inject: [FLOWSTONE_LEDGER],
        useFactory: ({ dataSource }: OpenableLedger) => dataSource,
      },
      EventBus,
      { provide: FlowStoneEvents, inject: [EventBus], useFactory: eventsOf },
      AssetExplorer,
      HookExplorer,
      FlowStoneLifecycle,
      { provide: EngineSource, useExisting: FlowStoneLifecycle },
      FlowStoneService,
    ],
    exports: [FlowStoneService, FlowStoneEvents, FLOWSTONE_DATA_SOURCE, FLOWSTONE_QUEUE],
  };
}

function eventsOf(bus: EventBus): FlowStoneEvents {
  const logger = new Logger('FlowStone');
  return new FlowStoneEvents(bus, (error) =>
    logger.error(
      `A subscriber of events threw, and goes on: ${messageOf(error)}`,
      (error as Partial<Error> | null)?.stack,
    ),
  );
}
