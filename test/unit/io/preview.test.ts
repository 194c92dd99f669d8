import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { closeJson } from '../../../lib/io/json-beginning.js';
import { FilesystemIoManager } from '../../../lib/io/managers/filesystem.io-manager.js';
import { extractOf } from '../../../lib/runs/value.preview.js';

describe('the beginning of a JSON text', () => {
  it.each([
    ['{"a":[1,2,{"b":"x', '{"a":[1,2,{}]}'],
    ['{"a":1,"b', '{"a":1}'],
    ['[[1,2],[3', '[[1,2],[]]'],
    ['{"a":"}],{\\"","b":12', '{"a":"}],{\\""}'],
    ['["a,b', '[]'],
    ['"text', '"text"'],
    ['"te\\', '"te"'],
    ['"te\\u00e', '"te"'],
    ['"te\\\\', '"te\\\\"'],
  ])('%s is %s', (text, beginning) => {
    expect(closeJson(text)).toBe(beginning);
  });

  it('is nothing where nothing came whole', () => {
    expect(closeJson('12')).toBeUndefined();
  });

  it('is JSON wherever any JSON of objects, arrays and strings is cut', () => {
    const values = fc.jsonValue().filter((value) => typeof value === 'string' || typeof value === 'object');
    fc.assert(
      fc.property(values, fc.double({ min: 0, max: 1, noNaN: true }), (value, part) => {
        fc.pre(value !== null);
        const text = JSON.stringify(value);
        const closed = closeJson(text.slice(0, Math.max(1, Math.floor(text.length * part))));
        expect(Array.isArray(JSON.parse(closed!))).toBe(Array.isArray(value));
        expect(closed!.length).toBeLessThanOrEqual(text.length);
        if (typeof value === 'string') expect(value.startsWith(JSON.parse(closed!) as string)).toBe(true);
      }),
    );
  });
});

describe('the extract of a value', () => {
  const extract = (value: unknown) => extractOf({ value, complete: true }, 20);

  it('is a small value itself', () => {
    const value = { a: [1, 'x', null, true], b: { c: {} } };
    expect(extract(value)).toEqual({ kind: 'document', document: value, complete: true });
    expect(extract(null)).toEqual({ kind: 'document', document: null, complete: true });
    expect(extract([])).toEqual({ kind: 'rows', rows: [], complete: true });
  });

  it('says what JSON cannot', () => {
    const row = { big: 12n, at: new Date(0), raw: Uint8Array.of(1, 255), none: undefined };
    const shown = { big: '12', at: '1970-01-01T00:00:00.000Z', raw: '2 bytes: 01ff', none: null };
    expect(extract([row])).toEqual({ kind: 'rows', rows: [shown], complete: true });
    expect(extract(new Map())).toEqual({ kind: 'document', document: '[object Map]', complete: false });
  });

  it('is cut in number of rows, width, depth and length, and says so', () => {
    const rows = Array.from({ length: 30 }, (_, id) => ({ id }));
    expect(extract(rows)).toMatchObject({ rows: rows.slice(0, 20), complete: false });
    const wide = Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`c${at}`, at]));
    expect(extract([wide])).toMatchObject({ rows: [{ c199: 199, '…': '100 more' }], complete: false });
    expect(extract({ list: rows })).toMatchObject({ complete: true });
    expect(extract({ list: Array(60).fill(1) })).toMatchObject({
      document: { list: [...Array(50).fill(1), '… 10 more'] },
      complete: false,
    });
    const deep = { a: { b: { c: { d: { e: { f: { g: 1 } } } } } } };
    expect(JSON.stringify(extract(deep))).toContain('"f":{"…":"1 more"}');
    expect(extract({ text: 'x'.repeat(2000) })).toMatchObject({
      document: { text: `${'x'.repeat(1000)}…` },
      complete: false,
    });
    expect(extract('y'.repeat(20_000))).toMatchObject({
      kind: 'text',
      text: `${'y'.repeat(10_000)}…`,
      complete: false,
    });
    expect(extract(new Uint8Array(1000))).toEqual({ kind: 'bytes', bytes: `${'00'.repeat(256)}…`, complete: false });
  });

  it('is small whatever the value', () => {
    const sizeOf = (value: unknown) => JSON.stringify(extractOf({ value, complete: true }, 1000)).length;
    const nested = (depth: number): unknown => (depth === 0 ? 'z'.repeat(5000) : Array(60).fill(nested(depth - 1)));
    expect(sizeOf({ nested: nested(3) })).toBeLessThan(300_000);
    const cells = Object.fromEntries(
      Array.from({ length: 1000 }, (_, at) => ['n'.repeat(2000) + at, 'z'.repeat(5000)]),
    );
    expect(sizeOf(Array(1000).fill(cells))).toBeLessThan(300_000);
  });
});

describe('the beginning of a file', () => {
  let root: string;
  let files: FilesystemIoManager;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'flowstone-preview-'));
    files = new FilesystemIoManager({ root });
  });
  afterEach(() => rm(root, { recursive: true }));

  const address = { namespace: 'n', asset: 'a', partition: undefined };
  /** What is read of a value whose file is nonsense after its first 400,000 bytes. */
  async function beginningOf(value: unknown, options: Readonly<Record<string, unknown>>) {
    const { signal } = new AbortController();
    const stored = await files.store({ ...address, materialization: 1, epoch: 1, options, signal }, value);
    const { path } = stored.location as { path: string };
    const file = await open(join(root, path), 'r+');
    await file.write(Buffer.alloc(stored.size - 400_000, 7), 0, stored.size - 400_000, 400_000);
    await file.close();
    const context = { ...address, location: stored.location, options };
    await expect(files.load(context)).rejects.toMatchObject({ code: 'FLOWSTONE_IO_VALUE_CORRUPT' });
    return extractOf(await files.begin(context, { rows: 20, bytes: 64 * 1024 }), 20);
  }
  const rows = Array.from({ length: 50_000 }, (_, id) => ({ id, text: `${Math.sin(id)}` }));

  it.each([
    ['JSON lines', { format: 'jsonl' }],
    ['a JSON array', { format: 'json' }],
    ['a packed JSON array', { format: 'json', compression: 'gzip' }],
  ])('is read alone, of %s', async (_, options) => {
    expect(await beginningOf(rows, options)).toEqual({ kind: 'rows', rows: rows.slice(0, 20), complete: false });
  });

  it('is read alone, of a document, a text and bytes', async () => {
    const many = { first: { a: 1 }, list: Array.from({ length: 100_000 }, (_, at) => `item ${at}`), last: 1 };
    const shown = await beginningOf(many, {});
    expect(shown).toMatchObject({ kind: 'document', document: { first: { a: 1 } }, complete: false });
    expect(await beginningOf('é💧'.repeat(200_000), { format: 'text' })).toMatchObject({
      kind: 'text',
      complete: false,
    });
    expect(await beginningOf(new Uint8Array(1_000_000), {})).toMatchObject({ kind: 'bytes', complete: false });
    expect(await beginningOf('💧'.repeat(200_000), { format: 'json' })).toMatchObject({
      kind: 'text',
      complete: false,
    });
  });
});
