// The program behind `npm start`: reads the command line, boots the application, does what was asked, says how it went.
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { NestFactory } from '@nestjs/core';
import { FlowStoneError, FlowStoneService } from 'nestjs-flowstone';
import { HELP, parseCommandLine, UsageError, type Command } from './command-line.js';
import { FlightsModule } from './flights.module.js';
import { build } from './terminal/build.js';
import { printPlan } from './terminal/plan.js';
import { printValue } from './terminal/print.js';

const ROOT = dirname(createRequire(import.meta.url).resolve('nestjs-flowstone/package.json'));
const DIRECTORY = resolve(process.env.FLOWSTONE_DIRECTORY ?? join(ROOT, '.flowstone'));

let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    interrupted = true;
    console.error('\nStopping. What is made is kept; start again to continue.');
  });
}

async function run(command: Exclude<Command, { kind: 'help' }>): Promise<void> {
  const app = await NestFactory.createApplicationContext(FlightsModule.forRoot({ directory: DIRECTORY }), {
    // The progress line and printed values stay readable; what goes wrong is still told.
    logger: ['error', 'fatal'],
    abortOnError: false,
  });
  // Nest closes the application on these and then ends the process by the same signal.
  app.enableShutdownHooks(['SIGINT', 'SIGTERM']);
  try {
    const flowstone = app.get(FlowStoneService);
    if (command.kind === 'print') await printValue(flowstone, command, process.stdout);
    else if (command.kind === 'plan') await printPlan(flowstone, command, process.stdout);
    else await build(flowstone, command, DIRECTORY, process.stdout);
  } finally {
    if (!interrupted) await app.close();
  }
}

/** Tells what went wrong on the error output; returns the exit code. */
function explain(error: unknown): number {
  if (error instanceof UsageError) {
    console.error(`${error.message}\n\n${HELP}`);
    return 2;
  }
  if (error instanceof FlowStoneError) {
    console.error(`${error.message} (${error.code})`);
    return error.family === 'request' ? 2 : 1;
  }
  console.error(error);
  return 1;
}

try {
  const command = parseCommandLine(process.argv.slice(2));
  if (command.kind === 'help') console.log(HELP);
  else await run(command);
} catch (error) {
  // Whatever was going on fails when the application closes under it: that is no news.
  if (!interrupted) process.exitCode = explain(error);
}
