// Rows of any declared columns through a Parquet file, and back.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as zlib from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { FileStore } from '../../lib/io/blobs/files/file.store.js';
import { dataVersionOf } from '../../lib/io/data-version.js';
import type { ParquetType } from '../../lib/io/formats/parquet/parquet.schema.js';
import { ParquetIoManager } from '../../lib/io/managers/parquet.io-manager.js';
import type { Rows } from '../../lib/io/rows.js';

type Row = Readonly<Record<string, unknown>>;

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom('', '\0', '\uFEFFmark', '$date:', '$bigint:1', '💧'),
);
// Minus zero is zero in columns with a dictionary; as data versions have it anyway.
const number = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);

const VALUES: Readonly<Record<ParquetType, fc.Arbitrary<unknown>>> = {
  boolean: fc.boolean(),
  int32: fc.oneof(fc.integer(), fc.constantFrom(0, 1, -(2 ** 31), 2 ** 31 - 1)),
  int64: fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.constantFrom(0n, 7n)),
  double: fc.oneof(number, fc.constantFrom(0, 0.5)),
  string: text,
  date: fc
    .date({ min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true })
    .map((date) => date.toISOString().slice(0, 10)),
  timestamp: fc.date({ noInvalidDate: true }),
  json: fc.oneof(
    // By its text: JSON has no minus zero.
    fc
      .json()
      .map((json): unknown => JSON.parse(JSON.stringify(JSON.parse(json))))
      .filter((value) => value !== null),
    fc.record({ at: fc.date({ noInvalidDate: true }), big: fc.bigInt(), bytes: fc.uint8Array(), text }),
  ),
  bytes: fc.uint8Array({ maxLength: 30 }),
};

const name = fc.oneof(
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }),
  fc.constantFrom('a', 'a.list.element', 'constructor', '7'),
);
const column = fc
  .record({
    type: fc.constantFrom(...(Object.keys(VALUES) as ParquetType[])),
    list: fc.boolean(),
    nullable: fc.boolean(),
  })
  .map(({ type, list, nullable }) => {
    const plain = list ? fc.array(fc.option(VALUES[type]), { maxLength: 5 }) : VALUES[type];
    return {
      declared: list ? { list: type, nullable } : { type, nullable },
      values: nullable ? fc.oneof({ weight: 3, arbitrary: plain }, fc.constantFrom(null, undefined)) : plain,
    };
  });

/** A schema, rows of it, and a range of them. */
const table = fc
  .dictionary(
    name.filter((key) => key !== '__proto__'),
    column,
    { minKeys: 1, maxKeys: 5 },
  )
  .chain((columns) => {
    const row = fc.record(Object.fromEntries(Object.entries(columns).map(([key, { values }]) => [key, values])));
    return fc.record({
      schema: fc.constant(Object.fromEntries(Object.entries(columns).map(([key, { declared }]) => [key, declared]))),
      compression: fc.constantFrom('snappy', 'gzip', 'none', ...('zstdCompressSync' in zlib ? ['zstd'] : [])),
      // Few different ones too, for dictionaries.
      rows: fc.oneof(
        fc.array(row, { maxLength: 60 }),
        fc
          .array(row, { minLength: 1, maxLength: 3 })
          .chain((few) => fc.array(fc.constantFrom(...few), { maxLength: 300 })),
      ),
      range: fc.tuple(fc.nat(60), fc.nat(60)),
      wanted: fc.subarray(Object.keys(columns)),
    });
  });

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

describe('rows in a Parquet file', () => {
  it('come back as they were, whole and in part, with their data version', async () => {
    const address = { namespace: 'default', asset: 'any', partition: undefined };
    let materialization = 0;
    const check = async ({ schema, compression, rows, range: [start, end], wanted }: Table) => {
      const options = { schema, compression };
      const { signal } = new AbortController();
      const context = { ...address, options, signal, materialization: ++materialization, epoch: 1 };
      const stored = await manager.store(context, streamOf(rows));
      expect(stored).toMatchObject({ rows: rows.length, hash: dataVersionOf(rows).hash });
      const expected = rows.map((row) => Object.fromEntries(Object.keys(schema).map((key) => [key, row[key] ?? null])));
      const { location } = stored;
      const all = (await manager.load({ ...address, options, location })) as Rows<Row>;
      expect(await all.toArray()).toEqual(expected);
      expect(await all.slice(start, end).toArray()).toEqual(expected.slice(start, end));
      const some = (await manager.load({ ...address, options, location, columns: wanted })) as Rows<Row>;
      const narrowed = expected.map((row) => Object.fromEntries(wanted.map((key) => [key, row[key]])));
      expect(await some.toArray()).toEqual(narrowed);
      await manager.delete({ ...address, options, location });
    };
    await fc.assert(fc.asyncProperty(table, check), { numRuns: Number(process.env['FLOWSTONE_FUZZ'] ?? 300) });
  }, 300_000);
});

type Table = typeof table extends fc.Arbitrary<infer T> ? T : never;

async function* streamOf(rows: readonly Row[]): AsyncGenerator<Row> {
  yield* rows;
}
