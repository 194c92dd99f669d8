// Where tests and benches get a bucket of their own on the S3 server of the run, and how a client reaches it.
import { randomBytes } from 'node:crypto';
import {
  AbortMultipartUploadCommand,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  ListMultipartUploadsCommand,
  paginateListObjectsV2,
  S3Client,
} from '@aws-sdk/client-s3';
import { s3Url } from './services.js';

/** A bucket of a test's own, and what a client of it is made with. */
export interface FreshBucket {
  readonly bucket: string;
  readonly connection: {
    readonly endpoint: string;
    readonly region: string;
    readonly forcePathStyle: true;
    readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  };
  /** Removes it with all that it holds, unfinished uploads too. */
  drop(): Promise<void>;
}

/** An empty bucket of S3 that no other test uses; drop it in `afterAll`. Starts the server if need be. */
export async function freshBucket(): Promise<FreshBucket> {
  const connection = s3Connection(await s3Url());
  const bucket = `flowstone-test-${randomBytes(8).toString('hex')}`;
  await withS3(connection, (client) => client.send(new CreateBucketCommand({ Bucket: bucket })));
  return { bucket, connection, drop: () => withS3(connection, (client) => removeBucket(client, bucket)) };
}

/** What a client of the test server at `endpoint` is made with. */
export function s3Connection(endpoint: string): FreshBucket['connection'] {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION } = process.env;
  return {
    endpoint,
    region: AWS_REGION ?? 'us-east-1',
    forcePathStyle: true,
    credentials: {
      accessKeyId: AWS_ACCESS_KEY_ID ?? 'flowstone',
      secretAccessKey: AWS_SECRET_ACCESS_KEY ?? 'flowstone',
    },
  };
}

async function withS3<T>(connection: FreshBucket['connection'], act: (client: S3Client) => Promise<T>): Promise<T> {
  const client = new S3Client(connection);
  try {
    return await act(client);
  } finally {
    client.destroy();
  }
}

async function removeBucket(client: S3Client, Bucket: string): Promise<void> {
  const uploads = () => client.send(new ListMultipartUploadsCommand({ Bucket }));
  for (let page = await uploads(); page.Uploads?.length; page = await uploads()) {
    for (const { Key, UploadId } of page.Uploads) {
      await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }));
    }
  }
  for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket })) {
    await Promise.all(Contents.map(({ Key }) => client.send(new DeleteObjectCommand({ Bucket, Key }))));
  }
  await client.send(new DeleteBucketCommand({ Bucket }));
}
