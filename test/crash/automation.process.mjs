// A process of the crash tests of automation: starts an application on given data, reports versions, and stays until it is
// killed, or FLOWSTONE_CRASH_AT lets it die. It runs the build in dist/.
import 'reflect-metadata';
import { writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FlowStoneModule, FlowStoneService } from 'nestjs-flowstone';
import { assets, Feed } from './automation-graph.mjs';

/** Between two versions, ms. */
const BETWEEN = 150;

/** @type {import('./crash-process.js').AutomationSettings} */
const { options, versions } = JSON.parse(process.argv[2] ?? '');

class CrashModule {}
Module({ imports: [FlowStoneModule.forRoot(options)], providers: assets })(CrashModule);

const app = await NestFactory.createApplicationContext(CrashModule, { logger: ['warn', 'error', 'fatal'] });
const flowstone = app.get(FlowStoneService);
writeSync(3, '{}\n');
for (const dataVersion of versions) {
  await flowstone.reportVersion(Feed, { dataVersion });
  await pause(BETWEEN);
}
await pause(20_000);
await app.close();
