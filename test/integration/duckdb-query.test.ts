// SQL over rows that are stored as Parquet: what it sees, what it gives, what it refuses.
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { query, type QueryInput, type QueryOptions } from '../../lib/duckdb/index.js';
import type { ParquetSchema } from '../../lib/io/formats/parquet/parquet.schema.js';
import { rowsOf } from '../../lib/io/rows.js';
import { StoredRows } from './stored-rows.js';

let stored: StoredRows;
/** 30,000 of `numbers`. */
let orders: QueryInput;
beforeAll(async () => {
  stored = await StoredRows.open("o'd[d]*?{a}");
  orders = await stored.of(numbers(30_000));
});
afterAll(() => stored.close());

const FAILED = { code: 'FLOWSTONE_QUERY_FAILED', retryable: false };
const UNFIT = { code: 'FLOWSTONE_QUERY_INPUT_UNFIT', family: 'declaration' };

/** Takes hours. */
const LONG = 'SELECT sum(a.half * b.half) AS s FROM orders a, orders b, orders c';

/** What is left of queries. */
const temporary = async () =>
  (await readdir(tmpdir())).filter((name) => name.startsWith(`flowstone-duckdb-${process.pid}-`));

async function* numbers(count: number) {
  for (let id = 0; id < count; id++) yield { id: BigInt(id), name: `n${id % 10}`, half: id / 2 };
}

const ask = (inputs: Readonly<Record<string, QueryInput>>, sql: string, options?: QueryOptions) =>
  query(inputs, sql, options).toArray();

/** One column of one row. */
const value = async (sql: string, options?: QueryOptions) =>
  (await ask({}, `SELECT ${sql} AS value`, options))[0]!['value'];

