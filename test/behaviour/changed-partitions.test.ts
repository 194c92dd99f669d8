// A table whose asset is partitioned otherwise than before: rows of one partition are never taken for those of another.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { TestingModule } from '@nestjs/testing';
import { Client } from 'pg';
import { DataSource } from 'typeorm';
import {
  Asset,
  FLOWSTONE_DATA_SOURCE,
  Partitions,
  PostgresIoManager,
  type AssetContext,
  type AssetOptions,
  type FlowStoneService,
} from '../../lib/index.js';
import { freshDatabase, type FreshDatabase } from '../services/services.js';
import { startApp } from './graph.js';
import { DURABLE_STORAGES, testStorage, type TestStorage } from './storages.js';

const UNFIT = 'FLOWSTONE_IO_TABLE_UNFIT';
const start = '2001-01-01';
const daily = Partitions.daily({ start, end: '2001-01-04' });
const monthly = Partitions.monthly({ start, end: '2001-03' });
const hourly = (timeZone: string) => Partitions.hourly({ start, end: '2001-01-01T03', timeZone });
const [days, places] = [Partitions.static(['1', '2']), Partitions.static(['1', '2', '3'])];
let made = 0;

/** The same asset, declared otherwise. */
function declared(options: AssetOptions) {
  @Asset({ name: 'facts', io: 'values', table: 'kept.facts', columns: { n: 'integer' }, ...options })
  class Facts {
    execute(_: AssetContext): readonly object[] {
      return [{ n: ++made }];
    }
  }
  return Facts;
}

