// Keys as paths, and values as tagged JSON, over anything. FLOWSTONE_FUZZ sets the number of keys (default 20,000).
import { isAbsolute, resolve, sep } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { dataVersionOf } from '../../lib/io/data-version.js';
import { pathSegment, valuePath } from '../../lib/io/blobs/blob-path.js';
import { isoTime } from '../../lib/io/iso-time.js';
import { parseTagged, stringifyTagged, toTaggedJson } from '../../lib/io/tagged-json.js';

const keyCount = Number(process.env['FLOWSTONE_FUZZ'] ?? 20_000);

/** What a segment says, by a second implementation: only one key can have it. */
function decode(segment: string): string {
  if (segment === '%') return '';
  const bytes = (run: string) => Buffer.from(run.replaceAll('%', ''), 'hex').toString();
  return segment
    .split(/(%u[0-9A-F]{4})/)
    .map((part) =>
      part.startsWith('%u')
        ? String.fromCharCode(parseInt(part.slice(2), 16))
        : part.replace(/(?:%[0-9A-F]{2})+/g, bytes),
    )
    .join('');
}

const hostile = fc.constantFrom(
  '.',
  '..',
  '/',
  '\\',
  '%',
  '%2F',
  '\0',
  '_',
  ':',
  ' ',
  'con',
  'NUL',
  '\ud800',
  '\udfff',
  '💧',
  'é',
  '~',
  '-',
);
const key = fc.oneof(
  fc.array(fc.oneof(hostile, fc.string({ maxLength: 4 })), { maxLength: 6 }).map((parts) => parts.join('')),
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 8 }).map((units) => String.fromCharCode(...units)),
  fc.string({ unit: 'grapheme', minLength: 60, maxLength: 300 }),
);

describe('any key as a path', () => {
  it('stays one segment below the root and can be told from every other', () => {
    const root = resolve('/values');
    const seen = new Map<string, string>();
    const check = (text: string) => {
      const segment = pathSegment(text);
      const address = { namespace: text, asset: text, partition: text, materialization: 1, epoch: 1, options: {} };
      const path = valuePath(address, 'json');
      const templated = valuePath(address, 'json', 'all/{asset}/day={partition}');
      const known = seen.get(segment);
      const wrong =
        !resolve(root, path).startsWith(root + sep) ||
        path.split('/').length !== 4 ||
        isAbsolute(path) ||
        templated !== `${segment}/all/${segment}/day=${segment}/1-1.json` ||
        !/^[A-Za-z0-9_.,=@+%-]{1,200}$/.test(segment) ||
        /[\\/:*?"<>|]|^\.|\.$|^_$|^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i.test(segment) ||
        (known !== undefined && known !== text) ||
        (!segment.includes('%-') && decode(segment) !== text);
      if (wrong) throw new Error(`key ${JSON.stringify(text)} becomes ${segment}`);
      seen.set(segment, text);
    };
    fc.assert(fc.property(key, check), { numRuns: keyCount });
    expect(seen.size).toBeGreaterThan(keyCount / 10);
  }, 600_000);

  it('keeps ordinary keys readable', () => {
    expect(['2001-03-04', 'flights.daily', 'SFO', 'a b', ''].map(pathSegment)).toEqual([
      '2001-03-04',
      'flights.daily',
      'SFO',
      'a%20b',
      '%',
    ]);
  });

  it('tells long keys apart that begin alike', () => {
    const long = [
      'x'.repeat(201),
      'x'.repeat(202),
      '日'.repeat(100),
      `${'日'.repeat(99)}本`,
      '\ud800'.repeat(100),
      '\ud801'.repeat(100),
    ];
    expect(new Set(long.map(pathSegment)).size).toBe(long.length);
  });
});

const tagLike = fc.stringMatching(/^\${0,3}(bigint|date|bytes|json):?[0-9a-z]{0,3}$/);
const wellFormed = fc.string({ unit: 'grapheme' });
const leaf = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0),
  wellFormed,
  tagLike,
  fc.bigInt(),
  fc.date({ noInvalidDate: true }),
  fc.uint8Array({ maxLength: 5 }),
);
const name = fc.oneof(wellFormed, tagLike).filter((text) => text !== '__proto__');
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(name, tie('value'), { maxKeys: 4, noNullPrototype: true }),
  ),
}));

describe('any value', () => {
  it('comes back from tagged JSON as it was, with its data version', () => {
    fc.assert(
      fc.property(value, (original) => {
        const back = parseTagged(stringifyTagged(toTaggedJson(original)));
        expect(back).toEqual(original);
        expect(dataVersionOf(back)).toEqual(dataVersionOf(original));
      }),
      { numRuns: 2000 },
    );
  });

  it('has the data version of another only if it is the same value', () => {
    const seen = new Map<string, string>();
    fc.assert(
      fc.property(value, (original) => {
        const { hash } = dataVersionOf({ in: original });
        const text = fc.stringify(sorted(toTaggedJson(original)));
        expect(seen.get(hash) ?? text).toBe(text);
        seen.set(hash, text);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('any rows', () => {
  const cells = fc.array(
    fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), fc.oneof(leaf, value), { noNullPrototype: true }),
    { maxLength: 8 },
  );

  it('have one data version exactly if they are equal once absent cells are null', () => {
    const normal = (rows: Record<string, unknown>[]) =>
      fc.stringify(rows.map((row) => ['a', 'b', 'c', 'd'].map((column) => sorted(toTaggedJson(row[column] ?? null)))));
    const seen = new Map<string, string>();
    fc.assert(
      fc.property(cells, fc.boolean(), (rows, fill) => {
        const shown = fill ? rows.map((row) => ({ d: null, c: undefined, b: null, a: null, ...row })) : rows;
        const { hash } = dataVersionOf(shown);
        expect(seen.get(hash) ?? normal(rows)).toBe(normal(rows));
        expect(hash).toBe(dataVersionOf(rows).hash);
        seen.set(hash, normal(rows));
      }),
      { numRuns: 2000 },
    );
  });
});

function sorted(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(sorted);
  if (typeof json !== 'object' || json === null) return json === 0 ? 0 : json;
  const entries = Object.entries(json).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return entries.map(([property, content]) => [property, sorted(content)]);
}

describe('any time', () => {
  it('is written as Date writes it', () => {
    const near = fc.integer({ min: -90_000_000, max: 90_000_000 }).map((milliseconds) => new Date(milliseconds));
    const times = fc.array(fc.oneof(fc.date({ noInvalidDate: true }), near), { maxLength: 20 });
    fc.assert(
      fc.property(times, (dates) => {
        expect(dates.map(isoTime)).toEqual(dates.map((date) => date.toISOString()));
      }),
      { numRuns: 2000 },
    );
    expect(() => isoTime(new Date(Number.NaN))).toThrow(RangeError);
  });
});
