// A process of the crash tests of hooks: starts an application whose hook writes what it is told into a file, computes
// something, and dies on the way by FLOWSTONE_CRASH_AT. It runs the build in dist/.
import 'reflect-metadata';
import { writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FlowStoneModule, FlowStoneService } from 'nestjs-flowstone';
import { assets, Parts } from './hook-graph.mjs';

/** How long a process that is to die stays when its work is done. */
const WAIT_FOR_DEATH = 10_000;

/** @type {import('./crash-process.js').HookSettings} */
const { options, file } = JSON.parse(process.argv[2] ?? '');

class CrashModule {}
Module({ imports: [FlowStoneModule.forRoot(options)], providers: assets(file) })(CrashModule);

const app = await NestFactory.createApplicationContext(CrashModule, { logger: ['warn', 'error', 'fatal'] });
const flowstone = app.get(FlowStoneService);
const run = await flowstone.materialize(Parts, { partitions: 'all', runKey: 'the run' });
writeSync(3, `${JSON.stringify({ acknowledged: run.id })}\n`);
await pause(WAIT_FOR_DEATH);
await app.close();
