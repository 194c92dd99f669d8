// Values in S3 where something is in the way: lost answers, cut connections, servers that refuse, know less or die, and objects
// of others.
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { projectFile } from '../architecture/source-files.js';
import { s3Connection } from '../services/buckets.js';
import type { Passing } from '../services/faulty-s3.js';
import { startPrivateS3 } from '../services/server.mjs';
import { FAILED, isBegin, isComplete, isGet, isPart, isPut, MIB, rowsOfMib, S3Bench, settled } from './s3-bench.js';

const run = promisify(execFile);
const bench = new S3Bench();

describe('an answer that is lost', () => {
  it('of a whole object leaves it stored, as it is found to be ours', async () => {
    let lost = 0;
    bench.proxy.fault = (passing) => (isPut(passing) && lost++ === 0 ? { kind: 'lose' } : undefined);
    const stored = await bench.store(Buffer.from('abc'));
    // The SDK asks again, and meets what it has put itself.
    expect(bench.proxy.seen.filter(isPut).map(({ headers }) => headers['if-none-match'])).toEqual(['*', '*']);
    expect(Buffer.from((await bench.load(stored)) as Uint8Array).toString()).toBe('abc');
  });

  it('again and again leaves it stored as well', async () => {
    bench.proxy.fault = (passing) => (isPut(passing) ? { kind: 'lose' } : undefined);
    const stored = await bench.store(Buffer.from('abc'));
    expect(Buffer.from((await bench.load(stored)) as Uint8Array).toString()).toBe('abc');
  });

  it('of the end of an upload leaves it stored', async () => {
    bench.proxy.fault = (passing) => (isComplete(passing) ? { kind: 'lose' } : undefined);
    const value = Buffer.alloc(9 * MIB, 'flowstone');
    const stored = await bench.store(value);
    bench.proxy.heal();
    expect(Buffer.compare((await bench.load(stored)) as Uint8Array, value)).toBe(0);
  });

  it('of a part is asked for again', async () => {
    let lost = 0;
    bench.proxy.fault = (passing) => (isPart(passing) && lost++ === 0 ? { kind: 'lose' } : undefined);
    const value = Buffer.alloc(9 * MIB, 'flowstone');
    expect(Buffer.compare((await bench.load(await bench.store(value))) as Uint8Array, value)).toBe(0);
  });
});

describe('an object that is there already', () => {
  it.each([
    ['whole', 3],
    ['in parts', 9 * MIB],
  ])('is not written over (%s), is told of, and stays', async (_, size) => {
    await bench.client.send(new PutObjectCommand({ ...bench.at(), Body: 'theirs' }));
    await expect(bench.store(Buffer.alloc(size))).rejects.toMatchObject({
      ...FAILED,
      message: expect.stringContaining(
        `s3://${bench.own.bucket}/values/${bench.path()} is there already and from elsewhere`,
      ),
    });
    const { Body } = await bench.client.send(new GetObjectCommand(bench.at()));
    expect(await Body!.transformToString()).toBe('theirs');
    expect(await bench.uploads()).toEqual([]);
  });

  it('is not looked for by a server that cannot, which is asked once', async () => {
    bench.proxy.fault = (passing) =>
      passing.headers['if-none-match'] ? { kind: 'refuse', status: 501, code: 'NotImplemented' } : undefined;
    const value = Buffer.alloc(9 * MIB, 'flowstone');
    expect(Buffer.compare((await bench.load(await bench.store(value))) as Uint8Array, value)).toBe(0);
    bench.proxy.seen.length = 0;
    bench.materialization++;
    expect(await bench.load(await bench.store({ a: 1 }))).toEqual({ a: 1 });
    expect(bench.proxy.seen.filter(isPut).map(({ headers }) => headers['if-none-match'])).toEqual([undefined]);
  });
});

describe('a value that cannot be stored', () => {
  it.each([
    ['its object', isPut, 3],
    ['one of its parts', ({ url }: Passing) => url.includes('partNumber=2&'), 40 * MIB],
    ['the begin of its upload', isBegin, 9 * MIB],
    ['the end of its upload', isComplete, 9 * MIB],
  ])(
    'since %s is refused, leaves nothing',
    async (_, which, size) => {
      bench.proxy.fault = (passing) =>
        which(passing) ? { kind: 'refuse', status: 500, code: 'InternalError' } : undefined;
      await expect(bench.store(Buffer.alloc(size))).rejects.toMatchObject({
        ...FAILED,
        message: expect.stringContaining('InternalError, says the proxy, InternalError, HTTP 500.'),
      });
      // Three times by the SDK.
      expect(bench.proxy.seen.filter(which)).toHaveLength(3);
      expect(await bench.keys()).toEqual([]);
      expect(await bench.uploads()).toEqual([]);
    },
    30_000,
  );

  it.each([
    ['its object', isPut, 3],
    ['the begin of its upload', isBegin, 9 * MIB],
    ['one of its parts', isPart, 9 * MIB],
  ])('since what answers yes to %s is no S3, is not taken for stored', async (_, which, size) => {
    bench.proxy.fault = (passing) => (which(passing) ? { kind: 'greet' } : undefined);
    await expect(bench.store(Buffer.alloc(size))).rejects.toMatchObject({
      ...FAILED,
      message: expect.stringMatching(/the answer is none of S3, since .*\. Correct `endpoint`\.$/),
    });
    expect(await bench.keys()).toEqual([]);
    expect(await bench.uploads()).toEqual([]);
  });

  it.each([
    ['while its object is sent', isPut, 3],
    ['while its parts are sent', isPart, 40 * MIB],
    ['while its upload ends', isComplete, 9 * MIB],
  ])(
    'since it is aborted %s, rejects with the reason at once and leaves nothing',
    async (_, which, size) => {
      let release = (): void => undefined;
      const until = new Promise<void>((resolve) => (release = resolve));
      bench.proxy.fault = (passing) => (which(passing) ? { kind: 'hold', until } : undefined);
      const controller = new AbortController();
      const reason = new Error('cancelled');
      const storing = bench.store(Buffer.alloc(size), {}, controller.signal);
      while (!bench.proxy.seen.some(which)) await settled();
      controller.abort(reason);
      await expect(storing).rejects.toBe(reason);
      expect(await bench.keys()).toEqual([]);
      expect(await bench.uploads()).toEqual([]);
      release();
    },
    30_000,
  );
});

