import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { BlobStore, OpenBlob } from '../../../lib/io/blobs/blob-store.port.js';
import { FileStore } from '../../../lib/io/blobs/files/file.store.js';
import { dataVersionOf } from '../../../lib/io/data-version.js';
import type { ParquetSchema } from '../../../lib/io/formats/parquet/parquet.schema.js';
import type { LoadContext, StoredValue } from '../../../lib/io/io-manager.port.js';
import { ParquetIoManager } from '../../../lib/io/managers/parquet.io-manager.js';
import type { Rows } from '../../../lib/io/rows.js';

type Row = Readonly<Record<string, unknown>>;

const address = { namespace: 'default', asset: 'flights.daily', partition: '2001-03-04' };
let root: string;
let manager: ParquetIoManager;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'flowstone-parquet-'));
  manager = new ParquetIoManager({ store: new FileStore(root) });
});
afterAll(async () => {
  await manager.close();
  await rm(root, { recursive: true });
});

function store(value: unknown, schema: ParquetSchema | 'infer', more: LoadContext['options'] = {}) {
  const { signal } = new AbortController();
  return manager.store({ ...address, materialization: 12, epoch: 3, options: { schema, ...more }, signal }, value);
}
async function load({ location }: StoredValue, columns?: string[]): Promise<Rows<Row>> {
  return manager.load({ ...address, location, options: {}, ...(columns && { columns }) }) as Promise<Rows<Row>>;
}
const pathOf = ({ location }: StoredValue) => join(root, (location as { path: string }).path);
async function* numbered(count: number) {
  for (let id = 0; id < count; id++) yield { id, name: `row ${id}`, at: new Date(id) };
}
const NUMBERED: ParquetSchema = { id: 'int32', name: 'string', at: 'timestamp' };

