// A process with a queue over Redis, looked at from outside: whatever Redis does it goes on, and it ends by itself once its
// application is closed. It runs the build in dist/ and does what its parent says.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Asset, FlowStoneModule, FlowStoneService } from 'nestjs-flowstone';

class Answer {
  execute() {
    return 42;
  }
}
Asset()(Answer);

const redis = process.argv[2] ?? '';
class AppModule {}
Module({
  imports: [FlowStoneModule.forRoot({ storage: 'memory', pollInterval: 20, queue: { redis } })],
  providers: [Answer],
})(AppModule);

const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
const flowstone = app.get(FlowStoneService);
const say = (/** @type {unknown} */ what) => process.send?.(what);

const acts = {
  health: async () => say((await flowstone.health()).queue.status),
  run: async () => say((await (await flowstone.materialize(Answer, { force: true })).wait()).status),
  close: async () => {
    await app.close();
    process.disconnect();
  },
};
process.on('message', (/** @type {keyof typeof acts} */ act) => void acts[act]());
say('started');
