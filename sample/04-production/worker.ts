// One worker: a process that only works. It says `ready` to its parent, and drains when it is told to end.
import { NestFactory } from '@nestjs/core';
import { FlightsModule } from '../02-flights/flights.module.js';
import { production } from './settings.js';

const app = await NestFactory.createApplicationContext(FlightsModule.forRoot(production('worker')), {
  logger: ['warn', 'error', 'fatal'],
});
app.enableShutdownHooks(['SIGTERM']);
// A parent that is gone cannot tell it any more.
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
process.send?.('ready');