describe('values as Parquet', () => {
  it('give null for what a row lacks, and have the data version of the rows', async () => {
    const rows = [{ a: 1 }, { b: ['x', null] }, { a: null, c: { d: 2n } }, {}];
    const stored = await store(rows, { a: 'double', b: { list: 'string' }, c: 'json' });
    expect(stored).toMatchObject({
      ...{ format: 'parquet', rows: 4, hash: dataVersionOf(rows).hash },
      schema: [
        { name: 'a', type: 'double', nullable: true },
        { name: 'b', type: 'list of string', nullable: true },
        { name: 'c', type: 'json', nullable: true },
      ],
    });
    expect(await load(stored)).toEqual([
      { a: 1, b: null, c: null },
      { a: null, b: ['x', null], c: null },
      { a: null, b: null, c: { d: 2n } },
      { a: null, b: null, c: null },
    ]);
  });

  it.each<[ParquetSchema, Row, string]>([
    [
      { a: 'int32' },
      { a: 1.5 },
      '$[1].a is the number 1.5, but a column of type int32 takes a whole number of 32 bits, and cannot be stored.',
    ],
    [{ a: 'int32' }, { a: 2 ** 31 }, '$[1].a is the number 2147483648'],
    [{ a: 'int64' }, { a: 1 }, '$[1].a is the number 1, but a column of type int64 takes a bigint of 64 bits'],
    [{ a: 'int64' }, { a: 2n ** 63n }, '$[1].a is the bigint 9223372036854775808'],
    [{ a: 'double' }, { a: 1n }, '$[1].a is the bigint 1'],
    [{ a: 'double' }, { a: '1' }, '$[1].a is the string "1"'],
    [{ a: 'double' }, { a: Number.NaN }, '$[1].a is NaN'],
    [{ a: 'string' }, { a: new Date(0) }, '$[1].a is of kind Date'],
    [{ a: 'string' }, { a: 'x\ud800' }, '$[1].a is a string with half a surrogate pair'],
    [{ a: 'boolean' }, { a: 0 }, '$[1].a is the number 0'],
    [
      { a: 'date' },
      { a: '2001-02-29' },
      '$[1].a is the string "2001-02-29", but a column of type date takes a string YYYY-MM-DD',
    ],
    [{ a: 'date' }, { a: new Date(0) }, '$[1].a is of kind Date'],
    [{ a: 'date' }, { a: '0000-01-01' }, '$[1].a is the string "0000-01-01"'],
    [{ a: 'timestamp' }, { a: '2001-03-04' }, '$[1].a is the string "2001-03-04"'],
    [{ a: 'timestamp' }, { a: new Date(Number.NaN) }, '$[1].a is an invalid Date'],
    [{ a: 'bytes' }, { a: [1] }, '$[1].a is of kind Array'],
    [{ a: { list: 'int32' } }, { a: 1 }, '$[1].a is the number 1, but a column of type list of int32 takes an array'],
    [{ a: { list: 'int32' } }, { a: [1, 'x'] }, '$[1].a[1] is the string "x"'],
    [{ a: { type: 'double', nullable: false } }, { a: null }, '$[1].a is null, but the column is not nullable'],
    [{ a: { type: 'double', nullable: false } }, {}, '$[1].a is null, but the column is not nullable'],
    [{ name: 'string' }, { nmae: 'x' }, '$[1].nmae is in no column of the schema (did you mean "name"?)'],
  ])('of %j refuse %j, naming row and column', async (schema, row, message) => {
    const fine = { string: { a: 'x', name: 'x' }, number: { a: 1 } };
    const first = message.includes('not nullable') ? fine.number : {};
    const error = await store([first, row], schema).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'FLOWSTONE_IO_VALUE_UNSUPPORTED',
      message: expect.stringContaining(`the value of flights.daily[2001-03-04]: ${message}`),
    });
  });

  it('refuse a row that does not fit what was inferred of those before', async () => {
    const rows = async function* () {
      for (let id = 0; id < 50_000; id++) yield { id, tags: [] as unknown[] };
      yield { id: 50_000n, tags: [] };
    };
    await expect(store(rows(), 'infer')).rejects.toThrow(
      '$[50000].id is the bigint 50000, but a column of type double',
    );
  });

  it.each([
    ['a document', { a: 1 }, { a: 'double' } as const, 'is no array of plain objects, which format "parquet" needs'],
    ['rows without columns that are declared or may be inferred', [{ a: 1 }], undefined, 'schema is missing'],
  ])('refuse %s', async (_, value, schema, message) => {
    const code = 'FLOWSTONE_IO_VALUE_UNSUPPORTED';
    const error = expect.objectContaining({ code, message: expect.stringContaining(message) });
    await expect(store(value, schema as unknown as ParquetSchema)).rejects.toEqual(error);
  });

  it('leave a host whose rows fail with their error, wherever that is', async () => {
    for (const at of [0, 10, 3000, 120_000]) {
      const error = new Error('no more');
      const failing = async function* () {
        for await (const row of numbered(at)) yield row;
        throw error;
      };
      await expect(store(failing(), NUMBERED)).rejects.toBe(error);
    }
  });

  it('are written and read by several at once', async () => {
    const each = async (count: number) => {
      const { signal } = new AbortController();
      const context = { ...address, materialization: count, epoch: 1, options: { schema: NUMBERED }, signal };
      const rows = await load(await manager.store(context, numbered(count)));
      expect((await rows.toArray()).map(({ id }) => id)).toEqual(Array.from({ length: count }, (_, id) => id));
    };
    await Promise.all([0, 1, 1000, 20_000, 60_000, 110_000].map(each));
  });

  it('may have thousands of columns, whose number alone tells how long they take', async () => {
    const row = Object.fromEntries(Array.from({ length: 4000 }, (_, at) => [`c${at}`, at % 2 === 0 ? at : [at]]));
    const stored = await store([row], 'infer');
    const begun = performance.now();
    expect(await load(stored)).toEqual([row]);
    // By its square it was some ten seconds.
    expect(performance.now() - begun).toBeLessThan(4000);
  });

  it('keep the event loop turning while they are written and read', async () => {
    let turns = 0;
    let counting = true;
    const count = (async () => {
      for (; counting; turns++) await turn();
    })();
    const rows = await load(await store(numbered(100_000), NUMBERED));
    const written = turns;
    expect(await rows.toArray()).toHaveLength(100_000);
    counting = false;
    await count;
    expect(written).toBeGreaterThan(90);
    expect(turns - written).toBeGreaterThan(45);
  });
});

