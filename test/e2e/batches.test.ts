// Sample 05 as a person runs it.
import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { expect, it } from '@jest/globals';

const ROOT = resolve(import.meta.dirname, '../..');

function run(...args: string[]): { status: number | null; out: string; err: string } {
  const environment = { ...process.env, NODE_OPTIONS: '' };
  const ended = spawnSync(process.execPath, args, { cwd: ROOT, env: environment, encoding: 'utf8' });
  return { status: ended.status, out: ended.stdout, err: ended.stderr };
}

it('the batches sample calls its service for many documents at a time, and again only for what that refused', () => {
  expect(run('scripts/build.mjs', '--if-needed')).toMatchObject({ status: 0 });
  const { out, ...end } = run(join(ROOT, 'dist/sample/05-batches/main.js'));
  expect(end).toEqual({ status: 0, err: '' });
  expect(out).toBe(`499 translations by 5 calls, 1 refused
1 by one more: DOCUMENT 7 SAYS HELLO
`);
}, 120_000);
