// Values in the ledger's own database: rows in tables as plain SQL sees them, documents, and what fails nobody else.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { TestingModule } from '@nestjs/testing';
import { Column, DataSource, Entity, PrimaryColumn } from 'typeorm';
import {
  Asset,
  columns,
  DependsOn,
  FLOWSTONE_DATA_SOURCE,
  Partitions,
  type AssetContext,
  type FlowStoneService,
  type InputsOf,
  type Rows,
} from '../../lib/index.js';
import { startApp } from './graph.js';
import { DURABLE_STORAGES, testStorage, type TestStorage } from './storages.js';

const rowsOf = new Map<string, readonly object[]>();
let documents: unknown[] = [];

const days = Partitions.daily({ start: '2001-01-01', end: '2001-01-04' });
const daily = {
  ...{ io: 'postgres', partitions: days, table: 'facts.delays', partitionColumn: 'day', key: ['airport'] },
  columns: { airport: 'text', flights: { type: 'integer', nullable: false }, delay: 'double precision' },
};
@Asset(daily)
class Delays {
  execute({ partition }: AssetContext): readonly object[] {
    return rowsOf.get(partition.key)!;
  }
}
const regions = Partitions.multi({
  month: Partitions.monthly({ start: '2001-01', end: '2001-03' }),
  region: Partitions.static(['eu', "o'us"]),
});
@Asset({ io: 'postgres', partitions: regions, table: 'sums', columns: { n: 'integer', region: 'text' } })
class Sums {
  async *execute({ partition }: AssetContext): AsyncGenerator<{ n: number; region?: string }> {
    yield { n: 2 };
    yield { n: 1, region: partition.dimensions['region'] };
  }
}
const inputs = { sums: columns(Sums, ['n']) };
@Asset({ partitions: regions })
@DependsOn(inputs)
class Numbers {
  execute(_: AssetContext, { sums }: InputsOf<typeof inputs>): Promise<readonly object[]> {
    return sums.toArray();
  }
}
@Entity({ schema: 'facts', name: 'people' })
class Person {
  @PrimaryColumn('integer') id!: number;
  @Column({ name: 'full_name', type: 'varchar', length: 20, nullable: true }) name!: string | null;
  @Column('numeric', { precision: 6, scale: 2 }) balance!: string;
}
@Asset({ io: 'postgres', entity: Person })
class People {
  execute(): readonly object[] {
    return rowsOf.get('people')!;
  }
}
@Asset({ io: 'postgres' })
class Document {
  execute(): unknown {
    return documents.shift();
  }
}
@Asset({ io: 'postgres', table: 'existing.things' })
class Things {
  execute(): readonly object[] {
    return [
      { id: 2n, name: 'two' },
      { id: 1n, name: null },
    ];
  }
}