describe('a connection that is cut', () => {
  it('while a value is read is taken up where it ended', async () => {
    const value = Buffer.alloc(3 * MIB, 'flowstone');
    const stored = await bench.store(value);
    bench.proxy.heal();
    let cuts = 0;
    bench.proxy.fault = (passing) => (isGet(passing) && cuts++ % 2 === 0 ? { kind: 'cut', after: 100_000 } : undefined);
    expect(Buffer.compare((await bench.load(stored)) as Uint8Array, value)).toBe(0);
    const ranges = bench.proxy.seen.filter(isGet).map(({ headers }) => headers.range);
    expect(ranges).toHaveLength(4);
    expect(Number(/\d+/.exec(ranges[1]!)![0])).toBeGreaterThan(0);
  });

  it('again and again is a failure in the end', async () => {
    const stored = await bench.store(Buffer.alloc(MIB));
    bench.proxy.fault = (passing) => (isGet(passing) ? { kind: 'cut', after: 10 } : undefined);
    await expect(bench.load(stored)).rejects.toMatchObject(FAILED);
    expect(bench.proxy.seen.filter(isGet)).toHaveLength(5);
  });
});

describe('a failure', () => {
  const stored = { location: { path: 'default/a/b/1-1.json', format: 'json', size: 1, checksum: 1 } } as never;

  it.each([
    ['a bucket that is not there', { bucket: 'not-there' }, 'Create the bucket, or correct `bucket`.'],
    ['a server that is not there', { endpoint: 'http://127.0.0.1:1' }, 'See that the server can be reached.'],
  ])('by %s says what to do, whatever is asked', async (_, options, words) => {
    bench.use(options);
    for (const act of [
      () => bench.load(stored),
      () => bench.manager.exists(bench.contextOf(stored)),
      () => bench.manager.delete(bench.contextOf(stored)),
      () => bench.store(1),
    ]) {
      await expect(act()).rejects.toMatchObject({ ...FAILED, message: expect.stringContaining(words) });
    }
  });

  it('by something that is no S3 is none of the value', async () => {
    const there = await bench.store({ a: 1 });
    bench.proxy.fault = (passing) => (isGet(passing) ? { kind: 'greet' } : undefined);
    const message = expect.stringContaining('the answer is none of S3, since it does not say how large the object is');
    await expect(bench.load(there)).rejects.toMatchObject({ ...FAILED, message });
  });

  it('by credentials says where to look what they must allow', async () => {
    bench.proxy.fault = () => ({ kind: 'refuse', status: 403, code: 'AccessDenied' });
    await expect(bench.load(stored)).rejects.toMatchObject({
      ...FAILED,
      message: expect.stringMatching(/(: HTTP 403|, HTTP 403). See docs\/io.md/),
    });
    await expect(bench.store(1)).rejects.toMatchObject({
      ...FAILED,
      message: expect.stringContaining('AccessDenied, says the proxy, AccessDenied, HTTP 403. See docs/io.md'),
    });
  });
});

describe('a client of S3 that is not installed', () => {
  it('is named when the manager opens, and needed by nothing else', async () => {
    const consumer = await mkdtemp(join(tmpdir(), 'flowstone-s3-'));
    try {
      await cp(projectFile('dist/lib'), join(consumer, 'lib'), { recursive: true });
      await writeFile(join(consumer, 'package.json'), '{ "type": "module" }');
      await mkdir(join(consumer, 'node_modules'));
      await symlink(projectFile('node_modules/canonicalize'), join(consumer, 'node_modules/canonicalize'), 'junction');
      const program = `
        const { S3IoManager } = await import('./lib/io/managers/s3.io-manager.js');
        const manager = new S3IoManager({ bucket: 'values' });
        await manager.open().catch((error) => console.log(error.code, error.message));`;
      const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program], { cwd: consumer });
      expect(stdout).toMatch(/^FLOWSTONE_PACKAGE_MISSING .*npm install @aws-sdk\/client-s3/);
    } finally {
      await rm(consumer, { recursive: true });
    }
  });
});

describe('a server that dies', () => {
  it('amid an upload fails the value, and once it is up again the manager goes on', async () => {
    const server = await startPrivateS3();
    const visitor = new S3Client(s3Connection(server.url));
    bench.use(s3Connection(server.url));
    try {
      await visitor.send(new CreateBucketCommand({ Bucket: bench.own.bucket }));
      const dying = async function* () {
        yield* rowsOfMib(20).rows;
        await server.down('SIGKILL');
        yield* rowsOfMib(20).rows;
      };
      await expect(bench.store(dying())).rejects.toMatchObject({
        ...FAILED,
        message: expect.stringContaining('See that the server can be reached.'),
      });
      await server.up();
      // It forgot everything.
      await expect(bench.store([1])).rejects.toMatchObject({ message: expect.stringContaining('Create the bucket') });
      await visitor.send(new CreateBucketCommand({ Bucket: bench.own.bucket }));
      expect(await bench.load(await bench.store([1]))).toEqual([1]);
    } finally {
      visitor.destroy();
      await server.stop();
    }
  }, 60_000);
});
