// The main job: three million flights, 182 days, all assets of the flights sample, on the embedded default.
import { NestFactory } from '@nestjs/core';
import { FlowStoneService } from '../../lib/index.js';
import { FlightsModule } from '../../sample/02-flights/flights.module.js';
import type { BenchCase } from '../bench.case.js';

// 3 daily assets x 182, 2 monthly x 7, airports and their ranking.
const VALUES = 3 * 182 + 2 * 7 + 2;

/** Seconds from boot to the end of a run over everything and the application's close; checks what was computed. */
async function materializeAll(directory: string, computed: number): Promise<number> {
  const start = performance.now();
  const app = await NestFactory.createApplicationContext(FlightsModule.keptIn(directory), { logger: ['error'] });
  const run = await app.get(FlowStoneService).materialize('*', { partitions: 'all' });
  const { counts } = await run.wait();
  await app.close();
  if (counts.success !== computed) throw new Error(`${counts.success} values were computed instead of ${computed}`);
  return (performance.now() - start) / 1000;
}

const bench: BenchCase = {
  title: 'flights: 3M rows, 182 days, all assets, embedded; and all fresh again',
  parts: {
    async flights({ directory }) {
      return { cold: await materializeAll(directory, VALUES), fresh: await materializeAll(directory, 0) };
    },
  },
  measures: [
    { name: 'cold', unit: 's', ours: 'cold', atMost: 60 },
    { name: 'fresh again', unit: 's', ours: 'fresh', atMost: 2 },
    { name: 'memory', unit: 'MB', ours: 'flights.memory', atMost: 1500 },
  ],
};

export default bench;