describe.each(DURABLE_STORAGES)('values in the database of the ledger (%s)', (storage) => {
  let where: TestStorage;
  let app: TestingModule;
  let flowstone: FlowStoneService;
  let database: DataSource;

  beforeAll(async () => {
    where = await testStorage(storage);
    ({ app, flowstone } = await startApp([Delays, Sums, Numbers, People, Document, Things], where.options));
    database = app.get<DataSource>(FLOWSTONE_DATA_SOURCE);
  });
  afterAll(async () => {
    await app.close();
    await where.remove();
  });

  beforeEach(() => {
    rowsOf.clear();
    for (const day of ['01', '02', '03']) rowsOf.set(`2001-01-${day}`, [{ airport: 'OAK', flights: Number(day) }]);
  });

  const failureOf = async (asset: typeof Delays, partition: string) =>
    (await flowstone.history(asset, { partition })).items[0]!.error;
  const materialize = async (...[target, options]: Parameters<FlowStoneService['materialize']>) =>
    (await flowstone.materialize(target, options)).wait();

  it('are rows that plain SQL reads, side by side by partition, in the order of their key', async () => {
    rowsOf.set('2001-01-02', [
      { flights: 3, airport: 'SFO', delay: 0.1, day: '2001-01-02' },
      { airport: 'OAK', flights: 2 },
    ]);
    await materialize(Delays, { partitions: 'all' });
    const stored = await database.query(
      `SELECT day::text, airport, flights, delay FROM facts.delays ORDER BY day, airport`,
    );
    expect(stored).toEqual([
      { day: '2001-01-01', airport: 'OAK', flights: 1, delay: null },
      { day: '2001-01-02', airport: 'OAK', flights: 2, delay: null },
      { day: '2001-01-02', airport: 'SFO', flights: 3, delay: 0.1 },
      { day: '2001-01-03', airport: 'OAK', flights: 3, delay: null },
    ]);
    expect(await flowstone.load(Delays, { partition: '2001-01-02' })).toEqual([
      { airport: 'OAK', flights: 2, delay: null },
      { airport: 'SFO', flights: 3, delay: 0.1 },
    ]);
    const [index] = await database.query(
      `SELECT pg_get_indexdef(indexrelid) AS text FROM pg_index WHERE indrelid = 'facts.delays'::regclass`,
    );
    expect(index.text).toContain('(day, airport)');
  });

  it('replace those of the partition alone, and are gone when they are deleted', async () => {
    await materialize(Delays, { partitions: 'all', force: true });
    rowsOf.set('2001-01-01', [{ airport: 'BOS', flights: 9 }]);
    await materialize(Delays, { partition: '2001-01-01', force: true });
    const airports = async () =>
      (await database.query(`SELECT airport FROM facts.delays ORDER BY day`)).flatMap(Object.values);
    expect(await airports()).toEqual(['BOS', 'OAK', 'OAK']);
    const { id: version } = (await flowstone.history(Delays, { partition: '2001-01-01' })).items[1]!;
    await expect(flowstone.load(Delays, { partition: '2001-01-01', version })).rejects.toMatchObject({
      code: 'FLOWSTONE_IO_VERSION_NOT_KEPT',
    });
    await flowstone.delete(Delays, { partitions: ['2001-01-02'] });
    expect(await airports()).toEqual(['BOS', 'OAK']);
    await expect(flowstone.load(Delays, { partition: '2001-01-02' })).rejects.toMatchObject({
      code: 'FLOWSTONE_VALUE_MISSING',
    });
  });

  it('are loaded by the columns that are asked for', async () => {
    const partition = { month: '2001-01', region: 'eu' };
    await materialize(Numbers, { partition });
    expect(await flowstone.load(Numbers, { partition })).toEqual([{ n: 2 }, { n: 1 }]);
  });

  it.each([
    [
      'a value of another type',
      [{ airport: 'OAK', flights: 1.5 }],
      'FLOWSTONE_IO_VALUE_UNSUPPORTED',
      '[0].flights is 1.5',
    ],
    [
      'an unknown column',
      [{ airport: 'OAK', flights: 1, delya: 1 }],
      'FLOWSTONE_IO_VALUE_UNSUPPORTED',
      'Did you mean delay',
    ],
    ['a null where there is none', [{ airport: 'OAK' }], 'FLOWSTONE_IO_VALUE_UNSUPPORTED', '[0].flights is null'],
    [
      'another partition',
      [{ airport: 'OAK', flights: 1, day: '2001-01-03' }],
      'FLOWSTONE_IO_VALUE_UNSUPPORTED',
      '"2001-01-03"',
    ],
    [
      'a key twice',
      [
        { airport: 'OAK', flights: 1 },
        { airport: 'OAK', flights: 2 },
      ],
      'FLOWSTONE_IO_VALUE_REFUSED',
      '(table delays, constraint delays_pkey). Nothing was changed.',
    ],
    ['no rows', 'text', 'FLOWSTONE_IO_VALUE_UNSUPPORTED', 'neither rows'],
  ])('refuse %s, which fails nobody else and changes nothing', async (_, rows, code, part) => {
    await materialize(Delays, { partitions: 'all', force: true });
    const before = await database.query(`SELECT * FROM facts.delays ORDER BY 1, 2`);
    rowsOf.set('2001-01-02', rows as readonly object[]);
    const failing = materialize(Delays, { partitions: 'all', force: true });
    await expect(failing).rejects.toMatchObject({ result: { counts: { success: 2, failed: 1 } } });
    expect(await failureOf(Delays, '2001-01-02')).toMatchObject({ code, message: expect.stringContaining(part) });
    expect(await database.query(`SELECT * FROM facts.delays ORDER BY 1, 2`)).toEqual(before);
  });

  it('have a column for each dimension, and keep the order of rows that have no key', async () => {
    await materialize(Sums, { partitions: 'all' });
    const stored = await database.query(
      `SELECT month::text, region, _row, n FROM sums WHERE region <> 'eu' ORDER BY 1, 2, 3`,
    );
    expect(stored).toEqual([
      { month: '2001-01-01', region: "o'us", _row: 0, n: 2 },
      { month: '2001-01-01', region: "o'us", _row: 1, n: 1 },
      { month: '2001-02-01', region: "o'us", _row: 0, n: 2 },
      { month: '2001-02-01', region: "o'us", _row: 1, n: 1 },
    ]);
    const rows = (await flowstone.load(Sums as never, {
      partition: { month: '2001-02', region: 'eu' },
    })) as Rows<object>;
    expect(await rows.toArray()).toEqual([
      { n: 2, region: 'eu' },
      { n: 1, region: 'eu' },
    ]);
  });

  it('have the columns of an entity, by the names of its properties', async () => {
    rowsOf.set('people', [
      { id: 2, balance: '-0.50', name: 'B' },
      { id: 1, balance: '1000.00' },
    ]);
    await materialize(People);
    expect(await database.query('SELECT * FROM facts.people ORDER BY id')).toEqual([
      { id: 1, full_name: null, balance: '1000.00' },
      { id: 2, full_name: 'B', balance: '-0.50' },
    ]);
    expect(await flowstone.load(People)).toEqual([
      { id: 1, name: null, balance: '1000.00' },
      { id: 2, name: 'B', balance: '-0.50' },
    ]);
  });

  it('go into a table that exists, if it tells rows apart', async () => {
    await expect(materialize(Things)).rejects.toMatchObject({
      result: {
        failures: [{ error: { code: 'FLOWSTONE_IO_TABLE_UNFIT', message: expect.stringContaining('does not exist') } }],
      },
    });
    await database.query(`CREATE SCHEMA existing`);
    await database.query(`CREATE TABLE existing.things (id bigint, name text, seen timestamptz DEFAULT now())`);
    await expect(materialize(Things)).rejects.toMatchObject({
      result: {
        failures: [
          { error: { code: 'FLOWSTONE_IO_TABLE_UNFIT', message: expect.stringContaining('tells its rows apart') } },
        ],
      },
    });
    await database.query(`ALTER TABLE existing.things ADD PRIMARY KEY (id)`);
    await materialize(Things);
    expect(await flowstone.load(Things)).toEqual([
      { id: 1n, name: null },
      { id: 2n, name: 'two' },
    ]);
  });

  it('are documents of any size that plain SQL reads, every version of them', async () => {
    const large = Array.from({ length: 5000 }, (_, id) => ({
      id,
      at: new Date(id),
      text: `"\\${'x'.repeat(id % 100)}`,
    }));
    const values = [{ a: [1, 1e21, -0.1], nul: '\0\u0001\\u0000', n: 12n }, new Uint8Array(2_000_000).fill(7), large];
    documents = [...values];
    for (const value of values) {
      await materialize(Document, { force: true });
      const loaded = await flowstone.load(Document);
      // Of bytes, jest compares each by itself.
      if (value instanceof Uint8Array) expect(Buffer.compare(loaded as Uint8Array, value)).toBe(0);
      else expect(loaded).toEqual(value);
    }
    const [versions] = await database.query(
      `SELECT count(DISTINCT materialization_id)::int AS n FROM flowstone.value_documents`,
    );
    expect(versions).toEqual({ n: 3 });
    const [first] = (await flowstone.history(Document)).items.slice(-1);
    expect(await flowstone.load(Document, { version: first!.id })).toEqual(values[0]);
    const [found] = await database.query(
      `SELECT content->'a'->>1 AS a FROM flowstone.value_documents WHERE materialization_id = $1`,
      [first!.id],
    );
    expect(found).toEqual({ a: '1000000000000000000000' });
  });
});
