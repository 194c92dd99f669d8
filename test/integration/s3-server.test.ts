// The S3 server that tests stand on, through the SDK alone: that it keeps the rules which values rely on.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type PutObjectCommandInput,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { freshBucket, type FreshBucket, s3Connection } from '../services/buckets.js';
import { startPrivateS3 } from '../services/server.mjs';

const PART = 5 * 1024 * 1024;
const TAKEN = { name: 'PreconditionFailed', $metadata: { httpStatusCode: 412 } };

let own: FreshBucket;
let client: S3Client;

beforeAll(async () => {
  own = await freshBucket();
  client = new S3Client(own.connection);
}, 300_000);

afterAll(async () => {
  client?.destroy();
  await own?.drop();
}, 60_000);

function put(Key: string, Body: string, rest: Partial<PutObjectCommandInput> = {}) {
  return client.send(new PutObjectCommand({ Bucket: own.bucket, Key, Body, ...rest }));
}

async function read(Key: string, Range?: string): Promise<string | undefined> {
  const { Body } = await client.send(new GetObjectCommand({ Bucket: own.bucket, Key, Range }));
  return Body?.transformToString();
}

async function uploadInParts(Key: string, parts: readonly Uint8Array[], IfNoneMatch?: string): Promise<void> {
  const target = { Bucket: own.bucket, Key };
  const { UploadId } = await client.send(new CreateMultipartUploadCommand(target));
  const Parts = await Promise.all(
    parts.map(async (Body, index) => {
      const PartNumber = index + 1;
      const { ETag } = await client.send(new UploadPartCommand({ ...target, UploadId, PartNumber, Body }));
      return { PartNumber, ETag };
    }),
  );
  const upload = { ...target, UploadId, MultipartUpload: { Parts }, IfNoneMatch };
  await client.send(new CompleteMultipartUploadCommand(upload));
}

describe('the S3 server', () => {
  it('gives back what was put, whole or a range of it', async () => {
    await put('greeting', 'hello');
    expect(await read('greeting')).toBe('hello');
    expect(await read('greeting', 'bytes=1-3')).toBe('ell');
    await expect(read('nothing')).rejects.toMatchObject({ name: 'NoSuchKey' });
  });

  it('lets one of many win who put a key that must not exist', async () => {
    const race = await Promise.allSettled(
      Array.from({ length: 16 }, async (_, nth) => {
        await put('race', String(nth), { IfNoneMatch: '*' });
        return String(nth);
      }),
    );
    const won = race.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
    expect(won).toEqual([await read('race')]);
    const lost = race.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
    expect(lost).toHaveLength(15);
    // A server may also tell one of them that it met another amid its own put.
    for (const error of lost) expect(['PreconditionFailed', 'ConditionalRequestConflict']).toContain(error.name);
    await expect(put('race', 'late', { IfNoneMatch: '*' })).rejects.toMatchObject(TAKEN);
  });

  it('checks If-None-Match when an upload in parts completes, and changes nothing', async () => {
    await uploadInParts('parts', [new Uint8Array(PART).fill(49), new Uint8Array(3).fill(50)], '*');
    expect(await read('parts', `bytes=${PART - 1}-`)).toBe('1222');
    await put('before', 'hello');
    await expect(uploadInParts('before', [new Uint8Array(3)], '*')).rejects.toMatchObject(TAKEN);
    expect(await read('before')).toBe('hello');
  }, 60_000);

  it('refuses parts below 5 MiB but for the last', async () => {
    const parts = [new Uint8Array(1000), new Uint8Array(3)];
    await expect(uploadInParts('small', parts)).rejects.toMatchObject({ name: 'EntityTooSmall' });
  });

  it('keeps every key as it is', async () => {
    const keys = [
      'a//b',
      'x/../y',
      './dot',
      '100%25 + ?x=1&y',
      'sl\\ash',
      `q'uo"te`,
      '<&>',
      'ü/日本',
      'e\u0301',
      '\u00e9',
    ];
    await Promise.all(keys.map((key) => put(`keys/${key}`, key)));
    expect(await Promise.all(keys.map((key) => read(`keys/${key}`)))).toEqual(keys);
    const { Contents } = await client.send(new ListObjectsV2Command({ Bucket: own.bucket, Prefix: 'keys/' }));
    expect(Contents?.map(({ Key }) => Key).toSorted()).toEqual(keys.map((key) => `keys/${key}`).toSorted());
  });
});

describe('a private S3 server', () => {
  it('is taken down and up again, and then is empty', async () => {
    const server = await startPrivateS3();
    const visitor = new S3Client({ ...s3Connection(server.url), maxAttempts: 1 });
    try {
      await visitor.send(new CreateBucketCommand({ Bucket: 'kept' }));
      await server.down('SIGKILL');
      await expect(visitor.send(new ListObjectsV2Command({ Bucket: 'kept' }))).rejects.toThrow('ECONNREFUSED');
      await server.up();
      await expect(visitor.send(new ListObjectsV2Command({ Bucket: 'kept' }))).rejects.toMatchObject({
        name: 'NoSuchBucket',
      });
    } finally {
      visitor.destroy();
      await server.stop();
    }
  }, 60_000);
});
