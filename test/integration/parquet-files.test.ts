// What duckdb and pyarrow read in the files of ours, of every type.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as zlib from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { FileStore } from '../../lib/io/blobs/files/file.store.js';
import type { ParquetSchema } from '../../lib/io/formats/parquet/parquet.schema.js';
import { ParquetIoManager } from '../../lib/io/managers/parquet.io-manager.js';
import { readParquetWithDuckdb, readParquetWithPyarrow } from '../services/parquet-readers.js';

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

let materialization = 0;

/** The path of a file of these rows. */
async function fileOf(rows: unknown, options: Readonly<Record<string, unknown>>): Promise<string> {
  const address = { namespace: 'default', asset: 'any', partition: undefined, epoch: 1 };
  const { signal } = new AbortController();
  materialization += 1;
  const { location } = await manager.store({ ...address, materialization, options, signal }, rows);
  return join(root, (location as { path: string }).path);
}

// Node.js compresses by Zstandard from 22.15 on; before, that is refused when it is declared.
const COMPRESSIONS = ['snappy', 'gzip', 'none', ...('zstdCompressSync' in zlib ? ['zstd'] : [])];
const CODECS: Readonly<Record<string, string>> = { none: 'UNCOMPRESSED' };

const SCHEMA: ParquetSchema = {
  ok: 'boolean',
  small: 'int32',
  big: 'int64',
  ratio: 'double',
  text: 'string',
  day: 'date',
  at: 'timestamp',
  extra: 'json',
  raw: 'bytes',
  tags: { list: 'string' },
  times: { list: 'timestamp' },
  'Ünï "x".y': { type: 'int32', nullable: false },
};
const ROWS = [
  {
    ...{ ok: true, small: -(2 ** 31), big: -(2n ** 63n), ratio: 5e-324, text: 'Zürich 💧\n', day: '0001-01-01' },
    ...{ at: new Date('1969-12-31T23:59:59.999Z'), extra: { a: [1, 'x', null], big: 5n }, raw: Uint8Array.of(0, 255) },
    ...{ tags: ['a', null, ''], times: [new Date(1)], 'Ünï "x".y': 1 },
  },
  {
    ...{
      ok: false,
      small: 2 ** 31 - 1,
      big: 2n ** 63n - 1n,
      ratio: 1.7976931348623157e308,
      text: '',
      day: '2024-02-29',
    },
    ...{ at: new Date('2001-03-04T05:06:07.890Z'), extra: 'text', raw: new Uint8Array(), tags: [], times: [null] },
    ...{ 'Ünï "x".y': 2 },
  },
  { 'Ünï "x".y': 3 },
];

