// The program behind `npm run review`: reads the command line, boots the application, holds a session, says how it went.
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { NestFactory } from '@nestjs/core';
import { FlowStoneError, FlowStoneService } from 'nestjs-flowstone';
import { HELP, parseCommandLine, UsageError, type Command } from './command-line.js';
import { ContentReviewModule } from './content-review.module.js';
import { DecisionsFile } from './review/decisions.file.js';
import { Person } from './review/person.js';
import { AutoApproval, type Reviewer } from './review/reviewer.js';
import { Session } from './review/session.js';
import { standingOf } from './review/summary.js';
import { Terminal } from './review/terminal.js';

const ROOT = dirname(createRequire(import.meta.url).resolve('nestjs-flowstone/package.json'));
const DIRECTORY = resolve(process.env.FLOWSTONE_DIRECTORY ?? join(ROOT, '.flowstone-review'));

async function run(command: Exclude<Command, { kind: 'help' }>): Promise<void> {
  const terminal = command.kind === 'review' && command.decider.kind === 'person' ? openTerminal() : undefined;
  const reviewer = command.kind === 'review' ? await reviewerOf(command, terminal) : undefined;
  const app = await NestFactory.createApplicationContext(ContentReviewModule.forRoot(DIRECTORY), {
    // Questions stay readable; what goes wrong is still told.
    logger: ['error', 'fatal'],
    abortOnError: false,
  });
  app.enableShutdownHooks(['SIGINT', 'SIGTERM']);
  try {
    const flowstone = app.get(FlowStoneService);
    if (reviewer) await new Session(flowstone, reviewer, process.stdout).hold();
    console.log(`\n${(await standingOf(flowstone)).join('\n')}`);
    if (reviewer) console.log(`Pages are in ${join(DIRECTORY, 'published')}.`);
  } finally {
    terminal?.close();
    await app.close();
  }
}

function openTerminal(): Terminal {
  return new Terminal(process.stdin, process.stdout);
}

function reviewerOf(
  { decider, by }: Extract<Command, { kind: 'review' }>,
  terminal: Terminal | undefined,
): Reviewer | Promise<Reviewer> {
  if (decider.kind === 'file') return DecisionsFile.read(decider.path, by);
  return terminal ? new Person(by, terminal) : new AutoApproval(by);
}

/** Tells what went wrong on the error output; returns the exit code. */
function explain(error: unknown): number {
  if (error instanceof UsageError) {
    console.error(error.message);
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
  process.exitCode = explain(error);
}
