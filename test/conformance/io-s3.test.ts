// The s3 manager against the published suite, on a real server.
import { afterAll, beforeAll, describe, it, jest } from '@jest/globals';
import { S3IoManager } from '../../lib/io/managers/s3.io-manager.js';
import { runIoConformance, type IoConformanceSubject } from '../../lib/testing/io-conformance.js';
import { freshBucket, type FreshBucket } from '../services/buckets.js';

// The largest values take seconds, and a multiple of that where the machine is busy.
jest.setTimeout(120_000);

let own: FreshBucket;
beforeAll(async () => {
  own = await freshBucket();
}, 300_000);
afterAll(async () => own?.drop());

let managers = 0;
// A prefix of its own for each, since the suite uses some addresses anew with each subject.
const create = (prefix: string) => () => new S3IoManager({ bucket: own.bucket, prefix, ...own.connection });
const suite = (subject: Omit<IoConformanceSubject, 'create'>) =>
  runIoConformance({ describe, it }, { ...subject, create: create(`suite/${++managers}`) });

suite({
  name: 's3',
  createBroken: () => new S3IoManager({ bucket: own.bucket, ...own.connection, endpoint: 'http://127.0.0.1:1' }),
});
suite({
  name: 's3, laid out by a template',
  options: { path: 'exports/{asset}/day={partition}' },
  createBroken: () => new S3IoManager({ bucket: `${own.bucket}-not-there`, ...own.connection }),
});
suite({ name: 's3, all in one folder, as bytes', options: { path: 'all', format: 'bytes' }, stores: ['bytes'] });
suite({ name: 's3, as JSON lines', options: { format: 'jsonl' }, stores: ['rows'] });
suite({ name: 's3, by gzip', options: { compression: 'gzip' } });
suite({ name: 's3, as Parquet', options: { format: 'parquet', schema: 'infer' }, stores: ['rows'] });
