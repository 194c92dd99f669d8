// A small graph of assets, running in memory: no database, no files, a clock of one's own.
import { Logger, type Provider, type Type } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { FLOWSTONE_LEDGER, FlowStoneLifecycle } from '../flowstone.lifecycle.js';
import { FlowStoneModule } from '../flowstone.module.js';
import type { FlowStoneOptions } from '../flowstone.options.js';
import { FlowStoneService } from '../flowstone.service.js';
import type { OpenableLedger } from '../flowstone.storage.js';
import { MemoryLedger } from '../ledger/memory/memory-ledger.js';
import type { FakeClock } from './fake-clock.js';

export interface TestGraphOptions {
  /** Assets, and whatever they inject or require. */
  readonly providers: readonly (Type | Provider)[];
  /** Replacements: `[GeoService, { where: () => [0, 0] }]`. */
  readonly overrides?: readonly (readonly [token: Type | string | symbol, replacement: unknown])[];
  /** What time it is for partitions, retries and ages; default: the real one. */
  readonly clock?: FakeClock;
  /**
   * Any other option of forRoot(), but `storage`. Nothing is requested without being asked for, unless `triggers` is true;
   * `flowstone.automation.look()` looks once.
   */
  readonly options?: Omit<FlowStoneOptions, 'storage'>;
  /** Whether Nest and assets log. Default: no. */
  readonly logs?: boolean;
}

/** A running graph. Close it, or declare it with `await using`. */
export interface TestGraph extends AsyncDisposable {
  readonly flowstone: FlowStoneService;
  readonly app: TestingModule;
  close(): Promise<void>;
}

/**
 * Starts a graph in memory.
 * @throws FlowStoneError FLOWSTONE_DECLARATION_INVALID, as an application would at boot
 */
export async function startTestGraph({
  providers,
  overrides = [],
  clock,
  options = {},
  logs = false,
}: TestGraphOptions): Promise<TestGraph> {
  const builder = Test.createTestingModule({
    imports: [FlowStoneModule.forRoot({ triggers: false, ...options, storage: 'memory' })],
    providers: [...providers],
  });
  if (clock) builder.overrideProvider(FLOWSTONE_LEDGER).useValue(ledgerWith(clock));
  for (const [token, replacement] of overrides) builder.overrideProvider(token).useValue(replacement);
  const app = await builder.compile();
  // After compile(), which sets a logger of its own.
  if (!logs) Logger.overrideLogger(false);
  await app.init();
  const { coordinator, triggers } = app.get(FlowStoneLifecycle).require();
  const stopListening = clock?.onMove(() => {
    coordinator.clockChanged();
    triggers.clockChanged();
  });
  const close = async (): Promise<void> => {
    stopListening?.();
    await app.close();
  };
  return { flowstone: app.get(FlowStoneService), app, close, [Symbol.asyncDispose]: close };
}

function ledgerWith(clock: FakeClock): OpenableLedger {
  const ledger = new MemoryLedger(() => clock.now().getTime());
  return { ledger, dataSource: undefined, release: async () => undefined };
}
