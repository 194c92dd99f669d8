// Tables that somebody else drops, makes, fills or empties: nothing of theirs is lost, nothing of ours is lost unseen.
import { describe, expect, it } from '@jest/globals';
import type { Rows } from '../../lib/io/rows.js';
import { valueStores, type Row } from './value-stores.js';

const stores = valueStores();

describe.each(stores.kinds)('a table that others use (%s)', (kind, make) => {
  const schema = `others_${kind.replaceAll(' ', '_').toLowerCase()}`;

  it('holds nothing of its partitions, once it was dropped and is made again', async () => {
    const store = make('dropped');
    const options = { table: `${schema}.dropped`, columns: { a: 'integer' } };
    store.options = options;
    const { location } = await store.store([{ a: 1 }], { partition: 'one' });
    await store.query(`DROP TABLE ${options.table}`);
    // Another process looks at the table anew, as this one does for other options.
    store.options = { ...options };
    await store.store([{ a: 2 }], { partition: 'two' });
    await expect(store.load(location, { partition: 'one' })).rejects.toMatchObject({
      code: 'FLOWSTONE_IO_VALUE_NOT_FOUND',
    });
  });

  it('that is gone holds no value, and leaves nothing to delete', async () => {
    const store = make('gone');
    const table = `${schema}.gone`;
    store.options = { table, columns: { a: 'integer' } };
    const stream = async function* () {
      yield* [{ a: 1 }];
    };
    const array = await store.store([{ a: 1 }], { partition: 'array' });
    const streamed = await store.store(stream(), { partition: 'stream' });
    const rows = await store.load<Rows<Row>>(streamed.location, { partition: 'stream' });
    await store.query(`DROP TABLE ${table}`);
    const gone = { code: 'FLOWSTONE_IO_VALUE_NOT_FOUND', message: expect.stringContaining(`table ${table} is gone`) };
    await expect(rows.toArray()).rejects.toMatchObject(gone);
    await expect(store.load(streamed.location, { partition: 'stream' })).rejects.toMatchObject(gone);
    await expect(store.load(array.location, { partition: 'array' })).rejects.toMatchObject(gone);
    const place = { ...store.place, partition: 'array', location: array.location };
    expect(await store.manager.exists(place)).toBe(false);
    await store.manager.delete(place);
    const slices = `${kind === 'another database' ? 'elsewhere' : 'flowstone'}.value_slices`;
    expect(await store.query(`SELECT partition FROM ${slices} WHERE table_name = '${table}'`)).toEqual([['stream']]);
  });

  it('is told of as altered where it lacks a column, or has it with another type', async () => {
    const store = make('altered');
    const table = `${schema}.altered`;
    const options = { table, columns: { a: 'integer', b: 'integer' }, partitionColumn: { name: 'p', type: 'integer' } };
    store.options = options;
    const of = { partition: '1' };
    const { location } = await store.store([{ a: 1, b: 2 }], of);
    const place = { ...store.place, ...of, location };
    const altered = (code: string, why: string) => ({ code, message: expect.stringContaining(`altered ${why}`) });
    const corrupt = (why: string) => altered('FLOWSTONE_IO_VALUE_CORRUPT', `since it was stored (${why}`);

    await store.query(`ALTER TABLE ${table} DROP COLUMN b`);
    await expect(store.load(location, of)).rejects.toMatchObject(corrupt('column "b" does not exist'));
    expect(await store.load(location, { ...of, columns: ['a'] })).toEqual([{ a: 1 }]);
    await expect(store.store([{ a: 1, b: 3 }], of)).rejects.toMatchObject({ code: 'FLOWSTONE_IO_FAILED' });
    const unfit = { code: 'FLOWSTONE_IO_TABLE_UNFIT', message: expect.stringContaining('it has no column b') };
    await expect(store.store([{ a: 1, b: 3 }], of)).rejects.toMatchObject(unfit);

    await store.query(`ALTER TABLE ${table} ALTER p TYPE text`);
    await expect(store.load(location, { ...of, columns: ['a'] })).rejects.toMatchObject(corrupt('operator does not'));
    const inseparable = altered('FLOWSTONE_IO_TABLE_UNFIT', '(operator does not exist: text = integer)');
    await expect(store.manager.delete(place)).rejects.toMatchObject(inseparable);
    expect(await store.manager.exists(place)).toBe(true);
    await store.query(`ALTER TABLE ${table} ALTER p TYPE integer USING p::integer`);
    store.options = { ...options, columns: { a: 'integer' } };
    await store.store([{ a: 3 }], of);
    // Of one that has been replaced, another error is the reason.
    await expect(store.load(location, of)).rejects.toMatchObject({ code: 'FLOWSTONE_IO_VALUE_MOVED' });
  });

  it.each([['_row'], ['key']])('is not read as whole where rows came or went (by %s)', async (by) => {
    const store = make('changed');
    const table = `${schema}.changed_${by}`;
    store.options = { table, columns: { a: 'integer' }, ...(by === 'key' && { key: ['a'] }) };
    const rows = [1, 2, 3].map((a) => ({ a }));
    const stream = async function* () {
      yield* rows;
    };
    const corrupt = (found: number) => ({
      code: 'FLOWSTONE_IO_VALUE_CORRUPT',
      message: expect.stringContaining(`${found} of its rows are in ${table} where 3 were stored`),
    });
    const [array, streamed] = [await store.store(rows), await store.store(stream())];
    const read = await store.load<Rows<Row>>(streamed.location);
    await store.query(`DELETE FROM ${table} WHERE a = 2`);
    await expect(read.toArray()).rejects.toMatchObject(corrupt(2));
    await expect(store.load(array.location)).rejects.toMatchObject({ code: 'FLOWSTONE_IO_VALUE_MOVED' });
    expect(await read.slice(0, 1).toArray()).toEqual([{ a: 1 }]);
    const again = await store.store(rows);
    await store.query(`INSERT INTO ${table} VALUES (7, 7)`.replace('7, 7', by === 'key' ? '7' : '7, 7'));
    await expect(store.load(again.location)).rejects.toMatchObject(corrupt(4));
  });

  it.each([
    ['CREATE INDEX', '(partition text, id integer PRIMARY KEY)', /CREATE INDEX ON ".*"\."\w+" \("partition", "id"\)/],
    [
      'NOT NULL',
      '(partition text NOT NULL, id integer, _row integer, UNIQUE (partition, _row))',
      /_row .* may be null/,
    ],
    ['UNIQUE', '(partition text, id integer, _row integer NOT NULL)', /index on not null columns \(partition, _row\)/],
    ['UNIQUE', '(partition text, id integer, _row integer, PRIMARY KEY (id, _row))', /\(partition, _row\)/],
  ])('has to have what makes reading sure and fast: %s for %s', async (_what, columns, message) => {
    const store = make('slow');
    store.options = { table: `${schema}.slow` };
    await store.query(`CREATE SCHEMA IF NOT EXISTS ${schema}`);
    await store.query(`DROP TABLE IF EXISTS ${schema}.slow`);
    await store.query(`CREATE TABLE ${schema}.slow ${columns}`);
    await expect(store.store([{ id: 1 }], { partition: 'a' })).rejects.toMatchObject({
      code: 'FLOWSTONE_IO_TABLE_UNFIT',
      message: expect.stringMatching(message),
    });
  });

  it('is taken once it has the index that the message tells', async () => {
    const store = make('indexed');
    store.options = { table: `${schema}.indexed` };
    await store.query(`CREATE SCHEMA IF NOT EXISTS ${schema}`);
    await store.query(`CREATE TABLE ${schema}.indexed (partition text, id integer PRIMARY KEY)`);
    const { message } = (await store.store([], { partition: 'a' }).catch((error: unknown) => error)) as Error;
    await store.query(/CREATE INDEX [^.]*\.[^.]*/.exec(message)![0]);
    const { location } = await store.store([{ id: 1 }], { partition: 'a' });
    expect(await store.load(location, { partition: 'a' })).toEqual([{ id: 1 }]);
  });

  it('is read by that of its unique indexes that fits the partition', async () => {
    const store = make('indexes');
    store.options = { table: `${schema}.indexes` };
    await store.query(`CREATE SCHEMA IF NOT EXISTS ${schema}`);
    await store.query(
      `CREATE TABLE ${schema}.indexes (serial serial PRIMARY KEY, code text NOT NULL, name text NOT NULL, partition text NOT NULL,
         UNIQUE (code, partition), UNIQUE (partition, name))`,
    );
    const rows = [
      { code: 'x', name: 'b' },
      { code: 'y', name: 'a' },
    ];
    const { location } = await store.store(rows, { partition: 'p' });
    expect(await store.load(location, { partition: 'p' })).toEqual(rows.toReversed());
  });

  it('may not have a column __proto__ that rows would fill', async () => {
    const store = make('proto');
    store.options = { table: `${schema}.proto` };
    await store.query(`CREATE SCHEMA IF NOT EXISTS ${schema}`);
    await store.query(`CREATE TABLE ${schema}.proto (id integer PRIMARY KEY, __proto__ text)`);
    const unfit = { code: 'FLOWSTONE_IO_TABLE_UNFIT', message: expect.stringContaining('a column __proto__') };
    await expect(store.store([{ id: 1 }])).rejects.toMatchObject(unfit);
    store.options = { table: `${schema}.proto`, columns: { id: 'integer' }, key: ['id'] };
    expect(await store.back([{ id: 1 }])).toEqual([{ id: 1 }]);
  });

  it('keeps rows that no asset stored, unless the asset may adopt them', async () => {
    const store = make('adopted');
    const table = `${schema}.adopted`;
    const columns = { n: 'integer' };
    await store.query(`CREATE SCHEMA IF NOT EXISTS ${schema}`);
    await store.query(`CREATE TABLE ${table} (partition text, n integer, PRIMARY KEY (partition, n))`);
    await store.query(`INSERT INTO ${table} VALUES ('theirs', 1)`);
    store.options = { table, columns };
    const refused = {
      code: 'FLOWSTONE_IO_TABLE_UNFIT',
      message: expect.stringMatching(/adopted holds rows of partition theirs .* adopt: true/),
    };
    await expect(store.store([{ n: 2 }], { partition: 'theirs' })).rejects.toMatchObject(refused);
    // Not the second time either: nothing is left of the first attempt.
    await expect(store.store([{ n: 2 }], { partition: 'theirs' })).rejects.toMatchObject(refused);
    await store.store([{ n: 3 }], { partition: 'ours' });
    const { location } = await store.store([{ n: 4 }], { partition: 'ours' });
    await store.manager.delete({ ...store.place, partition: 'ours', location });
    await store.store([{ n: 5 }], { partition: 'ours' });
    const whole = make('whole');
    whole.options = { table: `${schema}.whole`, columns };
    await whole.query(`CREATE TABLE ${schema}.whole (n integer PRIMARY KEY)`);
    await whole.query(`INSERT INTO ${schema}.whole VALUES (1)`);
    await expect(whole.store([{ n: 2 }])).rejects.toMatchObject({ code: 'FLOWSTONE_IO_TABLE_UNFIT' });

    store.options = { table, columns, adopt: true };
    const adopted = await store.store([{ n: 2 }], { partition: 'theirs' });
    expect(await store.load(adopted.location, { partition: 'theirs' })).toEqual([{ n: 2 }]);
  });
});