describe.each([...DURABLE_STORAGES, 'another database'] as const)('a table (%s)', (kind) => {
  let where: TestStorage;
  let elsewhere: FreshDatabase | undefined;
  let client: Client | undefined;
  let app: TestingModule | undefined;
  let flowstone: FlowStoneService;

  beforeEach(async () => {
    made = 0;
    where = await testStorage(kind === 'another database' ? 'postgres' : kind);
    if (kind !== 'another database') return;
    elsewhere = await freshDatabase();
    client = new Client({ connectionString: elsewhere.url });
    await client.connect();
  });
  afterEach(async () => {
    await app?.close();
    app = undefined;
    await client?.end();
    await elsewhere?.drop();
    await where.remove();
  });

  const begin = async (...assets: readonly AssetOptions[]): Promise<void> => {
    await app?.close();
    const io = elsewhere ? 'warehouse' : 'postgres';
    const managers: Record<string, PostgresIoManager> = {};
    if (elsewhere) managers[io] = new PostgresIoManager({ url: elsewhere.url });
    const classes = assets.map((each) => declared({ io, ...each }));
    ({ app, flowstone } = await startApp(classes, { ...where.options, managers }));
  };
  const query = async (text: string): Promise<readonly unknown[][]> => {
    if (client) return (await client.query({ text, rowMode: 'array' })).rows;
    const rows: object[] = await app!.get<DataSource>(FLOWSTONE_DATA_SOURCE).query(text);
    return rows.map((row) => Object.values(row));
  };
  const all = async (name = 'facts') => (await flowstone.materialize(name, { partitions: 'all', force: true })).wait();
  const refused = async (running: Promise<unknown>, ...parts: string[]): Promise<void> => {
    const error = await running.then(
      () => ({ result: { failures: [] } }),
      (thrown: { result: { failures: readonly { error: { code: string; message: string } }[] } }) => thrown,
    );
    const codes = error.result.failures.map((failure) => failure.error.code);
    expect(new Set(codes)).toEqual(new Set([UNFIT]));
    for (const part of parts) expect(error.result.failures[0]!.error.message).toContain(part);
  };

  it('by days takes no months over the same column, until the values of the days are deleted', async () => {
    const partitionColumn = 'day';
    await begin({ partitions: daily, partitionColumn });
    await all();
    await begin({ partitions: monthly, partitionColumn });
    await refused(
      all(),
      'kept.facts holds rows of facts by day (date) daily, and facts is declared by day (date) monthly',
      "delete('facts', { partitions: 'all' })",
    );
    const rows = 'SELECT day::text, n FROM kept.facts ORDER BY 1';
    expect(await query(rows)).toEqual([
      ['2001-01-01', 1],
      ['2001-01-02', 2],
      ['2001-01-03', 3],
    ]);
    expect(await flowstone.delete('facts', { partitions: 'all' })).toBe(3);
    expect(await query(rows)).toEqual([]);
    made = 0;
    await all();
    expect(await query(rows)).toEqual([
      ['2001-01-01', 1],
      ['2001-02-01', 2],
    ]);
    expect(await flowstone.load('facts', { partition: '2001-02' })).toEqual([{ n: 2 }]);
  });

  it('by the starts of hours takes none of another time zone', async () => {
    await begin({ partitions: hourly('UTC') });
    await all();
    await begin({ partitions: hourly('Europe/Berlin') });
    await refused(all(), 'hourly in UTC', 'hourly in Europe/Berlin');
    expect(await query('SELECT count(*)::int FROM kept.facts')).toEqual([[3]]);
    expect(await flowstone.delete('facts', { partitions: ['2001-01-01T01'] })).toBe(1);
    expect(await query('SELECT n FROM kept.facts ORDER BY 1')).toEqual([[1], [3]]);
  });

  it('takes no rows by another column, or by the same of another type', async () => {
    const columns = { n: 'integer', day: 'date' };
    await begin({ partitions: daily, columns, partitionColumn: 'day', key: ['n'] });
    await all();
    await query(`ALTER TABLE kept.facts ADD COLUMN place text NOT NULL DEFAULT '2001-01-01', ADD UNIQUE (place, n)`);
    await begin({ partitions: daily, columns, partitionColumn: 'place', key: ['n'] });
    await refused(all(), 'by day (date) daily', 'by place (text) daily');
    await query('ALTER TABLE kept.facts ALTER day TYPE text');
    const altered = { ...columns, day: 'text' };
    await begin({ partitions: daily, columns: altered, partitionColumn: 'day', key: ['n'] });
    await refused(all(), 'by day (date) daily', 'by day (text) daily');
    expect(await query('SELECT count(*)::int FROM kept.facts')).toEqual([[3]]);
  });

  it('takes no rows by the same columns in another order of dimensions', async () => {
    await begin({ partitions: Partitions.multi({ a: days, b: places }) });
    await all();
    await begin({ partitions: Partitions.multi({ b: places, a: days }) });
    await refused(all(), 'by [a (text) by key] [b (text) by key]', 'by [b (text) by key] [a (text) by key]');
    expect(await query('SELECT count(*)::int FROM kept.facts')).toEqual([[6]]);
  });

  it('as a whole takes no partitions, and by partitions none as a whole', async () => {
    const whole = { name: 'whole' };
    const parts = { name: 'parts', partitions: days };
    await begin(whole);
    await (await flowstone.materialize('whole')).wait();
    await query(`ALTER TABLE kept.facts ADD COLUMN partition text NOT NULL DEFAULT '1'`);
    await query(`ALTER TABLE kept.facts DROP CONSTRAINT facts_pkey, ADD PRIMARY KEY (partition, _row)`);
    await begin({ ...parts, formerly: ['whole'] });
    await refused(all('parts'), 'as a whole', 'by partition (text) by key', 'while it is still declared so');
    await begin(parts);
    await refused(all('parts'), 'holds rows of asset whole');
    expect(await query('SELECT n FROM kept.facts')).toEqual([[1]]);
    await begin(whole);
    expect(await flowstone.delete('whole')).toBe(1);
    await begin({ ...parts, formerly: ['whole'] });
    await all('parts');
    expect(await query('SELECT partition FROM kept.facts ORDER BY 1')).toEqual([['1'], ['2']]);

    await query('ALTER TABLE kept.facts DROP CONSTRAINT facts_pkey, ADD PRIMARY KEY (n)');
    const again = { name: 'again', key: ['n'], formerly: ['parts'] };
    await begin(again);
    await refused((await flowstone.materialize('again')).wait(), 'by partition (text) by key', 'as a whole');
    expect(await query('SELECT partition FROM kept.facts ORDER BY 1')).toEqual([['1'], ['2']]);
    await query('DROP TABLE kept.facts');
    await (await flowstone.materialize('again')).wait();
    expect(await flowstone.load('again')).toEqual([{ n: made }]);
  });

  it('takes what means the same: other bounds, other lists of keys, another zone by days, another name', async () => {
    const partitionColumn = 'day';
    await begin({ partitions: daily, partitionColumn });
    await all();
    const later = Partitions.daily({ start: '2001-01-02', end: '2001-01-05', timeZone: 'Asia/Tokyo' });
    await begin({ name: 'renamed', partitions: later, partitionColumn, formerly: ['facts'] });
    await all('renamed');
    expect(await query('SELECT day::text, n FROM kept.facts ORDER BY 1')).toEqual([
      ['2001-01-01', 1],
      ['2001-01-02', 4],
      ['2001-01-03', 5],
      ['2001-01-04', 6],
    ]);
    const keyed = { name: 'keyed', table: 'kept.keyed' };
    await begin({ ...keyed, partitions: days });
    await all('keyed');
    await begin({ ...keyed, partitions: Partitions.custom(() => ['2', '3'], { name: 'some' }) });
    await all('keyed');
    expect(await query('SELECT partition FROM kept.keyed ORDER BY 1')).toEqual([['1'], ['2'], ['3']]);
  });
});
