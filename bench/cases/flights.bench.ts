// The main job: three million flights, 182 days, all assets of the flights sample, on the embedded default.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { NestFactory } from '@nestjs/core';
import { FlowStoneService } from '../../lib/index.js';
import { FlightsModule } from '../../sample/02-flights/flights.module.js';
import type { BenchCase } from '../bench.case.js';

const PROGRAM = join(import.meta.dirname, '../../sample/02-flights/main.js');
// 3 daily assets x 182, 4 monthly x 7, airports and their ranking.
const VALUES = 3 * 182 + 4 * 7 + 2;

/** Seconds from boot to the end of a run over everything and the application's close; checks what was computed. */
async function materializeAll(directory: string): Promise<number> {
  const start = performance.now();
  const app = await NestFactory.createApplicationContext(FlightsModule.forRoot({ directory }), { logger: ['error'] });
  const flowstone = app.get(FlowStoneService);
  const run = await flowstone.materialize('*', { partitions: 'all' });
  // What waits for a decision by then is approved.
  await run.wait({ until: 'settled' });
  for (const { id } of (await flowstone.approvals.list()).items) await flowstone.approvals.approve(id, { by: 'bench' });
  const { counts } = await run.wait();
  await app.close();
  if (counts.success !== VALUES) throw new Error(`${counts.success} values were computed instead of ${VALUES}`);
  return (performance.now() - start) / 1000;
}

/** Seconds from the program's start to its exit, as a person starts it again: in this warm process it would be faster. */
function startAgain(directory: string): number {
  const start = performance.now();
  const environment = { ...process.env, FLOWSTONE_DIRECTORY: directory };
  const { stdout, stderr } = spawnSync(process.execPath, [PROGRAM], { env: environment, encoding: 'utf8' });
  const seconds = (performance.now() - start) / 1000;
  if (!stdout.includes('nothing was computed')) throw new Error(`not everything was fresh: ${stdout}${stderr}`);
  return seconds;
}

const bench: BenchCase = {
  title: 'flights: 3M rows, 182 days, all assets, embedded; and all fresh again',
  parts: {
    async flights({ directory }) {
      return { cold: await materializeAll(directory), fresh: startAgain(directory) };
    },
  },
  measures: [
    { name: 'cold', unit: 's', ours: 'cold', atMost: 60 },
    { name: 'fresh again', unit: 's', ours: 'fresh', atMost: 2 },
    { name: 'memory', unit: 'MB', ours: 'flights.memory', atMost: 1500 },
  ],
};

export default bench;
