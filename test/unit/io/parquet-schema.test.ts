import { describe, expect, it } from '@jest/globals';
import * as zlib from 'node:zlib';
import { DECOMPRESSORS } from '../../../lib/io/formats/parquet/file.codecs.js';
import { inferColumns } from '../../../lib/io/formats/parquet/parquet.inference.js';
import { ParquetIoManager } from '../../../lib/io/managers/parquet.io-manager.js';
import { FileStore } from '../../../lib/io/blobs/files/file.store.js';
import { FilesystemIoManager } from '../../../lib/io/managers/filesystem.io-manager.js';

const manager = new ParquetIoManager({ store: new FileStore('/nowhere') });

describe('the columns that an asset declares for Parquet', () => {
  it.each([
    { schema: 'infer' },
    { schema: { day: 'date', n: { type: 'int64', nullable: false }, tags: { list: 'string' } }, compression: 'none' },
  ])('may be %j', (options) => {
    expect(manager.optionProblems(options)).toEqual([]);
    const files = new FilesystemIoManager({ root: '/nowhere' });
    expect(files.optionProblems({ format: 'parquet', ...options })).toEqual([]);
  });

  it.each([
    [{}, /^schema is missing: declare the columns, as in schema: \{ day: 'date'.*or .* by schema: 'infer'$/],
    [{ schema: {} }, /has no column/],
    [{ schema: 'inferred' }, /schema is "inferred", must be 'infer' or the columns/],
    [{ schema: [] }, /must be 'infer' or the columns/],
    [{ schema: { day: 'dat' } }, /column "day" has type "dat", must be one of .*, did you mean "date"\?/],
    [{ schema: { day: { list: 'in64' } } }, /column "day" has type "in64".* did you mean "int64"\?/],
    [{ schema: { day: { type: 'date', nulable: false } } }, /unknown "nulable", did you mean "nullable"\?/],
    [{ schema: { day: { type: 'date', list: 'date' } } }, /either a type or a list/],
    [{ schema: { day: { nullable: true } } }, /either a type or a list/],
    [{ schema: { day: { type: 'date', nullable: 1 } } }, /nullable must be true or false/],
    [{ schema: { day: null } }, /has type null/],
    [{ schema: { ['__proto__']: 'date' } }, /name that cannot be stored/],
    [{ schema: { '\ud800': 'date' } }, /name that cannot be stored/],
    [
      { schema: { day: 'date' }, compression: 'brotli' },
      /compression is "brotli", must be one of snappy, gzip, zstd, none/,
    ],
    [{ shema: { day: 'date' } }, /unknown option "shema" .*, did you mean "schema"\?/],
  ])('may not be %j', (options, problem) => {
    expect(manager.optionProblems(options)[0]).toMatch(problem);
  });
});

describe('the columns that are inferred', () => {
  const spell = (rows: Record<string, unknown>[]) =>
    inferColumns(rows).map(({ name, type, list }) => `${name} ${list ? `${type}[]` : type}`);

  it('follow from the kinds of all values, numbers never being integers', () => {
    const row = { n: 1, big: 1n, text: 'x', ok: true, at: new Date(0), raw: new Uint8Array(), day: '2001-03-04' };
    const expected = ['n double', 'big int64', 'text string', 'ok boolean', 'at timestamp', 'raw bytes', 'day string'];
    expect(spell([row])).toEqual(expected);
    expect(spell([{}, row, { n: null, big: undefined }])).toEqual(expected);
  });

  it.each([
    ['lists of one kind', [{ a: [1, null] }, { a: [2.5] }], ['a double[]']],
    ['lists after empty ones', [{ a: null }, { a: [] }, { a: [null] }, { a: ['x'] }, { a: [] }], ['a string[]']],
    ['nothing but empty lists', [{ a: [] }], ['a json']],
    ['nothing but null', [{ a: null }], ['a json']],
    ['mixed lists', [{ a: [1] }, { a: [1, 'x'] }], ['a json']],
    ['lists of several kinds', [{ a: [1] }, { a: ['x'] }], ['a json']],
    ['nested lists', [{ a: [[1]] }], ['a json']],
    ['objects', [{ a: { b: 1 } }, { a: [{}] }], ['a json']],
    ['columns in the order of their appearance', [{ b: 1 }, { a: 1, b: 1 }], ['b double', 'a double']],
    ['no rows', [], []],
  ])('are right of %s', (_, rows, expected) => {
    expect(spell(rows)).toEqual(expected);
  });

  it.each([
    [[{ a: 1 }, { a: 1n }], '$[1].a is of type int64, but rows before have double there'],
    [[{ a: 'x' }, {}, { a: 1 }], '$[2].a is of type double, but rows before have string there'],
    [[{ a: 1 }, { a: [1] }], '$[1].a is of type list of double, but rows before have double there'],
    [[{ a: [] }, { a: 1 }], '$[1].a is of type double, but rows before have list of nothing there'],
    [[{ a: 1 }, { a: {} }], '$[1].a is of type json, but rows before have double there'],
    [[{}, {}], 'has no columns that can be inferred'],
  ])('are none of %j', (rows, message) => {
    expect(() => inferColumns(rows)).toThrow(message);
  });
});

it('tells who lacks what to read zstd, since another process may have written it', () => {
  const read = () => DECOMPRESSORS.ZSTD(Buffer.from('KLUv/SABCQAAeA==', 'base64'));
  if ('zstdDecompressSync' in zlib) expect(read()).toEqual(Uint8Array.of(120));
  else expect(read).toThrow(/zstd, which needs Node.js 22\.15 or newer/);
});
