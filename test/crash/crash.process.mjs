// A process of the crash tests: starts an application on given data, asks for the run, waits for its end and says each
// step it has taken. FLOWSTONE_CRASH_AT lets it die on the way. It runs the build in dist/.
import 'reflect-metadata';
import { writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FlowStoneModule, FlowStoneService } from 'nestjs-flowstone';
import { amidBatch, assets, hanging, Letters, Many, request, Total } from './crash-graph.mjs';

/** How long a process that is to die stays when its work is done: some points are passed only now and then. */
const WAIT_FOR_DEATH = 10_000;

/** @type {import('./crash-process.js').CrashSettings} */
const { options, later, shutdown, collect, amid, cancel } = JSON.parse(process.argv[2] ?? '');
/** At once, past every buffer: what the parent has read was done. Not on stdout, where the loggers are. */
const say = (/** @type {import('./crash-process.js').Step} */ step) => writeSync(3, `${JSON.stringify(step)}\n`);
const reached = new Promise((resolve) => (hanging.reached = () => resolve(undefined)));
hanging.asked = shutdown;

class CrashModule {}
Module({ imports: [FlowStoneModule.forRoot(options)], providers: assets })(CrashModule);

const app = await NestFactory.createApplicationContext(CrashModule, { logger: ['warn', 'error', 'fatal'] });
const flowstone = app.get(FlowStoneService);
if (amid) {
  amidBatch.reached = async () => {
    while (!(await flowstone.history(Letters)).items.some(({ status }) => status === 'success')) await pause(10);
    process.kill(process.pid, 'SIGKILL');
  };
}
say({ known: (await flowstone.runs()).items.map(({ id }) => id) });
if (cancel) {
  const large = await flowstone.materialize(Many, { partitions: 'all' });
  while ((await large.view()).status === 'planning') await pause(10);
  say({ acknowledged: large.id });
  await large.cancel();
}
const run = await request(flowstone, later);
say({ acknowledged: run.id });
await (shutdown ? reached : run.wait());
if (collect) {
  await (await flowstone.materialize(Total, { upstream: 'all', force: true })).wait();
  await flowstone.collect();
}
if (process.env['FLOWSTONE_CRASH_AT'] && !shutdown) await pause(WAIT_FOR_DEATH);
await app.close();