describe('Parquet files', () => {
  it.each(COMPRESSIONS)(
    'of every type are read right by pyarrow (%s)',
    async (compression) => {
      const { schema, codecs, rows } = await readParquetWithPyarrow(
        await fileOf(ROWS, { schema: SCHEMA, compression }),
      );
      expect(schema).toEqual({
        ...{ ok: 'bool', small: 'int32', big: 'int64', ratio: 'double', text: 'string', day: 'date32[day]' },
        ...{ at: 'timestamp[ms, tz=UTC]', extra: expect.stringMatching(/json|string/), raw: 'binary' },
        ...{ tags: 'list<element: string>', times: 'list<element: timestamp[ms, tz=UTC]>' },
        'Ünï "x".y': 'int32 not null',
      });
      expect(codecs).toEqual([CODECS[compression] ?? compression.toUpperCase()]);
      expect(rows).toEqual([
        {
          ...{ ok: true, small: -(2 ** 31), big: '-9223372036854775808', ratio: 5e-324, text: 'Zürich 💧\n' },
          ...{ day: '0001-01-01', at: '1969-12-31T23:59:59.999000+00:00', raw: '00ff', tags: ['a', null, ''] },
          ...{ extra: '{"a":[1,"x",null],"big":"$bigint:5"}', times: ['1970-01-01T00:00:00.001000+00:00'] },
          'Ünï "x".y': 1,
        },
        {
          ...{ ok: false, small: 2 ** 31 - 1, big: '9223372036854775807', ratio: 1.7976931348623157e308, text: '' },
          ...{ day: '2024-02-29', at: '2001-03-04T05:06:07.890000+00:00', raw: '', tags: [], times: [null] },
          ...{ extra: '"text"', 'Ünï "x".y': 2 },
        },
        {
          ...{ ok: null, small: null, big: null, ratio: null, text: null, day: null, at: null, extra: null, raw: null },
          ...{ tags: null, times: null, 'Ünï "x".y': 3 },
        },
      ]);
    },
    300_000,
  );

  it.each(COMPRESSIONS)(
    'of every type are read right by duckdb (%s)',
    async (compression) => {
      const { schema, rows } = await readParquetWithDuckdb(await fileOf(ROWS, { schema: SCHEMA, compression }));
      expect(schema).toEqual({
        ...{ ok: 'BOOLEAN', small: 'INTEGER', big: 'BIGINT', ratio: 'DOUBLE', text: 'VARCHAR', day: 'DATE' },
        ...{ at: 'TIMESTAMP WITH TIME ZONE', extra: 'JSON', raw: 'BLOB', tags: 'VARCHAR[]' },
        ...{ times: 'TIMESTAMP WITH TIME ZONE[]', 'Ünï "x".y': 'INTEGER' },
      });
      expect(rows).toEqual([
        {
          ...{ ok: 'true', small: '-2147483648', big: '-9223372036854775808', ratio: '5e-324', text: 'Zürich 💧\n' },
          ...{ day: '0001-01-01', at: '1969-12-31 23:59:59.999+00', extra: '{"a":[1,"x",null],"big":"$bigint:5"}' },
          ...{
            raw: String.raw`\x00\xFF`,
            tags: "[a, NULL, '']",
            times: "['1970-01-01 00:00:00.001+00']",
            'Ünï "x".y': '1',
          },
        },
        {
          ...{
            ok: 'false',
            small: '2147483647',
            big: '9223372036854775807',
            ratio: '1.7976931348623157e+308',
            text: '',
          },
          ...{
            day: '2024-02-29',
            at: '2001-03-04 05:06:07.89+00',
            extra: '"text"',
            raw: '',
            tags: '[]',
            times: '[NULL]',
          },
          'Ünï "x".y': '2',
        },
        {
          ...{ ok: null, small: null, big: null, ratio: null, text: null, day: null, at: null, extra: null, raw: null },
          ...{ tags: null, times: null, 'Ünï "x".y': '3' },
        },
      ]);
    },
    300_000,
  );

  it('are compressed by Zstandard or refused at boot, as Node.js can or cannot', async () => {
    const problems = manager.optionProblems({ schema: SCHEMA, compression: 'zstd' });
    expect(problems).toEqual('zstdCompressSync' in zlib ? [] : [expect.stringContaining('needs Node.js 22.15')]);
  });

  it('without rows have their columns', async () => {
    const file = await fileOf([], { schema: SCHEMA });
    expect((await readParquetWithPyarrow(file)).rows).toEqual([]);
    const { schema, rows } = await readParquetWithDuckdb(file);
    expect(Object.keys(schema)).toEqual(Object.keys(SCHEMA));
    expect(rows).toEqual([]);
  }, 300_000);

  it('of many row groups, inferred, are read to the last row, with statistics to skip by', async () => {
    const rows = async function* () {
      for (let id = 0; id < 120_001; id++)
        yield { id: BigInt(id), even: id % 2 === 0, name: `n${id % 100}`, x: id / 8 };
    };
    const file = await fileOf(rows(), { schema: 'infer' });
    const sums =
      'count(*) AS n, sum(id) AS ids, count(*) FILTER (even) AS evens, count(DISTINCT name) AS names, sum(x) AS xs';
    expect((await readParquetWithDuckdb(file, `SELECT ${sums} FROM file`)).rows).toEqual([
      { n: '120001', ids: '7200060000', evens: '60001', names: '100', xs: '900007500.0' },
    ]);
    const one = await readParquetWithDuckdb(file, 'SELECT * FROM file WHERE id = 99999');
    expect(one.rows).toEqual([{ id: '99999', even: 'false', name: 'n99', x: '12499.875' }]);
    const contents = await readParquetWithPyarrow(file);
    expect(contents.rowGroups).toHaveLength(5);
    expect(contents.rows).toHaveLength(120_001);
    expect(contents.rows.at(-1)).toEqual({ id: '120000', even: true, name: 'n0', x: 15_000 });
  }, 300_000);
});
