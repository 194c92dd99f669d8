// A process of the crash tests of checkpoints: starts an application on given data, asks for a run that people are asked in,
// may be one of them, and dies on the way by FLOWSTONE_CRASH_AT. It runs the build in dist/.
import 'reflect-metadata';
import { writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FlowStoneModule, FlowStoneService } from 'nestjs-flowstone';
import { assets, Printed, Timely } from './checkpoint-graph.mjs';

/** How long a process that is to die stays when its work is done. */
const WAIT_FOR_DEATH = 10_000;

/** @type {import('./crash-process.js').CheckpointSettings} */
const { options, target, decides } = JSON.parse(process.argv[2] ?? '');
const say = (/** @type {import('./crash-process.js').Step} */ step) => writeSync(3, `${JSON.stringify(step)}\n`);

class CrashModule {}
Module({ imports: [FlowStoneModule.forRoot(options)], providers: assets })(CrashModule);

const app = await NestFactory.createApplicationContext(CrashModule, { logger: ['warn', 'error', 'fatal'] });
const flowstone = app.get(FlowStoneService);
const run = await flowstone.materialize(target === 'timely' ? Timely : Printed, { runKey: 'the run' });
say({ acknowledged: run.id });
await run.wait({ until: 'settled' });
if (decides) {
  const [open] = (await flowstone.approvals.list()).items;
  if (open && decides === 'approve') await flowstone.approvals.approve(open.id, { by: 'anna' });
  if (open && decides === 'modify') await flowstone.approvals.modify(open.id, { score: 5 }, { by: 'anna' });
}
await pause(WAIT_FOR_DEATH);
await app.close();
