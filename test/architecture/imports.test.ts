// The directions in which the rooms of the house may import each other; the rules stand in .dependency-cruiser.mjs.
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from '@jest/globals';
import { projectFile, sourceFiles } from './source-files.js';

function cruise(...args: string[]): { status: number | null; output: string } {
  const program = projectFile('node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
  const result = spawnSync(process.execPath, [program, '--config', '.dependency-cruiser.mjs', ...args], {
    cwd: projectFile('.'),
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  return { status: result.status, output: result.stdout + result.stderr };
}

describe('imports', () => {
  it('follow the rules of the house', () => {
    const { status, output } = cruise('lib', 'migrations', 'sample', 'bench');
    expect(output).toContain('no dependency violations found');
    expect(status).toBe(0);
  }, 120_000);

  it('leave the library only through named exports of the public doors', () => {
    const doors = sourceFiles('lib').filter(({ path }) =>
      /^lib\/(testing\/|terminus\/|prometheus\/|duckdb\/)?index\.ts$/.test(path),
    );
    const starred = doors.filter(({ text }) => /^export \*/m.test(text)).map(({ path }) => path);
    expect(starred).toEqual([]);
  });
});
