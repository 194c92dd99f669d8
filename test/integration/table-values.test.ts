// Table mode beyond the suite: every type there and back, random rows, hostile names and keys, locks, readers, memory.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { FlowStoneError } from '../../lib/flowstone.errors.js';
import { dataVersionOf } from '../../lib/io/data-version.js';
import type { Rows } from '../../lib/io/rows.js';
import { Partitions } from '../../lib/partitions/partitions.js';
import { errorRecord } from '../../lib/runs/failure.js';
import { valueStores, type Row, type Store } from './value-stores.js';

const TYPES = {
  ...{ t: 'text', v: 'varchar(10)', s: 'smallint', i: 'integer', b: 'bigint', r: 'real', d: 'double precision' },
  ...{ n: 'numeric', m: 'numeric(8,3)', o: 'boolean', z: 'timestamptz', w: 'timestamp', y: 'date', u: 'uuid' },
  ...{
    x: 'bytea',
    j: 'jsonb',
    k: 'json',
    ta: 'text[]',
    ia: 'integer[]',
    za: 'timestamptz[]',
    na: 'numeric[]',
    ba: 'bigint[]',
  },
};

const stores = valueStores();

const text = fc.string({ unit: 'binary', maxLength: 12 }).filter((each) => !/[\0\p{Surrogate}]/u.test(each));
const awkward = fc.constantFrom('', '\\N', '\\.', 'NULL', '\t\n\r\\', '"{},', "'; DROP TABLE x; --", '$date:x', '💧é');
const anyText = fc.oneof(text, awkward);
const moment = fc.oneof(
  fc.date({ noInvalidDate: true, min: new Date(-210_866_803_200_000) }),
  fc.constantFrom(
    new Date(0),
    new Date(-1),
    new Date(8.64e15),
    new Date(-62_135_596_800_001),
    new Date(-210_866_803_200_000),
  ),
);
const decimal = fc
  .tuple(fc.boolean(), fc.bigInt({ min: 0n, max: 10n ** 40n }), fc.option(fc.stringMatching(/^\d{1,12}$/)))
  .map(([minus, before, decimals]) => `${minus ? '-' : ''}${before}${decimals === null ? '' : `.${decimals}`}`)
  .filter((each) => !/^-[0.]+$/.test(each));
/** JSON has no minus zero, and no value may have a property of that name. */
const json = fc
  .jsonValue()
  .map((value) => JSON.parse(JSON.stringify(value)) as unknown)
  .filter((value) => !JSON.stringify(value).includes('__proto__'));
const anyRow = fc.record(
  {
    ...{
      t: anyText,
      v: fc.string({ unit: 'grapheme-ascii', maxLength: 10 }),
      s: fc.integer({ min: -32_768, max: 32_767 }),
    },
    ...{
      i: fc.integer(),
      b: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      r: fc.float({ noNaN: true, noDefaultInfinity: true }),
    },
    ...{
      d: fc.double({ noNaN: true, noDefaultInfinity: true }),
      n: decimal,
      m: fc.constantFrom('0.000', '-99999.999', '0.010', '12345.678'),
    },
    ...{ o: fc.boolean(), z: moment, w: moment, u: fc.uuid(), x: fc.uint8Array({ maxLength: 20 }) },
    y: fc
      .date({ noInvalidDate: true, min: new Date('0001-01-01'), max: new Date('9999-12-31') })
      .map((date) => date.toISOString().slice(0, 10)),
    ...{ j: fc.oneof(json, anyText, fc.constant({ a: 1n, '\0': ['\u0001', '\\u0000', new Date(5)] })), k: json },
    ...{ ta: fc.array(fc.option(anyText), { maxLength: 4 }), ia: fc.array(fc.option(fc.integer()), { maxLength: 4 }) },
    ...{
      za: fc.array(moment, { maxLength: 3 }),
      na: fc.array(decimal, { maxLength: 3 }),
      ba: fc.array(fc.option(fc.bigInt({ min: -5n, max: 5n })), { maxLength: 3 }),
    },
  },
  { requiredKeys: [] },
);

/** As a row comes back: every column is there. */
function whole(row: Row): Row {
  return Object.fromEntries(Object.keys(TYPES).map((name) => [name, row[name] === undefined ? null : row[name]]));
}

