// Boots an application with the assets of a bench, materializes them, and measures: rate, CPU, WAL.
import { Module, type DynamicModule, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FlowStoneModule, FlowStoneService, type FlowStoneOptions } from '../lib/index.js';
import { freshDatabase } from '../test/services/services.js';
import type { Figures } from './bench.case.js';
import type { Work } from './no-op.assets.js';
import { countServer } from './server-cpu.js';

/** What all contenders execute at once. */
export const CONCURRENCY = 50;

@Module({})
class BenchModule {
  static of(assets: readonly Type[], options: FlowStoneOptions): DynamicModule {
    return {
      module: BenchModule,
      imports: [FlowStoneModule.forRoot({ concurrency: CONCURRENCY, ...options })],
      providers: [...assets],
    };
  }
}

/** Boots an application with these assets, and closes it after `use`. */
export async function withApplication<T>(
  { assets }: { readonly assets: readonly Type[] },
  options: FlowStoneOptions,
  use: (flowstone: FlowStoneService) => Promise<T>,
): Promise<T> {
  const application = await NestFactory.createApplicationContext(BenchModule.of(assets, options), {
    logger: ['error'],
  });
  try {
    return await use(application.get(FlowStoneService));
  } finally {
    await application.close();
  }
}

/** Materializes all of `work`; answers with the milliseconds from the first request to the last run's end. */
export async function materializeAll(flowstone: FlowStoneService, { runs, runSize }: Work): Promise<number> {
  const start = performance.now();
  for (const selection of runs) {
    const run = await flowstone.materialize(selection, { partitions: 'all', force: true });
    const { counts } = await run.wait();
    if (counts.success !== runSize) throw new Error(`${counts.success} of ${runSize} materializations succeeded`);
  }
  return performance.now() - start;
}

/**
 * Materializations per second by `name`, and what each cost: CPU microseconds of this process (`<name>.nodeUs`), how
 * busy its main thread was (`<name>.loop`, 0 to 1).
 */
export async function measureEmbedded(name: string, work: Work, directory: string): Promise<Figures> {
  return withApplication(work, { directory }, (flowstone) => measureRate(name, flowstone, work));
}

/**
 * The same on a PostgreSQL database of its own, with CPU microseconds per materialization of the whole server
 * (`<name>.postgresUs`) and of its busiest process (`<name>.backendUs`), and bytes of WAL (`<name>.wal`).
 */
export async function measureOnPostgres(name: string, work: Work, options: FlowStoneOptions = {}): Promise<Figures> {
  const database = await freshDatabase();
  try {
    return await withApplication(work, { storage: { url: database.url }, ...options }, (flowstone) =>
      measureWithServer(name, flowstone, work, database.url),
    );
  } finally {
    await database.drop();
  }
}

export async function measureWithServer(
  name: string,
  flowstone: FlowStoneService,
  work: Work,
  url: string,
): Promise<Figures> {
  const endCount = await countServer(url);
  const figures = await measureRate(name, flowstone, work);
  const { cpu, busiest, wal } = await endCount();
  const size = sizeOf(work);
  return {
    ...figures,
    [`${name}.postgresUs`]: cpu / size,
    [`${name}.backendUs`]: busiest / size,
    [`${name}.wal`]: wal / size,
  };
}

async function measureRate(name: string, flowstone: FlowStoneService, work: Work): Promise<Figures> {
  const cpuBefore = process.cpuUsage();
  const loopBefore = performance.eventLoopUtilization();
  const ms = await materializeAll(flowstone, work);
  const { user, system } = process.cpuUsage(cpuBefore);
  const { utilization } = performance.eventLoopUtilization(loopBefore);
  const size = sizeOf(work);
  return { [name]: (size / ms) * 1000, [`${name}.nodeUs`]: (user + system) / size, [`${name}.loop`]: utilization };
}

const sizeOf = ({ runs, runSize }: Work): number => runs.length * runSize;
