// What is stored in one piece comes back as it was: documents and bytes.
import assert from 'node:assert/strict';
import { dataVersionOf } from '../../io/data-version.js';
import type { Declare } from './bench.js';

const DOCUMENTS: Readonly<Record<string, unknown>> = {
  null: null,
  booleans: [true, false],
  numbers: [0, -1, 1.5, 1e21, 5e-324, Number.MAX_SAFE_INTEGER, 0.1],
  'the empty string': '',
  strings: ['\0', '\n', '"', '\u2028', '💧', 'é', '\\ud800'],
  'strings that look like tags': ['$', '$5', '$bigint:1', '$$bigint:1', '$date:x', '$bytes:', '$json:{}', 'a$date:'],
  bigints: [0n, -1n, 2n ** 80n],
  dates: [new Date(0), new Date(-62198755200001), new Date(8.64e15)],
  'bytes inside': { none: new Uint8Array(), some: Uint8Array.of(0, 255, 128) },
  'the empty array': [],
  'the empty object': {},
  'nested objects': { a: [{ b: { c: [null, [], {}] } }], '': 1, 'a.b': 2, constructor: 3, toString: 4, 2: 5, 10: 6 },
  'rows in an array': [{ day: new Date(0), n: 1n, text: '$bigint:1' }, { n: null, more: { x: [1] } }, {}],
  'mixed arrays': [{ a: 1 }, 2, 'three', null],
};

/** Of a manager that stores anything JSON-like. */
export function checkDocuments(test: Declare): void {
  for (const [name, value] of Object.entries(DOCUMENTS)) {
    test(`gives back ${name} as stored, with the data version of the canonical value`, async (bench) => {
      const stored = await bench.store(value);
      assert.deepStrictEqual(await bench.load(stored.location), value);
      const version = dataVersionOf(value);
      if (stored.hash !== null) assert.equal(stored.hash, version.hash);
      assert.equal(stored.rows, version.rows);
      assert.ok(stored.size >= 0);
    });
  }

  test('gives back a large document', async (bench) => {
    const value = { text: 'ä'.repeat(1_000_000), list: Array.from({ length: 50_000 }, (_, index) => index) };
    assert.deepStrictEqual(await bench.load((await bench.store(value)).location), value);
  });

  test('keeps a value apart from what its producer and consumers do to theirs', async (bench) => {
    const value = { list: [1] };
    const { location } = await bench.store(value);
    value.list.push(2);
    ((await bench.load(location)) as typeof value).list.push(3);
    assert.deepStrictEqual(await bench.load(location), { list: [1] });
  });

  test('shows a small document whole and the beginning of a large one, if it can do that', async (bench) => {
    if (!bench.manager.begin) return;
    const begin = async (value: unknown) => {
      const { location } = await bench.store(value);
      return bench.manager.begin!(bench.loadContext(location), { rows: 5, bytes: 5000 });
    };
    const small = { a: 1, b: [new Date(0)] };
    assert.deepStrictEqual(await begin(small), { value: small, complete: true });
    const list = Array.from({ length: 50_000 }, (_, index) => index);
    const large = await begin({ list });
    assert.equal(large.complete, false);
    const begun = (large.value as { list: number[] }).list;
    assert.deepStrictEqual(begun, list.slice(0, begun.length));
    assert.ok(begun.length < list.length);
  });

  for (const [name, value] of Object.entries({ 'a Map': new Map(), NaN: [NaN], 'a function': { f: () => 1 } })) {
    test(`refuses ${name} instead of changing it`, async (bench) => {
      await assert.rejects(bench.store(value), { code: 'FLOWSTONE_IO_VALUE_UNSUPPORTED' });
    });
  }
}

/** Of a manager that stores bytes. */
export function checkBytes(test: Declare): void {
  for (const length of [0, 1, 3_000_000]) {
    test(`gives back ${length} bytes`, async (bench) => {
      const value = new Uint8Array(length).map((_, index) => index * 7);
      const stored = await bench.store(value);
      const loaded = (await bench.load(stored.location)) as Uint8Array;
      assert.ok(Buffer.from(value).equals(loaded));
      if (stored.hash !== null) assert.equal(stored.hash, dataVersionOf(value).hash);
    });
  }

  test('shows the beginning of bytes, if it can do that', async (bench) => {
    if (!bench.manager.begin) return;
    const value = new Uint8Array(200_000).map((_, index) => index * 7);
    const { location } = await bench.store(value);
    const { value: begun, complete } = await bench.manager.begin(bench.loadContext(location), { rows: 1, bytes: 100 });
    assert.equal(complete, false);
    assert.ok((begun as Uint8Array).length > 0 && (begun as Uint8Array).length < 200_000);
    assert.ok(
      Buffer.from(value)
        .subarray(0, (begun as Uint8Array).length)
        .equals(begun as Uint8Array),
    );
  });
}
