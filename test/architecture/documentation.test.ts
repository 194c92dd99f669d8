// The pages people read: their code compiles against the library, what they quote is what is there, links lead somewhere.
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { projectFile } from './source-files.js';

const run = promisify(execFile);
const CODE = /^```ts\n(.*?)^```$/gms;
const QUOTE = /^<!-- from (\S+) -->\n\n```ts\n(.*?)^```$/gms;
const LINK = /\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g;

const pages = [
  ...[
    'README.md',
    'ARCHITECTURE.md',
    'CONTRIBUTING.md',
    'CHANGELOG.md',
    'sample/02-flights/README.md',
    'sample/03-content-review/README.md',
    'sample/04-production/README.md',
    'bench/README.md',
  ],
  ...readdirSync(projectFile('docs'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.md'))
    .map((path) => `docs/${path.replaceAll('\\', '/')}`),
].map((path) => ({ path, text: readFileSync(projectFile(path), 'utf8') }));

/** All code of a page as one module, each line where it stands in the page. */
function moduleOf(text: string): string {
  const lines = text.split('\n').map(() => '');
  for (const block of text.matchAll(CODE)) {
    const first = text.slice(0, block.index).split('\n').length;
    block[1]!.split('\n').forEach((line, index) => (lines[first + index] = line));
  }
  return `${lines.join('\n')}\nexport {};\n`;
}

/** A file without the comment it opens with. */
function bodyOf(path: string): string {
  return readFileSync(projectFile(path), 'utf8').replace(/^(\/\/.*\n)+\n?/, '');
}

/** The fragments that headings are linked by. */
function anchorsOf(text: string): string[] {
  return Array.from(text.matchAll(/^#+ (.*)$/gm), ([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}_ -]/gu, '')
      .replaceAll(' ', '-'),
  );
}

describe('documentation', () => {
  it('shows code that compiles, each page as one module', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'flowstone-docs-'));
    try {
      await symlink(projectFile('node_modules'), join(directory, 'node_modules'), 'junction');
      const compilerOptions = {
        ...{ rootDir: '/', noUnusedLocals: false, noUnusedParameters: false },
        paths: {
          'nestjs-flowstone': [projectFile('lib/index.ts')],
          'nestjs-flowstone/bull': [projectFile('lib/queue/bull/index.ts')],
          'nestjs-flowstone/terminus': [projectFile('lib/terminus/index.ts')],
          'nestjs-flowstone/prometheus': [projectFile('lib/prometheus/index.ts')],
          'nestjs-flowstone/duckdb': [projectFile('lib/duckdb/index.ts')],
          'nestjs-flowstone/testing': [projectFile('lib/testing/index.ts')],
          'nestjs-flowstone/migrations': [projectFile('migrations/index.ts')],
        },
      };
      await writeFile(join(directory, 'package.json'), '{ "type": "module" }');
      await writeFile(
        join(directory, 'tsconfig.json'),
        JSON.stringify({ extends: projectFile('tsconfig.json'), compilerOptions, include: ['*.ts'] }),
      );
      const withCode = pages.filter(({ path, text }) => /^(README|docs\/)/.test(path) && text.match(CODE));
      expect(withCode.length).toBeGreaterThan(1);
      for (const { path, text } of withCode) {
        await writeFile(join(directory, `${path.replaceAll('/', '.')}.ts`), moduleOf(text));
      }
      const compiler = projectFile('node_modules/typescript-7/bin/tsc');
      const { stdout } = await run(process.execPath, [compiler, '-p', directory, '--noEmit'], { cwd: directory }).catch(
        (error: unknown) => error as { stdout: string },
      );
      expect(stdout).toBe('');
    } finally {
      await rm(directory, { recursive: true });
    }
  }, 60_000);

  it('quotes files as they are', () => {
    const quotes = pages.flatMap(({ text }) => Array.from(text.matchAll(QUOTE)));
    expect(quotes.length).toBeGreaterThan(0);
    for (const [, path, code] of quotes) expect(code).toBe(bodyOf(path!));
  });

  it('links to what there is', () => {
    const broken = pages.flatMap(({ path, text }) =>
      Array.from(text.matchAll(LINK), ([, target = '', anchor]) => {
        const file = target === '' ? path : join(dirname(path), target);
        if (!existsSync(projectFile(file))) return `${path}: ${target}`;
        if (anchor === undefined) return [];
        return anchorsOf(readFileSync(projectFile(file), 'utf8')).includes(anchor)
          ? []
          : `${path}: ${target}#${anchor}`;
      }).flat(),
    );
    expect(broken).toEqual([]);
  });
});
