// The packed tarball, installed as users install it: type-checks, boots and materializes in their applications.
import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { projectFile } from '../../architecture/source-files.js';

const execute = promisify(execFile);
const MINUTES = 60_000;

interface Consumer {
  readonly title: string;
  readonly type: 'commonjs' | 'module';
  readonly nest: string;
  /** Version of @nestjs/testing. */
  readonly testing: string;
}

const consumers: readonly Consumer[] = [
  { title: 'an ECMAScript application on Nest 12', type: 'module', nest: '12.5.1', testing: '12.1.1' },
  { title: 'a CommonJS application on Nest 12', type: 'commonjs', nest: '12.5.1', testing: '12.1.1' },
  { title: 'a CommonJS application on Nest 11', type: 'commonjs', nest: '11.2.10', testing: '11.2.6' },
];

/** Published types are checked too: without skipLibCheck, a type that needs an optional peer is an error. */
const COMPILER_OPTIONS = {
  module: 'nodenext',
  target: 'es2023',
  types: ['node'],
  strict: true,
  experimentalDecorators: true,
  emitDecoratorMetadata: true,
};

let workplace: string;
let tarball: string;

async function run(directory: string, command: string, ...args: string[]): Promise<string> {
  try {
    const env = { ...process.env, NODE_OPTIONS: '' };
    return (await execute(command, args, { cwd: directory, env, maxBuffer: 64 * 2 ** 20 })).stdout;
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`${command} ${args.join(' ')} failed:\n${stdout}${stderr}`, { cause: error });
  }
}

async function install({ type, nest, testing }: Consumer): Promise<string> {
  const directory = await mkdtemp(join(workplace, `${type}-${nest}-`));
  await writeFile(join(directory, 'package.json'), JSON.stringify({ name: 'consumer', private: true, type }));
  const nodeTypes = JSON.parse(await readFile(projectFile('package.json'), 'utf8')).devDependencies['@types/node'];
  await run(
    directory,
    'npm',
    ...['install', '--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel', 'error'],
    ...[
      tarball,
      `@nestjs/common@${nest}`,
      `@nestjs/core@${nest}`,
      `@nestjs/testing@${testing}`,
      `@types/node@${nodeTypes}`,
    ],
  );
  await writeFile(join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions: COMPILER_OPTIONS }));
  for (const file of ['main.ts', 'doors.ts']) {
    await copyFile(projectFile(`test/e2e/consumers/app/${file}`), join(directory, file));
  }
  return directory;
}

beforeAll(async () => {
  workplace = await mkdtemp(join(tmpdir(), 'flowstone-consumers-'));
  const packed = await run(projectFile('.'), 'npm', 'pack', '--json', '--pack-destination', workplace);
  const [{ filename }] = JSON.parse(packed);
  tarball = join(workplace, filename);
}, 2 * MINUTES);

afterAll(() => rm(workplace, { recursive: true, force: true }));

describe.each(consumers)('$title', (consumer) => {
  let directory: string;

  beforeAll(async () => {
    directory = await install(consumer);
  }, 5 * MINUTES);

  it(
    'compiles against the published types',
    async () => {
      const output = await run(directory, process.execPath, projectFile('node_modules/typescript/bin/tsc'));
      expect(output).toBe('');
    },
    MINUTES,
  );

  it(
    'boots and materializes',
    async () => {
      const printed = await run(directory, process.execPath, 'main.js');
      expect(JSON.parse(printed)).toEqual({
        status: 'success',
        speech: ['ada: Hello, ada', 'grace: Hello, grace'],
        greeting: 'Hello, ada',
      });
    },
    MINUTES,
  );
});