describe('reading Parquet in part', () => {
  /** A place that counts the bytes that are read from it. */
  function counting(): { store: BlobStore; read: () => number } {
    let bytes = 0;
    const files = new FileStore(root);
    const open = async (...of: Parameters<BlobStore['open']>): Promise<OpenBlob> => {
      const blob = await files.open(...of);
      const read: OpenBlob['read'] = async (start, end) => {
        bytes += end - start;
        return blob.read(start, end);
      };
      return { read, pieces: () => blob.pieces(), close: () => blob.close() };
    };
    return { store: Object.assign(Object.create(files) as BlobStore, { open }), read: () => bytes };
  }

  it('takes only the wanted columns of the row groups with wanted rows', async () => {
    const place = counting();
    const counted = new ParquetIoManager({ store: place.store });
    const { location } = await store(numbered(170_000), NUMBERED, { compression: 'none' });
    const read = (columns: string[]) =>
      counted.load({ ...address, location, options: {}, columns }) as Promise<Rows<Row>>;
    const rows = await read(['id', 'nothing']);
    expect(await rows.slice(120_000, 120_003).toArray()).toEqual([{ id: 120_000 }, { id: 120_001 }, { id: 120_002 }]);
    expect(place.read()).toBeLessThan(50_000 * 4 + 20_000);
    const before = place.read();
    expect(await (await read(['nothing'])).toArray()).toHaveLength(170_000);
    expect(place.read() - before).toBeLessThan(20_000);
    expect(await rows.slice(170_000).toArray()).toEqual([]);
  });
});

describe('a Parquet file that is not what was written', () => {
  it('is refused wherever a byte differs, and never read wrong', async () => {
    const written = Array.from({ length: 3000 }, (_, id) => ({ id, name: `row ${id % 50}`, at: new Date(id) }));
    const stored = await store(written, NUMBERED);
    const path = pathOf(stored);
    const bytes = await readFile(path);
    const positions = Array.from({ length: 60 }, (_, index) => Math.floor((index * (bytes.length - 5)) / 60) + 4);
    for (const position of [...positions, bytes.length - 1]) {
      const flipped = Buffer.from(bytes);
      flipped[position]! ^= 1 << (position % 8);
      await writeFile(path, flipped);
      await expect(load(stored)).rejects.toMatchObject({ code: 'FLOWSTONE_IO_VALUE_CORRUPT' });
    }
    await writeFile(path, bytes.subarray(1));
    await expect(load(stored)).rejects.toMatchObject({ code: 'FLOWSTONE_IO_VALUE_CORRUPT' });
    await writeFile(path, bytes);
    expect(await load(stored)).toEqual(written);
  });

  it('is refused where the record does not say how to check it', async () => {
    const stored = await store([{ a: 1 }], { a: 'double' });
    const { detail: _, ...location } = stored.location as { detail: unknown };
    await expect(load({ ...stored, location })).rejects.toMatchObject({
      code: 'FLOWSTONE_IO_VALUE_CORRUPT',
    });
  });
});

describe('the thread of Parquet', () => {
  const threads = () => (process.report.getReport() as unknown as { workers: unknown[] }).workers.length;

  it('is one for all, ends when a manager is closed and starts again when it is needed', async () => {
    const stored = await store([{ a: 1 }], { a: 'double' });
    expect(threads()).toBe(1);
    await manager.close();
    expect(threads()).toBe(0);
    expect(await Promise.all([load(stored), load(stored)])).toEqual([[{ a: 1 }], [{ a: 1 }]]);
    expect(threads()).toBe(1);
  });

  it('stays for others that write or read when a manager is closed', async () => {
    const rows = (await load(await store(numbered(3000), NUMBERED)))[Symbol.asyncIterator]();
    await rows.next();
    await manager.close();
    expect(threads()).toBe(1);
    await rows.return!();
    await manager.close();
    expect(threads()).toBe(0);
  });
});
