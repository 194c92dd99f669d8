// Assets that ask what others have stored by SQL, through an application.
import { spawnSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { query } from '../../lib/duckdb/index.js';
import {
  all,
  Asset,
  columns,
  DependsOn,
  Partitions,
  S3IoManager,
  type AssetContext,
  type InputsOf,
} from '../../lib/index.js';
import { freshBucket, type FreshBucket } from '../services/buckets.js';
import { startApp } from './graph.js';
import { testStorage, type TestStorage } from './storages.js';

const project = join(import.meta.dirname, '../..');

/** Assets that are kept by `io`: flights by day, airlines, delays of both. */
function assetsIn(io: string) {
  const parquet = { io, ...(io !== 'parquet' && { format: 'parquet' }) };
  @Asset({ ...parquet, schema: { carrier: 'string', delay: 'int32' }, partitions: Partitions.static(['a/1', "b'2"]) })
  class Flights {
    async *execute({ partition }: AssetContext): AsyncGenerator<{ carrier: string; delay: number }> {
      for (let delay = 0; delay < 4; delay++) yield { carrier: partition.key.startsWith('a') ? 'AA' : 'B6', delay };
    }
  }
  @Asset({ ...parquet, schema: 'infer' })
  class Airlines {
    async *execute(): AsyncGenerator<{ carrier: string; name: string; founded: number }> {
      yield { carrier: 'AA', name: 'American', founded: 1926 };
      yield { carrier: 'B6', name: 'JetBlue', founded: 1998 };
    }
  }
  const inputs = { flights: all(Flights), airlines: columns(Airlines, ['carrier', 'name']) };
  @Asset({ ...parquet, schema: { name: 'string', flights: 'int64', delay: 'double' } })
  @DependsOn(inputs)
  class Delays {
    execute(_: AssetContext, { flights, airlines }: InputsOf<typeof inputs>) {
      return query<{ name: string; flights: bigint; delay: number }>(
        { flights, airlines },
        `SELECT name, count(*) AS flights, avg(delay) AS delay FROM flights JOIN airlines USING (carrier)
         WHERE delay > $least GROUP BY name ORDER BY name`,
        { parameters: { least: 0 } },
      );
    }
  }
  return { all: [Flights, Airlines, Delays], Delays };
}

const EXPECTED = [
  { name: 'American', flights: 3n, delay: 2 },
  { name: 'JetBlue', flights: 3n, delay: 2 },
];

describe('an asset that asks by SQL', () => {
  let where: TestStorage;
  let bucket: FreshBucket;
  beforeAll(async () => {
    bucket = await freshBucket();
  }, 300_000);
  afterAll(() => bucket.drop(), 60_000);
  beforeEach(async () => {
    where = await testStorage('memory');
  });
  afterEach(() => where.remove());

  it.each(['parquet', 's3'])(
    'is given rows in %s, of all partitions of an upstream and of some columns',
    async (io) => {
      const { connection, bucket: name } = bucket;
      const managers = { s3: new S3IoManager({ bucket: name, ...connection }) };
      const assets = assetsIn(io);
      const { app, flowstone } = await startApp(assets.all, { ...where.options, managers });
      try {
        await (await flowstone.materialize(assets.all, { partitions: 'all' })).wait();
        const delays = await flowstone.load(assets.Delays);
        expect(await delays.toArray()).toEqual(EXPECTED);
        // What a query gives may be asked in turn.
        const asked = query({ delays }, 'SELECT sum(flights) AS flights FROM delays');
        expect(await asked.toArray()).toEqual([{ flights: 6n }]);
      } finally {
        await app.close();
      }
    },
  );

  it('fails with what its query fails with, and ends it where its time is up', async () => {
    @Asset({ io: 'filesystem' })
    class Lines {
      async *execute(): AsyncGenerator<object> {
        yield { a: 1 };
      }
    }
    const lines = { lines: Lines };
    @Asset({ io: 'parquet', schema: 'infer' })
    @DependsOn(lines)
    class OfLines {
      execute(_: AssetContext, inputs: InputsOf<typeof lines>) {
        return query(inputs, 'FROM lines');
      }
    }
    @Asset({ io: 'parquet', schema: 'infer', timeout: '300ms' })
    class Endless {
      execute() {
        return query(
          {},
          'SELECT count(*) AS n FROM range(1000000000) a, range(1000000000) b WHERE a.range = b.range - 7.5',
        );
      }
    }
    const { app, flowstone } = await startApp([Lines, OfLines, Endless], where.options);
    try {
      await expect((await flowstone.materialize(OfLines)).wait()).rejects.toMatchObject({
        result: { failures: [{ error: { code: 'FLOWSTONE_QUERY_INPUT_UNFIT' } }] },
      });
      await expect((await flowstone.materialize(Endless)).wait()).rejects.toMatchObject({
        result: { failures: [{ error: { code: 'FLOWSTONE_EXECUTE_TIMEOUT' } }] },
      });
    } finally {
      await app.close();
    }
    // An attempt whose time is up is not waited for.
    const folders = async () =>
      (await readdir(tmpdir())).filter((name) => name.startsWith(`flowstone-duckdb-${process.pid}-`));
    while ((await folders()).length > 0) await pause(20);
  });

  it('names the package it needs where that is missing, when it is loaded', async () => {
    const consumer = await mkdtemp(join(tmpdir(), 'flowstone-consumer-'));
    try {
      await cp(join(project, 'dist/lib'), join(consumer, 'lib'), { recursive: true });
      await writeFile(join(consumer, 'package.json'), '{ "type": "module" }');
      for (const name of ['canonicalize', 'hyparquet', 'hyparquet-writer']) {
        const link = join(consumer, 'node_modules', name);
        await mkdir(dirname(link), { recursive: true });
        await symlink(join(project, 'node_modules', name), link);
      }
      const program = `await import('./lib/duckdb/index.js').catch((error) => console.log(error.code, error.message));`;
      const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
        ...{ cwd: consumer, encoding: 'utf8' },
      });
      expect(stderr).toBe('');
      expect(stdout).toBe(
        'FLOWSTONE_PACKAGE_MISSING SQL over stored rows needs the package @duckdb/node-api: run `npm install @duckdb/node-api`.\n',
      );
    } finally {
      await rm(consumer, { recursive: true });
    }
  });
});
