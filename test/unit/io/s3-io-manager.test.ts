// What needs no server: options, lengths of parts. What is stored stands in test/integration/s3-values.test.ts.
import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { partLength } from '../../../lib/io/blobs/s3/pending.object.js';
import type { S3Options } from '../../../lib/io/blobs/s3/s3.options.js';
import { S3IoManager } from '../../../lib/io/managers/s3.io-manager.js';

const client = { send: async () => ({}) };
const make = (options: object) => new S3IoManager(options as S3Options);

describe('options of the manager', () => {
  it.each([
    { bucket: 'values' },
    { bucket: 'values', prefix: 'flowstone/values', client },
    { bucket: 'values', endpoint: 'http://localhost:9000', region: 'eu-west-1', forcePathStyle: true },
    { bucket: 'values', prefix: 'x'.repeat(350) },
  ])('such as %j are taken', (options) => {
    expect(() => make(options)).not.toThrow();
  });

  it.each([
    [{}, 'bucket must be the name of a bucket'],
    [{ bucket: '' }, 'bucket must be the name of a bucket'],
    [{ bucket: 'b', prefix: 'values/' }, 'prefix is "values/", must be steps of letters'],
    [{ bucket: 'b', prefix: '/values' }, 'prefix is "/values", must be steps'],
    [{ bucket: 'b', prefix: 'a/../b' }, 'prefix is "a/../b", must be steps'],
    [{ bucket: 'b', prefix: 'my values' }, 'prefix is "my values", must be steps'],
    [{ bucket: 'b', prefix: 'x'.repeat(500) }, 'prefix has 500 characters, must have at most'],
    [{ bucket: 'b', endpoint: 'minio:9000' }, 'endpoint must be a URL such as http://minio:9000'],
    [{ bucket: 'b', endpoint: 'http://key:canary@minio' }, 'endpoint must be a URL'],
    [{ bucket: 'b', client, region: 'eu-west-1' }, 'client is given and so is region'],
    [{ bucket: 'b', prefx: 'x' }, 'unknown option "prefx", did you mean "prefix"?'],
  ])('such as %j are refused', (options, words) => {
    expect(() => make(options)).toThrow(
      expect.objectContaining({ code: 'FLOWSTONE_OPTIONS_INVALID', message: expect.stringContaining(words) }),
    );
  });
});

it('credentials are shown to nobody who prints the manager', () => {
  const manager = make({ bucket: 'values', credentials: { accessKeyId: 'canary', secretAccessKey: 'canary' } });
  expect(inspect(manager, { depth: Infinity, showHidden: true }) + JSON.stringify(manager)).not.toContain('canary');
});

describe('parts of an upload', () => {
  it('are such that S3 takes them and as many as it takes hold 5 TiB', () => {
    const lengths = Array.from({ length: 10_000 }, (_, index) => partLength(index));
    expect(lengths[999]).toBe(8 * 2 ** 20);
    expect(lengths[1000]).toBe(16 * 2 ** 20);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(5 * 2 ** 30);
    expect(lengths.reduce((sum, length) => sum + length)).toBeGreaterThan(5 * 2 ** 40);
  });
});

describe('options of an asset', () => {
  const manager = make({ bucket: 'values', prefix: 'x'.repeat(300) });

  it('are checked with a suggestion', () => {
    expect(manager.optionProblems({ format: 'jsonl', compression: 'gzip', path: 'exports/{asset}' })).toEqual([]);
    expect(manager.optionProblems({ pth: 'x', compression: 'zip' })).toEqual([
      'unknown option "pth" of the s3 manager, did you mean "path"?',
      'compression is "zip", must be "gzip" or left out',
    ]);
    expect(manager.optionProblems({ path: '../{asset}' })).toEqual([expect.stringContaining('path is "../{asset}"')]);
  });

  it('of another format than the chosen one say of which', () => {
    expect(manager.optionProblems({ schema: { day: 'date' } })).toEqual([
      'schema is for format "parquet": give that, or leave schema out',
    ]);
  });

  it('leave room for the prefix in a key', () => {
    expect(manager.optionProblems({ path: `${'y'.repeat(50)}/{asset}/{partition}` })).toEqual([]);
    expect(manager.optionProblems({ path: `${'y'.repeat(100)}/{asset}/{partition}` })).toEqual([
      expect.stringContaining('723 are left for it'),
    ]);
  });
});
