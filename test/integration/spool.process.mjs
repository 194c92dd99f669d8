// A process whose temporary folder is not there: it stores more rows than are spooled in memory, and prints what is recorded
// of that. It runs the build in dist/.
import 'reflect-metadata';
import { setTimeout as pause } from 'node:timers/promises';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Asset, FlowStoneModule, FlowStoneService } from 'nestjs-flowstone';

class Large {
  async *execute() {
    const text = 'x'.repeat(64 * 1024);
    for (let n = 0; n < 200; n++) yield { n, text };
  }
}
Asset({ io: 'postgres', table: 'app.large', columns: { n: 'integer', text: 'text' } })(Large);

const url = process.argv[2] ?? '';
class AppModule {}
Module({ imports: [FlowStoneModule.forRoot({ storage: { url } })], providers: [Large] })(AppModule);

const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
const flowstone = app.get(FlowStoneService);
const run = await flowstone.materialize(Large);
for (;;) {
  const { items } = await flowstone.materializations(run.id);
  const error = items[0]?.error;
  if (error) process.stdout.write(JSON.stringify(error));
  if (error) break;
  await pause(20);
}
await app.close();
