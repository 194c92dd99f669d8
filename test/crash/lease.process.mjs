// A worker process of the lease tests. It says by message when it works, and ends orderly when it is told to.
// It runs the build in dist/.
import 'reflect-metadata';
import { once } from 'node:events';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FlowStoneModule } from 'nestjs-flowstone';
import { assets } from './lease-graph.mjs';

class LeaseModule {}
Module({ imports: [FlowStoneModule.forRoot(JSON.parse(process.argv[2] ?? ''))], providers: assets })(LeaseModule);

const app = await NestFactory.createApplicationContext(LeaseModule, { logger: ['warn', 'error', 'fatal'] });
process.send?.('works');
await once(process, 'message');
await app.close();
process.disconnect();
