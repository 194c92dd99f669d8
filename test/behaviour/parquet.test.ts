// Assets that are kept as Parquet, through an application: declared, passed on, narrowed, retired.
import { spawnSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Asset, columns, DependsOn, type InputsOf, type ParquetSchema } from '../../lib/index.js';
import { startApp } from './graph.js';
import { testStorage, type TestStorage } from './storages.js';

const project = join(import.meta.dirname, '../..');
const schema: ParquetSchema = { day: 'date', carrier: 'string', delay: 'double', big: 'int64' };

@Asset({ io: 'parquet', schema })
class Delays {
  async *execute(): AsyncGenerator<{ day: string; carrier: string; delay?: number; big: bigint }> {
    for (let id = 0; id < 60_000; id++)
      yield {
        day: '2001-03-04',
        carrier: id % 2 === 0 ? 'AA' : 'B6',
        ...(id % 3 > 0 && { delay: id }),
        big: 2n ** 60n,
      };
  }
}
const inputs = { delays: columns(Delays, ['carrier', 'delay']) };
@Asset({ io: 'filesystem', format: 'parquet', schema: 'infer' })
@DependsOn(inputs)
class Late {
  async *execute(_: unknown, { delays }: InputsOf<typeof inputs>): AsyncGenerator<object> {
    for await (const row of delays.slice(59_990)) yield row;
  }
}

const threads = () => (process.report.getReport() as unknown as { workers: unknown[] }).workers.length;

describe('assets as Parquet', () => {
  let where: TestStorage;
  beforeEach(async () => {
    where = await testStorage('memory');
  });
  afterEach(() => where.remove());

  it('are materialized, and loaded as far as somebody wants them', async () => {
    const { app, flowstone } = await startApp([Delays, Late], where.options);
    await (await flowstone.materialize('*')).wait();
    const [made, late] = await Promise.all([flowstone.history(Delays), flowstone.history(Late)]);
    expect(made.items[0]!.value).toMatchObject({
      ...{ io: 'parquet', format: 'parquet', rows: 60_000 },
      schema: Object.entries(schema).map(([name, type]) => ({ name, type, nullable: true })),
    });
    expect(late.items[0]!.value).toMatchObject({ io: 'filesystem', format: 'parquet', rows: 10 });
    const rows = (await flowstone.load(Late)) as AsyncIterable<object>;
    const all: object[] = [];
    for await (const row of rows) all.push(row);
    expect(all).toHaveLength(10);
    expect(all.slice(0, 3)).toEqual([
      { carrier: 'AA', delay: 59_990 },
      { carrier: 'B6', delay: null },
      { carrier: 'AA', delay: 59_992 },
    ]);
    await app.close();
    expect(threads()).toBe(0);
    const names = await readdir(where.options.directory!, { recursive: true });
    expect(
      names
        .filter((name) => name.endsWith('.parquet'))
        .map((name) => name.split('/')[0])
        .sort(),
    ).toEqual(['parquet', 'values']);
  });

  it('are refused at boot where their columns are not declared', async () => {
    @Asset({ io: 'parquet' })
    class Undeclared {
      execute(): object[] {
        return [];
      }
    }
    await expect(startApp([Undeclared], where.options)).rejects.toMatchObject({
      code: 'FLOWSTONE_DECLARATION_INVALID',
      message: expect.stringContaining("schema is missing: declare the columns, as in schema: { day: 'date'"),
    });
  });

  it('name the packages they need where one is missing', async () => {
    const consumer = await mkdtemp(join(tmpdir(), 'flowstone-consumer-'));
    try {
      await cp(join(project, 'dist/lib'), join(consumer, 'lib'), { recursive: true });
      await writeFile(join(consumer, 'package.json'), '{ "type": "module" }');
      for (const name of ['canonicalize', 'hyparquet']) {
        const link = join(consumer, 'node_modules', name);
        await mkdir(dirname(link), { recursive: true });
        await symlink(join(project, 'node_modules', name), link);
      }
      const program = `
        const { FilesystemIoManager } = await import('./lib/io/managers/filesystem.io-manager.js');
        const manager = new FilesystemIoManager({ root: 'values' });
        const options = { format: 'parquet', schema: 'infer' };
        console.log(manager.optionProblems({}), manager.optionProblems(options));
        const address = { namespace: 'n', asset: 'a', materialization: 1, epoch: 1, options };
        const error = await manager.store({ ...address, signal: new AbortController().signal }, []).catch((e) => e);
        console.log(error.code, error.message);`;
      const run = ['--input-type=module', '-e', program];
      const { stdout, stderr } = spawnSync(process.execPath, run, { cwd: consumer, encoding: 'utf8' });
      const needs = 'needs the package hyparquet-writer: run `npm install hyparquet-writer`';
      expect(stderr).toBe('');
      expect(stdout.split('\n')).toEqual([
        '[] [',
        `  'format "parquet" ${needs}'`,
        ']',
        `FLOWSTONE_PACKAGE_MISSING Parquet ${needs}.`,
        '',
      ]);
    } finally {
      await rm(consumer, { recursive: true });
    }
  });
});
