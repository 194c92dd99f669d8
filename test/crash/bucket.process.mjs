// A process of the crash tests over S3: computes the graph into a bucket, and dies by who watches the bucket. It runs the
// build in dist/.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FlowStoneModule, FlowStoneService, S3IoManager } from 'nestjs-flowstone';
import { assets, Small } from './bucket-graph.mjs';

/** @type {{ options: import('nestjs-flowstone').FlowStoneOptions, s3: import('nestjs-flowstone').S3Options }} */
const { options, s3 } = JSON.parse(process.argv[2] ?? '');

class BucketModule {}
const managers = { s3: new S3IoManager(s3) };
Module({ imports: [FlowStoneModule.forRoot({ ...options, io: 's3', managers })], providers: assets })(BucketModule);

const app = await NestFactory.createApplicationContext(BucketModule, { logger: ['warn', 'error', 'fatal'] });
await (await app.get(FlowStoneService).materialize(Small, { runKey: 'the run' })).wait();
await app.close();
