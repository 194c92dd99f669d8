// A process of the crash tests of sensors: starts an application on given data, delivers to it what it is told, and stays until
// FLOWSTONE_CRASH_AT lets it die or all is seen. It runs the build in dist/.
import 'reflect-metadata';
import { writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FlowStoneModule, FlowStoneService } from 'nestjs-flowstone';
import { delivery, ofDeliveries, ofSource, ofTime, Source } from './sensor-graph.mjs';

/** @type {import('./crash-process.js').SensorSettings} */
const { options, providers, deliveries } = JSON.parse(process.argv[2] ?? '');

class CrashModule {}
Module({ imports: [FlowStoneModule.forRoot(options)], providers: { ofDeliveries, ofSource, ofTime }[providers] })(
  CrashModule,
);

const app = await NestFactory.createApplicationContext(CrashModule, { logger: ['warn', 'error', 'fatal'] });
writeSync(3, '{}\n');
const flowstone = app.get(FlowStoneService);
for (const n of deliveries) await flowstone.sensors.receive('inbox', delivery(n));
if (providers === 'ofSource') {
  // It sees what happens from then on.
  while ((await flowstone.sensors.get('echoes')).cursor === null) await pause(10);
  for (const source of ['1', '2', '3']) {
    await (await flowstone.materialize(Source, { force: true, tags: { source } })).wait();
    await pause(100);
  }
}
if (deliveries.length === 0) for (const end = performance.now() + 20_000; performance.now() < end;) await pause(200);
await app.close();
