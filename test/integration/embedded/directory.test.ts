// The embedded database's directory over its life: first start, kills at any time, damage, other versions.
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, truncateSync, watch, writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from '@jest/globals';
import { openEmbeddedDatabase } from '../../../lib/ledger/embedded/embedded.database.js';
import { failureToStart } from '../../../lib/ledger/embedded/embedded.directory.js';
import { EngineError } from '../../../lib/ledger/embedded/embedded.engine.js';
import { OpenProcess } from './open-process.js';
import { temporaryDirectory } from './temporary-directory.js';

const project = resolve(import.meta.dirname, '../../..');

async function query<R extends object>(directory: string, sql: string): Promise<R[]> {
  const database = await openEmbeddedDatabase({ directory });
  try {
    const pool = new database.driver.Pool();
    const { rows } = await pool.query<R>(sql);
    await pool.end();
    return rows;
  } finally {
    await database.close();
  }
}

/** A directory with a database in it that nobody has open. */
async function madeDirectory(): Promise<string> {
  const directory = temporaryDirectory();
  await query(directory, 'CREATE TABLE kept AS SELECT 1 AS n');
  return directory;
}

describe('the directory of an embedded database', () => {
  it('keeps what was written when it is closed and opened again', async () => {
    const directory = await madeDirectory();
    expect(await query(directory, 'SELECT n FROM kept')).toEqual([{ n: 1 }]);
  });

  it('loses no acknowledged row to kill -9, however often', async () => {
    const directory = temporaryDirectory();
    const acknowledged: number[] = [];
    for (const patience of [1, 40, 7, 150, 300]) {
      const writer = new OpenProcess(directory, 'write');
      expect(await writer.next()).toBe('open');
      for (let i = 0; i < patience; i++) acknowledged.push(Number(await writer.next()));
      acknowledged.push(...(await writer.kill()).map(Number));
    }
    const rows = await query<{ n: number }>(directory, 'SELECT n FROM acknowledged');
    const kept = new Set(rows.map(({ n }) => n));
    expect(acknowledged.filter((n) => !kept.has(n))).toEqual([]);
    expect(new Set(acknowledged).size).toBe(acknowledged.length);
    expect(acknowledged.length).toBeGreaterThanOrEqual(498);
  }, 60_000);

  it('is made anew when the first start was killed in the middle', async () => {
    const directory = temporaryDirectory();
    const begun = new Promise<void>((found) => {
      const watcher = watch(directory, (_event, name) => {
        if (name !== 'postgres.unfinished') return;
        watcher.close();
        found();
      });
    });
    const first = new OpenProcess(directory, 'hold');
    await begun;
    await first.kill();
    expect(existsSync(join(directory, 'postgres'))).toBe(false);
    expect(await query(directory, 'SELECT 1 AS n')).toEqual([{ n: 1 }]);
    expect(existsSync(join(directory, 'postgres.unfinished'))).toBe(false);
  });

  it.each([
    ['created', ''],
    ['written in part', '-'],
  ])('is opened when a start was killed with the lock of PostgreSQL just %s', async (_when, lock) => {
    const directory = await madeDirectory();
    writeFileSync(join(directory, 'postgres/postmaster.pid'), lock);
    expect(await query(directory, 'SELECT n FROM kept')).toEqual([{ n: 1 }]);
  });

  it('is made by initdb where there is no snapshot to start from', async () => {
    const directory = temporaryDirectory();
    // The default is only looked for next to the module: a copy of the build without it has none.
    const build = temporaryDirectory();
    await cp(join(project, 'dist/lib'), join(build, 'lib'), {
      recursive: true,
      filter: (source) => !source.endsWith('.tar.gz'),
    });
    writeFileSync(join(build, 'package.json'), '{ "type": "module" }');
    symlinkSync(join(project, 'node_modules'), join(build, 'node_modules'));
    const program = `
      const { openEmbeddedDatabase } = await import('./lib/ledger/embedded/embedded.database.js');
      await (await openEmbeddedDatabase({ directory: process.argv[1] })).close();`;
    const made = spawnSync(process.execPath, ['--input-type=module', '-e', program, directory], {
      cwd: build,
      encoding: 'utf8',
      // What lets threads of tests run TypeScript is not for a build: with it, initdb in a thread ends by SIGSEGV.
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    expect(made).toMatchObject({ status: 0, signal: null, stderr: '' });
    expect(await query(directory, 'SELECT 1 AS n')).toEqual([{ n: 1 }]);
  }, 60_000);

  it('is refused when a file that PostgreSQL needs is damaged, with what PostgreSQL said', async () => {
    const directory = await madeDirectory();
    truncateSync(join(directory, 'postgres/global/pg_control'), 100);
    await expect(openEmbeddedDatabase({ directory })).rejects.toMatchObject({
      code: 'FLOWSTONE_EMBEDDED_CORRUPT',
      message: expect.stringContaining(directory),
      context: { output: expect.arrayContaining([expect.stringContaining('pg_control')]) },
    });
  });

  it('is not called damaged when its disk is full', () => {
    // What PostgreSQL said on a full disk, whose database was whole once there was room.
    const said = [
      '2026-11-30 23:21:19.544 UTC [42] LOG:  redo done at 0/37FFFA8 system usage: CPU: user: 0.00 s, system: 0.00 s',
      '2026-11-30 23:21:19.554 UTC [42] FATAL:  could not write to file "pg_wal/xlogtemp.42": No space left on device',
    ];
    const failure = failureToStart('/data', new EngineError('PGlite failed to initialize properly', said));
    expect(failure).toMatchObject({ code: 'FLOWSTONE_EMBEDDED_STOPPED', retryable: true });
    expect(failure.message).toContain('"pg_wal/xlogtemp.42": No space left on device');
  });

  it('is refused rather than overwritten when it is not one of PostgreSQL', async () => {
    const directory = await madeDirectory();
    rmSync(join(directory, 'postgres/PG_VERSION'));
    await expect(openEmbeddedDatabase({ directory })).rejects.toMatchObject({ code: 'FLOWSTONE_EMBEDDED_CORRUPT' });
    expect(existsSync(join(directory, 'postgres/global/pg_control'))).toBe(true);
  });

  it('is refused when another version of PostgreSQL has made it', async () => {
    const directory = await madeDirectory();
    const current = readFileSync(join(directory, 'postgres/PG_VERSION'), 'utf8').trim();
    writeFileSync(join(directory, 'postgres/PG_VERSION'), '15\n');
    await expect(openEmbeddedDatabase({ directory })).rejects.toMatchObject({
      code: 'FLOWSTONE_EMBEDDED_VERSION_MISMATCH',
      context: { found: '15', needed: current },
    });
  });

  it('is free again after it was refused', async () => {
    const directory = await madeDirectory();
    const version = join(directory, 'postgres/PG_VERSION');
    const current = readFileSync(version);
    writeFileSync(version, '15\n');
    await expect(openEmbeddedDatabase({ directory })).rejects.toThrow('PostgreSQL 15');
    writeFileSync(version, current);
    expect(await query(directory, 'SELECT n FROM kept')).toEqual([{ n: 1 }]);
  });

  it.each(['pg', '@electric-sql/pglite'])(
    'cannot be opened without the package %s, which is named',
    async (missing) => {
      const consumer = temporaryDirectory();
      await cp(join(project, 'dist/lib'), join(consumer, 'lib'), { recursive: true });
      writeFileSync(join(consumer, 'package.json'), '{ "type": "module" }');
      mkdirSync(join(consumer, 'node_modules/@electric-sql'), { recursive: true });
      for (const name of ['pg', '@electric-sql/pglite'].filter((present) => present !== missing)) {
        symlinkSync(join(project, 'node_modules', name), join(consumer, 'node_modules', name));
      }
      const program = `
      const { openEmbeddedDatabase } = await import('./lib/ledger/embedded/embedded.database.js');
      await openEmbeddedDatabase({ memory: true }).catch((error) => console.log(error.code, error.context.package));
      process.exit();`;
      const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
        cwd: consumer,
        encoding: 'utf8',
      });
      expect(stdout).toBe(`FLOWSTONE_PACKAGE_MISSING ${missing}\n`);
    },
  );
});
