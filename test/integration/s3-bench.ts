// A bucket of its own for the tests of values in S3, a proxy before its server, and a manager that goes through it.
import { afterAll, afterEach, beforeAll, beforeEach } from '@jest/globals';
import { ListMultipartUploadsCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import type { S3Options } from '../../lib/io/blobs/s3/s3.options.js';
import type { LoadContext, StoredValue } from '../../lib/io/io-manager.port.js';
import { S3IoManager } from '../../lib/io/managers/s3.io-manager.js';
import { freshBucket, type FreshBucket } from '../services/buckets.js';
import { FaultyS3, type Passing } from '../services/faulty-s3.js';

export const MIB = 2 ** 20;
export const FAILED = { code: 'FLOWSTONE_IO_FAILED', retryable: true };
/** Of the values that are stored. */
export const where = { namespace: 'default', asset: 'some.asset', partition: 'a/b' };

export const isPut = ({ method, url }: Passing) => method === 'PUT' && !url.includes('partNumber');
export const isPart = ({ method, url }: Passing) => method === 'PUT' && url.includes('partNumber');
export const isBegin = ({ method, url }: Passing) => method === 'POST' && url.includes('?uploads');
export const isComplete = ({ method, url }: Passing) => method === 'POST' && url.includes('uploadId=');
export const isGet = ({ method, url }: Passing) => method === 'GET' && url.includes('some.asset');

/** Anew for each test: the manager, and the materialization whose values are stored. */
export class S3Bench {
  own!: FreshBucket;
  /** Of the tests, past the proxy. */
  client!: S3Client;
  proxy!: FaultyS3;
  manager!: S3IoManager;
  materialization = 0;

  constructor() {
    beforeAll(async () => {
      this.own = await freshBucket();
      this.client = new S3Client(this.own.connection);
      this.proxy = await FaultyS3.before(this.own.connection.endpoint);
    }, 300_000);
    beforeEach(() => {
      this.materialization++;
      this.proxy.heal();
      this.use();
    });
    afterEach(() => this.manager.close());
    afterAll(async () => {
      await this.proxy?.close();
      this.client?.destroy();
      await this.own?.drop();
    }, 60_000);
  }

  /** Has another manager, with these options instead of the usual ones. */
  use(options: Partial<S3Options> = {}): void {
    const { bucket, connection } = this.own;
    this.manager = new S3IoManager({ bucket, prefix: 'values', ...connection, endpoint: this.proxy.url, ...options });
  }

  async store(
    value: unknown,
    options: LoadContext['options'] = {},
    signal: AbortSignal = new AbortController().signal,
  ) {
    const { materialization } = this;
    return this.manager.store({ ...where, materialization, epoch: 1, options, signal }, value);
  }

  contextOf({ location }: Pick<StoredValue, 'location'>): LoadContext {
    return { ...where, location, options: {} };
  }

  async load(stored: Pick<StoredValue, 'location'>): Promise<unknown> {
    return this.manager.load(this.contextOf(stored));
  }

  /** Where the value of the test lies below the prefix. */
  path(extension = 'bin'): string {
    return `default/some.asset/a%2Fb/${this.materialization}-1.${extension}`;
  }

  at(path = this.path()): { Bucket: string; Key: string } {
    return { Bucket: this.own.bucket, Key: `values/${path}` };
  }

  /** Of the values of the test. */
  async keys(): Promise<(string | undefined)[]> {
    const within = { Bucket: this.own.bucket, Prefix: `values/${this.path('')}` };
    const { Contents = [] } = await this.client.send(new ListObjectsV2Command(within));
    return Contents.map(({ Key }) => Key);
  }

  /** All uploads in parts that were not ended. */
  async uploads(): Promise<unknown[]> {
    const { Uploads = [] } = await this.client.send(new ListMultipartUploadsCommand({ Bucket: this.own.bucket }));
    return Uploads;
  }
}

/** Rows that make about so many MiB of JSON lines; `taken` tells how many were. */
export function rowsOfMib(mib: number) {
  const text = 'x'.repeat(MIB / 16 - 20);
  const taken = { count: 0, perMib: 16 };
  const rows = async function* () {
    for (; taken.count < mib * taken.perMib; taken.count++) yield { id: taken.count, text };
  };
  return { rows: rows(), taken };
}

/** Long enough for whatever can go on to go on. */
export async function settled(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 300));
}