describe.each(stores.kinds)('rows in a table (%s)', (kind, make) => {
  const own = kind.replaceAll(' ', '_').toLowerCase();

  it('come back as they were, whatever they hold', async () => {
    const store = make('anything');
    store.options = { table: `${own}.anything`, columns: TYPES };
    await fc.assert(
      fc.asyncProperty(fc.array(anyRow, { maxLength: 30 }), async (rows) => {
        expect(await store.back(rows)).toEqual(rows.map(whole));
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    ['t', ['a\0b', 1, {}]],
    ['v', ['12345678901', '💧'.repeat(11)]],
    ['s', [32_768, -32_769, 1.5, '1', 1n]],
    ['i', [2 ** 31, 0.1, '1', true]],
    ['b', [2n ** 63n, -(2n ** 63n) - 1n, 1, '1']],
    ['r', [0.1, 1e39, '1']],
    ['d', ['1', 1n]],
    ['n', ['1e3', '01', '+1', '-0', '-0.00', '.5', '1.', ' 1', 'NaN', 1, '']],
    ['m', ['1', '1.00', '1.0000', '100000.000']],
    ['o', ['t', 1]],
    ['z', ['2001-01-01T00:00:00Z', 5, new Date(-210_866_803_200_001)]],
    ['y', ['2001-02-29', '2001-1-1', '0000-01-01', '10000-01-01', new Date(0), '2001-01-01T00:00']],
    ['u', ['A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', 'a0eebc999c0b4ef8bb6d6bb9bd380a11', '']],
    ['x', ['\\x00', [1]]],
    ['ta', ['a', [1], [['a']], ['\0']]],
    ['ia', [[1.5], [2 ** 31], ['1']]],
  ])('refuse for column %s what would come back as another', async (column, values) => {
    const store = make('anything');
    store.options = { table: `${own}.anything`, columns: TYPES };
    for (const value of values) {
      await expect(store.store([{}, { [column]: value }])).rejects.toMatchObject({
        code: 'FLOWSTONE_IO_VALUE_UNSUPPORTED',
        message: expect.stringContaining(`[1].${column}`),
      });
    }
  });

  it('take no key and no value for SQL', async () => {
    const store = make('hostile');
    store.options = { table: `${own}.hostile`, columns: { t: 'text' }, key: ['t'] };
    const keys = [
      "'; DROP TABLE hostile; --",
      '$1',
      '\\',
      '"',
      'ä',
      '',
      ' ',
      '%',
      '{}',
      'NULL',
      '\\N',
      '\t',
      '\n\\.\n',
    ];
    const rows = keys.map((t) => ({ t }));
    const stored = new Map<string, Awaited<ReturnType<Store['store']>>>();
    for (const partition of keys) stored.set(partition, await store.store(rows, { partition }));
    await store.manager.delete({ ...store.place, partition: '%', location: stored.get('%')!.location });
    for (const partition of keys.filter((key) => key !== '%')) {
      const found = await store.load(stored.get(partition)!.location, { partition });
      expect(new Set(found.map(({ t }) => t))).toEqual(new Set(keys));
    }
    await expect(store.load(stored.get('%')!.location, { partition: '%' })).rejects.toMatchObject({
      code: 'FLOWSTONE_IO_VALUE_NOT_FOUND',
    });
  });

  it('are read page by page, in part, and only while they are those that were asked for', async () => {
    const store = make('pages');
    for (const key of [undefined, ['a', 'b']]) {
      store.options = {
        table: `${own}.pages_${key ? 'key' : 'row'}`,
        columns: { a: 'text', b: 'integer', c: 'text' },
        ...(key && { key }),
      };
      const stream = async function* () {
        for (let n = 0; n < 12_345; n++)
          yield { a: `k${String(Math.floor(n / 1000)).padStart(3, '0')}`, b: n % 1000, c: 'x'.repeat(n % 50) };
      };
      const { location } = await store.store(stream());
      const rows = await store.load<Rows<Row>>(location, { columns: ['b', 'a'] });
      const all = await rows.toArray();
      expect(all).toHaveLength(12_345);
      expect(all[12_344]).toEqual({ a: 'k012', b: 344 });
      expect(await rows.slice(7001, 7003).toArray()).toEqual([
        { a: 'k007', b: 1 },
        { a: 'k007', b: 2 },
      ]);
      let moved = 0;
      const reading = await store.load<Rows<Row>>(location, { moved: () => moved++ });
      const iterator = reading[Symbol.asyncIterator]();
      await iterator.next();
      await store.store([{ a: 'new', b: 1 }]);
      const rest = async () => {
        for (let next = await iterator.next(); !next.done; next = await iterator.next());
      };
      await expect(rest()).rejects.toMatchObject({ code: 'FLOWSTONE_IO_VALUE_MOVED' });
      expect(moved).toBe(1);
      await expect(store.load(location)).rejects.toMatchObject({ code: 'FLOWSTONE_IO_VALUE_MOVED' });
    }
  });

  it('of a window of time are told apart by its start', async () => {
    const store = make('windows');
    const scheme = Partitions.hourly({ start: '0001-01-01' });
    store.options = { table: `${own}.windows`, columns: { n: 'integer' } };
    const starts = ['2001-01-01T05:00:00.000Z', '0001-01-01T00:00:00.000Z', '0000-12-31T23:00:00.000Z'];
    for (const partition of starts) {
      const start = new Date(partition);
      const window = { start, end: new Date(start.getTime() + 3_600_000) };
      const slice = () => ({ scheme, window });
      const { location } = await store.store([{ n: 1, partition: start }], { partition, slice });
      expect(await store.load(location, { partition })).toEqual([{ n: 1 }]);
    }
    const utc = `to_char(partition AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI BC')`;
    const found = await store.query(`SELECT ${utc} FROM ${own}.windows ORDER BY partition`);
    expect(found.flat()).toEqual(['0001-12-31 23:00 BC', '0001-01-01 00:00 AD', '2001-01-01 05:00 AD']);
  });

  it('of attempts that store at once are those of one of them', async () => {
    const store = make('race');
    store.options = { table: `${own}.race`, columns: { attempt: 'integer' } };
    const attempts = Array.from({ length: 8 }, (_, attempt) => attempt);
    const stored = await Promise.all(
      attempts.map((attempt) => store.store(Array.from({ length: 500 }, () => ({ attempt })))),
    );
    const found = await Promise.allSettled(stored.map(({ location }) => store.load(location)));
    const winners = found.flatMap((result, attempt) =>
      result.status === 'fulfilled' ? [{ attempt, rows: result.value }] : [],
    );
    expect(winners).toHaveLength(1);
    expect(winners[0]!.rows).toEqual(Array.from({ length: 500 }, () => ({ attempt: winners[0]!.attempt })));
  });

  it('that are not taken are told of as what they are, and without what is in them', async () => {
    const store = make('refused');
    const table = `${own}.refused`;
    store.options = { table, columns: { a: 'text', b: 'text' } };
    const { location } = await store.store([{ a: 'first', b: '' }]);
    await store.query(`ALTER TABLE ${table} ADD CONSTRAINT mild CHECK (a <> 'harsh')`);
    await store.query(`CREATE OR REPLACE FUNCTION ${own}.raise() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN IF new.b <> '' THEN RAISE EXCEPTION 'no' USING ERRCODE = new.b; END IF; RETURN new; END $$`);
    await store.query(`CREATE TRIGGER raising BEFORE INSERT ON ${table} FOR EACH ROW EXECUTE FUNCTION ${own}.raise()`);
    const refusalOf = (a: string, b: string) =>
      store.store([{ a, b }]).then(
        () => undefined,
        (error: FlowStoneError) => errorRecord(error),
      );
    const refused = await refusalOf('harsh', '');
    expect(refused).toMatchObject({
      code: 'FLOWSTONE_IO_VALUE_REFUSED',
      message: expect.stringContaining('(table refused, constraint mild)'),
      context: { asset: 'refused', partition: null, state: '23514', table: 'refused', constraint: 'mild' },
    });
    expect(JSON.stringify(refused)).not.toContain('harsh');
    expect(await refusalOf('a', 'P0001')).toMatchObject({ code: 'FLOWSTONE_IO_VALUE_REFUSED' });
    for (const state of ['42501', '0A000', 'XX000', '57014', '53100', '53200', '53400'])
      expect(await refusalOf('a', state)).toMatchObject({ code: 'FLOWSTONE_IO_FAILED', family: 'infrastructure' });
    const thrown = new Error('of the rows');
    const rows = async function* () {
      yield { a: 'x'.repeat(9_000_000), b: '' };
      throw thrown;
    };
    await expect(store.store(rows())).rejects.toBe(thrown);
    expect(await store.load(location)).toEqual([{ a: 'first', b: '' }]);
  });

  it('in memory are encoded while they are copied: one that is wrong undoes all before it, and is told with its place', async () => {
    const store = make('wrong');
    store.options = { table: `${own}.wrong`, columns: { a: 'integer', b: 'text' } };
    const { location } = await store.store([{ a: 1, b: 'first' }]);
    const rows = Array.from({ length: 20_000 }, (_, a) => ({ a, b: 'x'.repeat(1000) }));
    const storing = (last: Row) => store.store([...rows, last]).catch((error: unknown) => error);
    expect(await storing({ a: 'no number', b: null })).toMatchObject({
      code: 'FLOWSTONE_IO_VALUE_UNSUPPORTED',
      message: expect.stringMatching(/^the value of wrong: .*20000.*"no number"/),
    });
    // Not even one that looks like an outage is one of the database.
    const outage = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
    const throwing = {
      get a(): number {
        throw outage;
      },
    };
    const thrown = await storing(throwing);
    if (kind === 'PGlite') expect(thrown).toBe(outage);
    else
      expect(thrown).toMatchObject({
        code: 'FLOWSTONE_IO_FAILED',
        message: expect.stringContaining('row 20000 cannot be read: Error: read ECONNRESET'),
        cause: outage,
      });
    expect(await store.load(location)).toEqual([{ a: 1, b: 'first' }]);
    const stored = await store.store(rows);
    expect(stored).toMatchObject({ rows: 20_000, hash: dataVersionOf(rows).hash });
    expect(await store.load(stored.location)).toEqual(rows);
  });

  it('in memory are encoded before they are written only where everybody would wait for that', async () => {
    const store = make('when');
    if (!store.values) return;
    store.options = { table: `${own}.encoded_when`, columns: { a: 'integer' } };
    let read = 0;
    const row = {
      get a() {
        return ++read;
      },
    };
    const context = { ...store.place, materialization: 2e6, epoch: 1, signal: new AbortController().signal };
    const unwritten = await store.manager.store(context, [row]);
    expect(read > 0).toBe(kind === 'PGlite');
    if (!('write' in unwritten)) throw new Error('it is written');
    const { location } = await store.values.transaction((sql) => unwritten.write(sql));
    await unwritten.release();
    expect(await store.load(location)).toEqual([{ a: expect.any(Number) }]);
  });

  it('are copied no further once whoever stores them is told to stop', async () => {
    const store = make('stopped');
    store.options = { table: `${own}.stopped`, columns: { a: 'integer', b: 'text' } };
    const { location } = await store.store([{ a: 1, b: 'first' }]);
    const reason = new Error('shutdown');
    const stopping = new AbortController();
    let read = 0;
    const rows = Array.from({ length: 30_000 }, (_, a) => ({
      get a() {
        if (a === 5000) stopping.abort(reason);
        read = a;
        return a;
      },
      b: 'x'.repeat(1000),
    }));
    await expect(store.store(rows, { signal: stopping.signal })).rejects.toBe(reason);
    expect(read).toBeLessThan(6000);
    expect(await store.load(location)).toEqual([{ a: 1, b: 'first' }]);
    if (!store.values) return;
    const stream = async function* () {
      for (const { b } of rows) yield { a: 0, b };
    };
    for (const options of [store.options, {}]) {
      let copies = 0;
      const waiting = new AbortController();
      const context = { ...store.place, options, materialization: 1e6, epoch: 1, signal: waiting.signal };
      const unwritten = await store.manager.store(context, stream());
      if (!('write' in unwritten)) throw new Error('it is written');
      const writing = store.values.transaction((sql) => {
        const copy = async (...copied: Parameters<typeof sql.copy>) => {
          if (++copies === 2) waiting.abort(reason);
          return sql.copy(...copied);
        };
        return unwritten.write({ ...sql, copy });
      });
      await expect(writing).rejects.toBe(reason);
      expect(copies).toBe(2);
      await unwritten.release();
    }
  });

  it('come to new tables of a new schema at the same time', async () => {
    for (let round = 0; round < 5; round++) {
      const stored = Array.from({ length: 6 }, async (_, index) => {
        const store = make(`new_${round}_${index}`);
        store.options = { table: `${own}_new_${round}.${store.asset}`, columns: { a: 'integer' } };
        expect(await store.back([{ a: round }])).toEqual([{ a: round }]);
      });
      await Promise.all(stored);
    }
  });

  it('are refused for good in a table that no database can make', async () => {
    const store = make('unmade');
    for (const [columns, why] of [
      [{ tableoid: 'integer' }, /refuses table .*unmade.*system column/],
      [
        Object.fromEntries(Array.from({ length: 1700 }, (_, n) => [`c${n}`, 'integer'])),
        /refuses table .*1600 columns/,
      ],
    ] as const) {
      store.options = { table: `${own}.unmade`, columns };
      await expect(store.store([{}])).rejects.toMatchObject({
        code: 'FLOWSTONE_IO_TABLE_UNFIT',
        message: expect.stringMatching(why),
      });
    }
  });

  it('of another asset are left alone, but for one that had the key before', async () => {
    const store = make('owner');
    store.options = { table: `${own}.owned`, columns: { a: 'integer' } };
    await store.store([{ a: 1 }]);
    const other = make('other');
    other.options = { ...store.options };
    await expect(other.store([{ a: 2 }])).rejects.toMatchObject({
      code: 'FLOWSTONE_IO_TABLE_UNFIT',
      message: expect.stringContaining('rows of asset owner'),
    });
    other.options = { ...store.options };
    const { location } = await other.store([{ a: 2 }], { formerly: ['owner'] });
    expect(await other.load(location)).toEqual([{ a: 2 }]);
  });
});
