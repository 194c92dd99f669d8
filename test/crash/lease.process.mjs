// A worker process of the lease and upgrade tests: it declares the assets of a module, says by message when it works, and
// ends orderly when it is told to or gets SIGTERM. It runs the build in dist/.
import 'reflect-metadata';
import { once } from 'node:events';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FlowStoneModule } from 'nestjs-flowstone';

const { options, module, version } = JSON.parse(process.argv[2] ?? '');
const { assets, versions } = await import(module);

class LeaseModule {}
Module({ imports: [FlowStoneModule.forRoot(options)], providers: version ? versions[version] : assets })(LeaseModule);

const app = await NestFactory.createApplicationContext(LeaseModule, { logger: ['log', 'warn', 'error', 'fatal'] });
app.enableShutdownHooks();
process.send?.('works');
await once(process, 'message');
await app.close();
process.disconnect();