describe('a query', () => {
  it('gives of every type what our reader gives', async () => {
    const schema: ParquetSchema = {
      ...{ ok: 'boolean', small: 'int32', big: 'int64', ratio: 'double', text: 'string', day: 'date', at: 'timestamp' },
      ...{
        extra: 'json',
        raw: 'bytes',
        tags: { list: 'string' },
        times: { list: 'timestamp' },
        days: { list: 'date' },
      },
      ...{ bigs: { list: 'int64' }, blobs: { list: 'bytes' }, extras: { list: 'json' } },
      'Ünï "x".y': { type: 'int32', nullable: false },
    };
    const rows = await stored.of(
      [
        {
          ...{
            ok: true,
            small: -(2 ** 31),
            big: -(2n ** 63n),
            ratio: 5e-324,
            text: 'Zürich 💧\n\0$date:',
            day: '0001-01-01',
          },
          ...{
            at: new Date('1969-12-31T23:59:59.999Z'),
            extra: { a: [1, 'x', null], big: 5n },
            raw: Uint8Array.of(0, 255),
          },
          ...{
            tags: ['a', null, ''],
            times: [new Date(1), null],
            days: ['2024-02-29'],
            bigs: [2n ** 62n],
            'Ünï "x".y': 1,
          },
          ...{ blobs: [Uint8Array.of(1)], extras: [{ a: 1 }, null, 'x', 3] },
        },
        {
          ...{ ok: false, small: 2 ** 31 - 1, big: 2n ** 63n - 1n, ratio: -1.5, text: '', day: '9999-12-31' },
          ...{ at: new Date(8.64e15), extra: 'text', raw: Buffer.alloc(5000, 7), tags: [], 'Ünï "x".y': 2 },
        },
        { 'Ünï "x".y': 3, at: new Date(-8.64e15) },
      ],
      { schema },
    );
    expect(await ask({ rows }, 'FROM rows')).toEqual(await rows.toArray());
  });

  it.each([
    ['1.50::DECIMAL(10,2)', '1.50'],
    ['sum(i)', 3n, 'FROM range(3) t(i)'],
    ['avg(i)', 1, 'FROM range(3) t(i)'],
    ["'a'::ENUM('a', 'b')", 'a'],
    ["'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'::UUID", 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
    [
      "{ n: 1::BIGINT, d: DATE '2001-02-03', l: [1, NULL], o: NULL::DATE }",
      { n: 1n, d: '2001-02-03', l: [1, null], o: null },
    ],
    ['[1, 2]::INTEGER[2]', [1, 2]],
    ['to_json({ a: 1 })', { a: 1 }],
    ["TIMESTAMP '1969-12-31 23:59:59.999999'", new Date(-1)],
    ["TIMESTAMP_S '2001-02-03 04:05:06'", new Date('2001-02-03T04:05:06Z')],
    ["TIMESTAMP_MS '2001-02-03 04:05:06.007'", new Date('2001-02-03T04:05:06.007Z')],
    ["TIMESTAMP_NS '2001-02-03 04:05:06.007008009'", new Date('2001-02-03T04:05:06.007Z')],
    ["TIMESTAMPTZ '2001-02-03 04:05:06+01'::DATE", '2001-02-03'],
    ["date_trunc('day', TIMESTAMPTZ '2001-02-03 04:05:06')", new Date('2001-02-03')],
    ['NULL', null],
  ])('gives of %s %p', async (sql, expected, from = '') => {
    expect(await ask({}, `SELECT ${sql} AS value ${from}`)).toEqual([{ value: expected }]);
  });

  it.each([
    ['MAP { 1: 2 }', 'gives MAP(INTEGER, INTEGER) in column "value", for which there is no value'],
    ["TIME '10:00'", 'gives TIME in column "value"'],
    ["{ a: INTERVAL '1 day' }", 'gives INTERVAL in column "value.a"'],
    ["DATE '10000-01-01'", 'not in the years 1 to 9999'],
    ["'infinity'::TIMESTAMP", 'a time that no Date can be'],
    ['{ "__proto__": 1 }', 'gives a property __proto__'],
    ['1 AS value, 2', 'gives two columns "value"'],
    ['1 AS "__proto__", 2', 'gives a column __proto__'],
    ['no_such_function(1)', 'no_such_function'],
    ["error('this is ' || 'told')", 'this is told'],
  ])('refuses %s', async (sql, message) => {
    await expect(value(sql)).rejects.toMatchObject({ ...FAILED, message: expect.stringContaining(message) });
  });

  it.each([
    ['SELEC 1', 'the query failed: Parser Error'],
    ['SELECT * FROM nowhere', 'Table with name nowhere does not exist'],
    ['SELECT 1; SELECT 2', 'has 2 statements'],
    ['PIVOT orders ON name USING count(*)', 'PIVOT is two'],
    ['CREATE TABLE x (i INTEGER)', 'is no SELECT'],
    ["COPY (SELECT 1) TO '/tmp/x.parquet'", 'Permission Error'],
    ["SET memory_limit = '1TB'", 'is no SELECT'],
    ["FROM read_text('/etc/passwd')", 'Permission Error'],
    ["FROM glob('/*')", 'Permission Error'],
    ["FROM 'https://example.org/x.parquet'", 'Permission Error'],
    ['SELECT CAST(name AS INTEGER) FROM orders', "Could not convert string 'n"],
    ["SELECT CASE WHEN id < 29_999 THEN 1 ELSE error('late') END AS a FROM orders, range(10)", 'late'],
  ])('that says %s is told why not', async (sql, message) => {
    await expect(ask({ orders }, sql)).rejects.toMatchObject({ ...FAILED, message: expect.stringContaining(message) });
    expect(await temporary()).toEqual([]);
  });

  it('takes parameters, in their order or by name', async () => {
    const sql = 'SELECT id FROM orders WHERE id > ? AND list_contains(?, name) ORDER BY id LIMIT ?';
    expect(await ask({ orders }, sql, { parameters: [40, ['n1', 'n2', null], 2] })).toEqual([{ id: 41n }, { id: 42n }]);
    const named =
      'SELECT $text AS text, $at AS at, $raw AS raw, $whole AS whole, $half AS half, $huge AS huge, $none AS none, $list AS list, $flag AS flag, $empty AS empty';
    const parameters = {
      ...{ text: "x'); DROP", at: new Date(5), raw: Uint8Array.of(1, 2), whole: 2 ** 40, half: 0.5, huge: 2n ** 100n },
      ...{ none: null, list: [1, 2.5], flag: true, empty: [] },
    };
    expect(await ask({}, named, { parameters })).toEqual([{ ...parameters, whole: 2n ** 40n }]);
  });

  it.each([
    [[undefined], 'has a parameter that is neither'],
    [[{}], 'has a parameter that is neither'],
    [[new Date(NaN)], 'has an invalid Date'],
    [[[1, 'a']], 'has a list of BIGINT and VARCHAR'],
    [[], 'Values were not provided'],
    [[1, 2], 'has no parameter $2'],
    [{ other: 1 }, 'has no parameter $other'],
  ])('refuses the parameters %p', async (parameters, message) => {
    await expect(value('?', { parameters } as QueryOptions)).rejects.toMatchObject({
      ...FAILED,
      message: expect.stringContaining(message),
    });
  });

  it('gives rows in the order it says, as often as they are read, and slices of them', async () => {
    const rows = query<{ id: bigint }>({ orders }, 'SELECT id FROM orders ORDER BY id DESC');
    const all = await rows.toArray();
    expect(all).toEqual(Array.from({ length: 30_000 }, (_, index) => ({ id: BigInt(29_999 - index) })));
    expect(await rows.slice(4000, 7000).slice(1).toArray()).toEqual(all.slice(4001, 7000));
    expect(await rows.slice(29_999).toArray()).toEqual([{ id: 0n }]);
    expect(await rows.slice(40_000).toArray()).toEqual([]);
  });

  it('ends at once where its reader stops, and leaves nothing', async () => {
    const threads = async () => (await readdir('/proc/self/task')).length;
    const before = process.platform === 'linux' ? await threads() : 0;
    for await (const { id } of query<{ id: bigint }>({ orders }, 'FROM orders')) if (id === 1500n) break;
    expect(await temporary()).toEqual([]);
    // Of Parquet there is one more.
    if (process.platform === 'linux') expect(await threads()).toBeLessThanOrEqual(before + 1);
  });

  it.each(['while it computes', 'while its rows are read', 'before'])('is ended by its signal %s', async (when) => {
    const controller = new AbortController();
    const { signal } = controller;
    const reason = new Error('enough');
    if (when === 'before') controller.abort(reason);
    const rows = query({ orders }, when === 'while it computes' ? LONG : 'FROM orders', { signal });
    if (when === 'while it computes') setTimeout(() => controller.abort(reason), 200);
    const begun = performance.now();
    const reading = (async () => {
      for await (const _ of rows) controller.abort(reason);
    })();
    await expect(reading).rejects.toBe(reason);
    expect(performance.now() - begun).toBeLessThan(5_000);
    expect(await temporary()).toEqual([]);
  });

  it('leaves threads for files, however many there are', async () => {
    const controller = new AbortController();
    const many = Array.from({ length: 6 }, () =>
      ask({ orders }, LONG, { signal: controller.signal }).catch(() => 'ended'),
    );
    setTimeout(() => controller.abort(), 1000);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect((await readFile(import.meta.filename)).length).toBeGreaterThan(0);
    expect(controller.signal.aborted).toBe(false);
    expect(await Promise.all(many)).toEqual(many.map(() => 'ended'));
  });

  it('writes to disk what does not fit into the memory it has', async () => {
    const sql = 'SELECT id, repeat(name, 50) AS text FROM orders, range(10) ORDER BY text, id';
    const rows = query<{ id: bigint; text: string }>({ orders }, sql, { memory: '32MB', threads: 1 });
    let count = 0;
    let last = '';
    for await (const { text } of rows) {
      count++;
      if (text < last) throw new Error('out of order');
      last = text;
    }
    expect(count).toBe(300_000);
    const tooMuch = ask({ orders }, 'SELECT list(id || name) AS l FROM orders, range(100)', { memory: '20MB' });
    await expect(tooMuch).rejects.toMatchObject({ ...FAILED, message: expect.stringContaining('Out of Memory') });
    await expect(value('1', { memory: 'much' })).rejects.toMatchObject(FAILED);
  });
});

describe('an input', () => {
  it('is a view of its name, whatever that is', async () => {
    const customers = await stored.of([{ id: 1n, 'say "hi"': 1 }]);
    const inputs = { 'select "x"; DROP': orders, Customers: customers };
    const sql = `SELECT id, "say ""hi""" FROM "select ""x""; DROP" JOIN customers USING (id)`;
    expect(await ask(inputs, sql)).toEqual([{ id: 1n, 'say "hi"': 1 }]);
  });

  it('may be of many partitions, whose columns may differ', async () => {
    const byDay = new Map([
      ['2001-01-01', await stored.of([{ a: 1, b: 'x' }])],
      ['2001-01-02', await stored.of([])],
      ['2001-01-03', await stored.of([{ b: 'y', c: 2n }])],
    ]);
    const partitioned = {
      keys: rowsOf([...byDay.keys()]),
      get: async (key: string) => byDay.get(key)!,
      async *[Symbol.asyncIterator]() {
        yield* byDay;
      },
    };
    const expected = [
      { a: 1, b: 'x', c: null },
      { a: null, b: 'y', c: 2n },
    ];
    expect(await ask({ days: byDay }, 'SELECT a, b, c FROM days ORDER BY b')).toEqual(expected);
    expect(await ask({ days: partitioned }, 'SELECT a, b, c FROM days ORDER BY b')).toEqual(expected);
  });

  it('is what is left of it by columns and slices', async () => {
    const location = await stored.store(numbers(60_000), { schema: 'infer' });
    const rows = (await stored.load(location, ['half', 'id'])).slice(30_000, 30_002);
    expect(await ask({ rows }, 'FROM rows')).toEqual(await rows.toArray());
    const halves = new Map([
      ['a', rows],
      ['b', (await stored.load(location, ['half', 'id'])).slice(59_999)],
    ]);
    expect(await ask({ halves }, 'SELECT id FROM halves ORDER BY id')).toEqual([
      { id: 30_000n },
      { id: 30_001n },
      { id: 59_999n },
    ]);
  });

  it('is that file and no other that its path stands for as a pattern', async () => {
    const location = await stored.store([{ a: 1 }], { schema: 'infer' });
    const path = stored.pathOf(location);
    const other = path.replace("o'd[d]*?{a}", "o'dd-?a");
    await mkdir(dirname(other), { recursive: true });
    await copyFile(path, other);
    expect(await ask({ rows: await stored.load(location) }, 'FROM rows')).toEqual([{ a: 1 }]);
  });

  it('is written by no query', async () => {
    const location = await stored.store([{ a: 1 }], { schema: 'infer' });
    const rows = await stored.load(location);
    const path = stored.pathOf(location).replaceAll("'", "''");
    await expect(ask({ rows }, `COPY (SELECT 2 AS a) TO '${path}'`)).rejects.toMatchObject({
      ...FAILED,
      message: expect.stringContaining('is no SELECT'),
    });
    expect(await ask({ rows }, 'FROM rows')).toEqual([{ a: 1 }]);
  });

  it('is checked by checksum before anything is read', async () => {
    const location = await stored.store(numbers(1000), { schema: 'infer', compression: 'none' });
    const path = stored.pathOf(location);
    const bytes = await readFile(path);
    bytes[200]! ^= 1;
    await writeFile(path, bytes);
    const rows = await stored.load(location);
    await expect(ask({ rows }, 'SELECT count(*) AS n FROM rows')).rejects.toMatchObject({
      code: 'FLOWSTONE_IO_VALUE_CORRUPT',
      message: expect.stringContaining('the value of orders cannot be used: the checksum of its bytes differs'),
    });
    await writeFile(path, bytes.subarray(1));
    await expect(ask({ rows }, 'FROM rows')).rejects.toMatchObject({ code: 'FLOWSTONE_IO_VALUE_CORRUPT' });
    expect(await temporary()).toEqual([]);
  });

  it.each<[string, () => Promise<unknown>, string]>([
    ['rows in memory', async () => rowsOf([{ a: 1 }]), 'is no rows of a stored value. Have its asset yield its rows'],
    ['an array', async () => [{ a: 1 }], 'is no rows of a stored value'],
    ['nothing', async () => undefined, 'is no rows of a stored value'],
    ['partitions that are arrays', async () => new Map([['a', [{ a: 1 }]]]), 'is no rows of a stored value'],
    ['without columns', async () => stored.of([]), 'has no columns'],
    ['without partitions', async () => new Map(), 'has no columns'],
    ['with columns that differ in case', async () => stored.of([{ a: 1, A: 2 }]), 'has columns "a" and "A"'],
  ])('that is %s is refused', async (_, input, message) => {
    const inputs = { orders: (await input()) as QueryInput };
    await expect(ask(inputs, 'FROM orders')).rejects.toMatchObject({
      ...UNFIT,
      message: expect.stringContaining(`the input "orders" ${message}`),
    });
  });
});
