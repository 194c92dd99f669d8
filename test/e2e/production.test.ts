// Sample 04 as a person runs it: PostgreSQL, Redis, two workers, by one command.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { freshDatabase, redisUrl, type FreshDatabase } from '../services/services.js';

const ROOT = resolve(import.meta.dirname, '../..');

describe('the production sample', () => {
  const directory = mkdtempSync(join(tmpdir(), 'production-'));
  let database: FreshDatabase;
  let redis: string;

  function run(args: readonly string[], servers = true): { status: number | null; out: string; err: string } {
    const urls = servers ? { DATABASE_URL: database.url, REDIS_URL: redis } : {};
    const environment = { ...process.env, FLOWSTONE_DIRECTORY: directory, NODE_OPTIONS: '' };
    const program = join(ROOT, 'dist/sample/04-production/main.js');
    const ended = spawnSync(process.execPath, [program, ...args], {
      env: { ...environment, ...urls },
      encoding: 'utf8',
    });
    return { status: ended.status, out: ended.stdout, err: ended.stderr };
  }

  beforeAll(async () => {
    const built = spawnSync(process.execPath, [join(ROOT, 'scripts/build.mjs'), '--if-needed'], { encoding: 'utf8' });
    if (built.status !== 0) throw new Error(built.stderr);
    database = await freshDatabase();
    redis = await redisUrl();
  }, 600_000);

  afterAll(async () => {
    await database.drop();
    rmSync(directory, { recursive: true, force: true });
  });

  it('makes a day over two workers, finds it fresh the next time, and prints it', () => {
    const first = run(['--partition', '2001-03-04']);
    expect([first.status, first.err]).toEqual([0, '']);
    expect(first.out).toMatch(/^2 workers: processes \d+ and \d+\n/);
    expect(first.out).toContain('Run 1: 3 computed, 0 skipped.');
    expect(run(['--partition', '2001-03-04']).out).toContain('Run 2: 0 computed, 0 skipped.');
    const printed = run(['--print', 'daily_delays', '--partition', '2001-03-04', '--json']);
    expect(JSON.parse(printed.out)).toContainEqual(expect.objectContaining({ airport: 'ATL' }));
  }, 180_000);

  it('says which servers it needs', () => {
    expect(run([], false)).toMatchObject({ status: 2, err: expect.stringContaining('Set DATABASE_URL') });
  });
});
