// The program behind `npm run production`: the flights of sample 02 over several processes. This one only asks, two
// workers make; records are in PostgreSQL, news of work goes over Redis.
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { NestFactory } from '@nestjs/core';
import { FlowStoneError, FlowStoneService } from 'nestjs-flowstone';
import { parseCommandLine, UsageError } from '../02-flights/command-line.js';
import { FlightsModule } from '../02-flights/flights.module.js';
import { printValue } from '../02-flights/terminal/print.js';
import { followToEnd } from '../02-flights/terminal/follow.js';
import { reviewerFor } from '../02-flights/terminal/review.js';
import { DIRECTORY, production, SettingsError } from './settings.js';

const WORKERS = 2;

const HELP = `The flights of npm start, on PostgreSQL and Redis, with ${WORKERS} workers beside the process that asks.

  DATABASE_URL=postgres://... REDIS_URL=redis://... npm run production [-- options]

Options --partition, --select, --auto-approve and --print are those of npm start.`;

async function startWorker(): Promise<ChildProcess> {
  const worker = fork(join(import.meta.dirname, 'worker.js'));
  const ended = once(worker, 'exit').then(([code]) => {
    throw new Error(`A worker ended with code ${code} before it was ready.`);
  });
  await Promise.race([once(worker, 'message'), ended]);
  ended.catch(() => undefined);
  return worker;
}

async function stopWorker(worker: ChildProcess): Promise<void> {
  if (worker.exitCode !== null || worker.signalCode !== null) return;
  const ended = once(worker, 'exit');
  worker.kill('SIGTERM');
  await ended;
}

async function perform(args: readonly string[]): Promise<void> {
  const command = parseCommandLine(args);
  if (command.kind === 'help') return console.log(HELP);
  if (command.kind === 'plan') throw new UsageError('--plan is for npm start');
  const app = await NestFactory.createApplicationContext(FlightsModule.forRoot(production('api')), {
    logger: ['warn', 'error', 'fatal'],
    abortOnError: false,
  });
  const workers: ChildProcess[] = [];
  try {
    const flowstone = app.get(FlowStoneService);
    if (command.kind === 'print') return await printValue(flowstone, command, process.stdout);
    for (let worker = 0; worker < WORKERS; worker++) workers.push(await startWorker());
    console.log(`${WORKERS} workers: processes ${workers.map(({ pid }) => pid).join(' and ')}`);
    const { target, partition } = command;
    const run = await flowstone.materialize(target, partition === undefined ? { partitions: 'all' } : { partition });
    await followToEnd(flowstone, run, reviewerFor(flowstone, command, process.stdout), process.stdout);
    const { counts } = await run.view();
    console.log(`Run ${run.id}: ${counts.success} computed, ${counts.skipped} skipped. Values lie in ${DIRECTORY}.`);
  } finally {
    await Promise.all(workers.map(stopWorker));
    await app.close();
  }
}

try {
  await perform(process.argv.slice(2));
} catch (error) {
  const known = error instanceof UsageError || error instanceof SettingsError || error instanceof FlowStoneError;
  console.error(known ? error.message : error);
  process.exitCode = error instanceof UsageError || error instanceof SettingsError ? 2 : 1;
}
