// Assets that do nothing and store nothing: what is left to measure is planning, ledger and execution around them.
import { Module, type DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  after,
  Asset,
  DependsOn,
  FlowStoneModule,
  FlowStoneService,
  Partitions,
  window,
  type FlowStoneOptions,
} from '../lib/index.js';

/** Materializations in each of the two shapes. */
export const WORK = 10_000;

const LAYERS = 100;
const CONCURRENCY = 50;

type NoOp = new () => { execute(): void };

/** One asset of 10,000 partitions that know nothing of each other. */
export const independent: readonly NoOp[] = [
  declare(
    'independent',
    WORK,
    () =>
      class {
        execute(): void {}
      },
  ),
];

/** 100 layers of 100; each but the first waits for three of the layer above. */
export const layered: readonly NoOp[] = layers();

function layers(): NoOp[] {
  const assets: NoOp[] = [];
  for (let layer = 0; layer < LAYERS; layer += 1) {
    const above = assets.at(-1);
    const asset = declare(
      `layer_${layer}`,
      WORK / LAYERS,
      () =>
        class {
          execute(): void {}
        },
    );
    if (above) DependsOn({ above: after(window(above, { start: -1, end: 1, allowMissing: true })) })(asset);
    assets.push(asset);
  }
  return assets;
}

function declare(name: string, hours: number, make: () => NoOp): NoOp {
  const start = Date.UTC(2001, 0, 1);
  const end = new Date(start + hours * 3_600_000).toISOString().slice(0, 13);
  const asset = make();
  Asset({ name, partitions: Partitions.hourly({ start: '2001-01-01T00', end }) })(asset);
  return asset;
}

@Module({})
class NoOpModule {
  static of(assets: readonly NoOp[], options: FlowStoneOptions): DynamicModule {
    return {
      module: NoOpModule,
      imports: [FlowStoneModule.forRoot({ concurrency: CONCURRENCY, ...options })],
      providers: [...assets],
    };
  }
}

/** Boots an application with these assets, materializes all of them, and answers with the milliseconds of the run. */
export async function materializeAll(assets: readonly NoOp[], options: FlowStoneOptions): Promise<number> {
  const application = await NestFactory.createApplicationContext(NoOpModule.of(assets, options), { logger: ['error'] });
  try {
    const start = performance.now();
    const run = await application.get(FlowStoneService).materialize('*', { partitions: 'all' });
    const { counts } = await run.wait();
    const ms = performance.now() - start;
    if (counts.success !== WORK) throw new Error(`${counts.success} of ${WORK} materializations succeeded`);
    return ms;
  } finally {
    await application.close();
  }
}
