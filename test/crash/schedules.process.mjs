// A process of the crash tests of schedules: starts an application on given data, and stays until it is killed, told to stop,
// or FLOWSTONE_CRASH_AT lets it die. Its clock may be wrong. It runs the build in dist/.
import 'reflect-metadata';
import { writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

/** @type {import('./crash-process.js').ScheduleSettings} */
const { options, skew, stay } = JSON.parse(process.argv[2] ?? '');
const RealDate = Date;
const present = () => RealDate.now() + skew;
// All of this process, and nobody else, has another time.
globalThis.Date = new Proxy(RealDate, {
  construct: (target, args) => Reflect.construct(target, args.length === 0 ? [present()] : args),
  get: (target, name) => (name === 'now' ? present : Reflect.get(target, name)),
});
const { FlowStoneModule, FlowStoneService } = await import('nestjs-flowstone');
const { assets } = await import('./schedule-graph.mjs');

class CrashModule {}
Module({ imports: [FlowStoneModule.forRoot(options)], providers: assets })(CrashModule);

const app = await NestFactory.createApplicationContext(CrashModule, { logger: ['warn', 'error', 'fatal'] });
writeSync(3, '{}\n');
// Until that time is over, or the schedule is paused.
for (const end = performance.now() + stay; performance.now() < end;) {
  await pause(200);
  if ((await app.get(FlowStoneService).schedules.get('each')).paused) break;
}
await app.close();
