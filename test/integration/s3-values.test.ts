// Values in S3 as other clients see them, large ones, and what others did to them. What holds for small ones of any manager is
// the conformance suite's.
import { describe, expect, it } from '@jest/globals';
import {
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { S3IoManager } from '../../lib/io/managers/s3.io-manager.js';
import type { Rows } from '../../lib/io/rows.js';
import { isGet, isPart, isPut, MIB, rowsOfMib, S3Bench, settled, where } from './s3-bench.js';

const bench = new S3Bench();

describe('objects', () => {
  it.each([
    [{ a: 1n }, {}, 'json', 'application/json', '{"a":"$bigint:1"}'],
    ['# Report é', { format: 'text' }, 'txt', 'text/plain; charset=utf-8', '# Report é'],
    [[{ a: 1 }, { a: 2 }], { format: 'jsonl' }, 'jsonl', 'application/jsonl', '{"a":1}\n{"a":2}\n'],
    [Buffer.from('abc'), {}, 'bin', 'application/octet-stream', 'abc'],
  ])('of %j with %j are read by any client', async (value, options, extension, type, content) => {
    const stored = await bench.store(value, options);
    expect(stored.location).toMatchObject({ path: bench.path(extension) });
    const { Body, ContentType } = await bench.client.send(new GetObjectCommand(bench.at(bench.path(extension))));
    expect(await Body!.transformToString()).toBe(content);
    expect(ContentType).toBe(type);
  });

  it('are told to be packed by their name and type only, so that no client unpacks them on its way', async () => {
    await bench.store({ a: 1 }, { compression: 'gzip' });
    const { ContentType, ContentEncoding } = await bench.client.send(
      new HeadObjectCommand(bench.at(bench.path('json.gz'))),
    );
    expect([ContentType, ContentEncoding]).toEqual(['application/gzip', undefined]);
  });

  it('may have the longest keys that S3 knows', async () => {
    bench.use({ prefix: 'p'.repeat(350) });
    const long = { namespace: 'n'.repeat(300), asset: 'a'.repeat(300), partition: '日'.repeat(300) };
    const { signal } = new AbortController();
    const stored = await bench.manager.store(
      { ...long, materialization: Number.MAX_SAFE_INTEGER, epoch: 1, options: {}, signal },
      1,
    );
    expect(await bench.manager.load({ ...long, location: stored.location, options: {} })).toBe(1);
  });

  it('are kept by a client of the application, which stays open', async () => {
    const { client } = bench;
    bench.manager = new S3IoManager({ bucket: bench.own.bucket, prefix: 'values', client });
    const stored = await bench.store([1]);
    expect(await bench.load(stored)).toEqual([1]);
    await bench.manager.close();
    await expect(client.send(new HeadObjectCommand(bench.at(bench.path('json'))))).resolves.toBeDefined();
  });
});

describe('a value', () => {
  it.each([
    ['of a document', { a: 1 }, ['GET']],
    ['of rows in an array', [{ a: 1 }], ['GET']],
    ['of no bytes', new Uint8Array(), ['HEAD']],
  ])('%s is loaded by one request', async (_, value, methods) => {
    const stored = await bench.store(value);
    bench.proxy.heal();
    expect(await bench.load(stored)).toEqual(value);
    expect(bench.proxy.seen.map(({ method }) => method)).toEqual(methods);
  });

  it('of rows that were yielded is looked for when it is loaded, and read when it is used', async () => {
    const stored = await bench.store(rowsOfMib(1).rows);
    bench.proxy.heal();
    const rows = (await bench.load(stored)) as Rows<unknown>;
    await rows.toArray();
    await bench.manager.delete(bench.contextOf(stored));
    expect(bench.proxy.seen.map(({ method }) => method)).toEqual(['HEAD', 'GET', 'DELETE']);
    const gone = { code: 'FLOWSTONE_IO_VALUE_NOT_FOUND' };
    await expect(rows.toArray()).rejects.toMatchObject(gone);
    await expect(bench.load(stored)).rejects.toMatchObject(gone);
  });
});

describe('large values', () => {
  it('are sent in parts as they come, a few at once, and are the same when they are loaded', async () => {
    const { rows } = rowsOfMib(50);
    const stored = await bench.store(rows);
    expect(stored).toMatchObject({ rows: 800, size: expect.any(Number) });
    expect(bench.proxy.seen.filter(isPart).map(({ size }) => size)).toEqual([
      ...Array<number>(6).fill(8 * MIB),
      stored.size - 48 * MIB,
    ]);
    let next = 0;
    for await (const { id } of (await bench.load(stored)) as Rows<{ id: number }>) expect(id).toBe(next++);
    expect(next).toBe(800);
    expect(await bench.uploads()).toEqual([]);
  }, 60_000);

  it('wait for the server, so that no more than four parts of them are in memory', async () => {
    let release = (): void => undefined;
    const until = new Promise<void>((resolve) => (release = resolve));
    bench.proxy.fault = (passing) => (isPart(passing) ? { kind: 'hold', until } : undefined);
    const { rows, taken } = rowsOfMib(100);
    const storing = bench.store(rows);
    while (bench.proxy.seen.filter(isPart).length < 3) await settled();
    await settled();
    // Three parts on their way and one full; pieces of rows that wait to be written are small.
    expect(taken.count / taken.perMib).toBeGreaterThanOrEqual(32);
    expect(taken.count / taken.perMib).toBeLessThan(34);
    release();
    expect((await storing).rows).toBe(1600);
  }, 60_000);

  it.each([
    ['of exactly one part by one request', 8 * MIB, 1, 0],
    ['of one byte more in two parts', 8 * MIB + 1, 0, 2],
  ])('are sent %s', async (_, size, puts, parts) => {
    const value = Buffer.alloc(size, 'flowstone');
    const stored = await bench.store(value);
    expect([bench.proxy.seen.filter(isPut).length, bench.proxy.seen.filter(isPart).length]).toEqual([puts, parts]);
    expect(Buffer.compare((await bench.load(stored)) as Uint8Array, value)).toBe(0);
  });

  it('are read by ranges, and no more of them than is wanted', async () => {
    const { rows } = rowsOfMib(20);
    const stored = await bench.store(rows);
    bench.proxy.heal();
    for await (const row of (await bench.load(stored)) as Rows<unknown>) {
      expect(row).toMatchObject({ id: 0 });
      break;
    }
    expect(bench.proxy.seen.filter(isGet).length).toBeLessThanOrEqual(2);
    expect(bench.proxy.seen.find(isGet)!.headers.range).toBe(`bytes=0-${MIB - 1}`);
    bench.proxy.heal();
    await ((await bench.load(stored)) as Rows<unknown>).toArray();
    expect(bench.proxy.seen.filter(isGet).map(({ headers }) => headers.range)).toEqual(
      [[0, 1], [1, 3], [3, 7], [7, 15], [15]].map(
        ([start = 0, end]) => `bytes=${start * MIB}-${(end === undefined ? stored.size : end * MIB) - 1}`,
      ),
    );
  }, 60_000);
});

describe('an object that was changed from outside', () => {
  it.each([
    ['shorter', 'ab', 'it has 2 bytes, not 3'],
    ['longer', 'abcd', 'it has 4 bytes, not 3'],
    ['empty', '', 'it ends before byte 0'],
    ['different', 'abd', 'the checksum of its bytes differs'],
  ])('is found when it is %s', async (_, body, message) => {
    const stored = await bench.store(Buffer.from('abc'));
    await bench.client.send(new PutObjectCommand({ ...bench.at(), Body: Buffer.from(body) }));
    await expect(bench.load(stored)).rejects.toMatchObject({
      code: 'FLOWSTONE_IO_VALUE_CORRUPT',
      message: expect.stringContaining(message),
    });
  });

  it('is found to be gone, also amid reading', async () => {
    const { rows } = rowsOfMib(6);
    const stored = await bench.store(rows);
    const loaded = ((await bench.load(stored)) as Rows<unknown>)[Symbol.asyncIterator]();
    await loaded.next();
    await bench.manager.delete(bench.contextOf(stored));
    const rest = async () => {
      while (!(await loaded.next()).done);
    };
    await expect(rest()).rejects.toMatchObject({ code: 'FLOWSTONE_IO_VALUE_NOT_FOUND' });
  });
});

describe('paths', () => {
  it('are refused where no manager writes, whoever wrote them into the ledger', async () => {
    const { location } = await bench.store({ a: 1 });
    for (const path of [
      '../x/1-1.json',
      '/a/1-1.json',
      'a/../1-1.json',
      'a/./1-1.json',
      'a//1-1.json',
      'x',
      '',
      'a/b?c',
      'a/é',
      'a/\0',
      `${'a/'.repeat(600)}b`,
    ]) {
      const context = bench.contextOf({ location: { ...(location as object), path } });
      for (const act of [
        () => bench.manager.load(context),
        () => bench.manager.delete(context),
        () => bench.manager.exists(context),
      ]) {
        await expect(act()).rejects.toMatchObject({ code: 'FLOWSTONE_IO_PATH_REFUSED' });
      }
    }
  });
});

describe('what attempts left', () => {
  it('is found and discarded, an upload that nobody ended too, and only that', async () => {
    await bench.client.send(new CreateMultipartUploadCommand(bench.at(bench.path('jsonl'))));
    const other = await bench.client.send(new CreateMultipartUploadCommand(bench.at('default2/a/b/7-1.json')));
    const object = await bench.store({ a: 1 });
    const listed: unknown[] = [];
    for await (const attempt of bench.manager.list('default'))
      if (attempt.materialization === bench.materialization) listed.push(attempt);
    const { materialization } = bench;
    expect(listed).toEqual([
      { materialization, epoch: 1, where: bench.path('json') },
      { materialization, epoch: 1, where: bench.path('jsonl') },
    ]);
    const orphan = { ...where, materialization, epoch: 1, where: bench.path('jsonl') };
    const later = new Date(Date.now() + 60_000);
    // moto says of all uploads that they began in 2010.
    expect(await bench.manager.discard(orphan, new Date(0))).toBe(false);
    expect(await bench.manager.discard({ ...orphan, epoch: 2 }, later)).toBe(false);
    expect(await bench.uploads()).toHaveLength(2);
    expect(await bench.manager.discard(orphan, later)).toBe(true);
    expect(await bench.manager.discard(orphan, later)).toBe(false);
    expect(await bench.uploads()).toEqual([expect.objectContaining({ UploadId: other.UploadId })]);
    expect(await bench.load(object)).toEqual({ a: 1 });
  });

  it('is looked for among objects alone where a server cannot list uploads', async () => {
    bench.proxy.fault = ({ url }) =>
      url.includes('uploads') ? { kind: 'refuse', status: 501, code: 'NotImplemented' } : undefined;
    await bench.store({ a: 1 });
    const listed: number[] = [];
    for await (const attempt of bench.manager.list('default')) listed.push(attempt.materialization);
    expect(listed).toContain(bench.materialization);
  });
});
