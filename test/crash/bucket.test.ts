// A process dies while it stores values in S3: another one computes them again, and the collector removes what was left.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { ListMultipartUploadsCommand, paginateListObjectsV2, S3Client } from '@aws-sdk/client-s3';
import type { DataSource } from 'typeorm';
import { FLOWSTONE_DATA_SOURCE, S3IoManager, type FlowStoneOptions } from '../../lib/index.js';
import { startApp } from '../behaviour/graph.js';
import { testStorage, type TestStorage } from '../behaviour/storages.js';
import { freshBucket, type FreshBucket } from '../services/buckets.js';
import { FaultyS3, type Fault, type Passing } from '../services/faulty-s3.js';
import { assets, Small } from './bucket-graph.mjs';
import { build, TIMES } from './survivor.js';

let storage: TestStorage;
let own: FreshBucket;
let proxy: FaultyS3;
let client: S3Client;

beforeAll(build, 120_000);
beforeEach(async () => {
  [storage, own] = await Promise.all([testStorage('postgres'), freshBucket()]);
  proxy = await FaultyS3.before(own.connection.endpoint);
  client = new S3Client(own.connection);
}, 300_000);
afterEach(async () => {
  client.destroy();
  await proxy.close();
  await Promise.all([storage.remove(), own.drop()]);
}, 60_000);

/** Runs a process until `fault` kills it. */
async function die(options: FlowStoneOptions, fault: (passing: Passing, kill: () => void) => Fault | undefined) {
  const s3 = { bucket: own.bucket, prefix: 'values', ...own.connection, endpoint: proxy.url };
  const program = join(import.meta.dirname, 'bucket.process.mjs');
  const child = spawn(process.execPath, [program, JSON.stringify({ options, s3 })], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  proxy.fault = (passing) => fault(passing, () => child.kill('SIGKILL'));
  const [, signal] = (await once(child, 'close')) as [number | null, string | null];
  expect(signal).toBe('SIGKILL');
}

async function keys(): Promise<string[]> {
  const all: string[] = [];
  for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket: own.bucket })) {
    for (const { Key = '' } of Contents) all.push(Key);
  }
  return all;
}

it.each<[string, (passing: Passing) => boolean, 'hold' | 'lose', { objects: number; uploads: number }]>([
  ['amid an upload', ({ url }) => url.includes('partNumber=2&'), 'hold', { objects: 0, uploads: 1 }],
  ['once an upload is an object', ({ method }) => method === 'POST', 'lose', { objects: 1, uploads: 0 }],
  ['once a small object is there', ({ url }) => url.includes('/reports/'), 'lose', { objects: 2, uploads: 0 }],
])(
  'a process that dies %s leaves what the collector finds, and nothing else is touched',
  async (_, at, kind, left) => {
    const retention = { every: false, orphans: 0, runs: 0 } as const;
    const options: FlowStoneOptions = { ...storage.options, ...TIMES, retention };
    await die(options, (passing, kill) => {
      const starts = passing.method === 'POST' && passing.url.includes('?uploads');
      if (starts || !at(passing)) return undefined;
      if (kind === 'lose') return { kind, answered: kill };
      kill();
      return { kind, until: new Promise(() => undefined) };
    });
    const uploads = async () =>
      (await client.send(new ListMultipartUploadsCommand({ Bucket: own.bucket }))).Uploads ?? [];
    expect({ objects: (await keys()).length, uploads: (await uploads()).length }).toEqual(left);

    const s3 = new S3IoManager({ bucket: own.bucket, prefix: 'values', ...own.connection });
    const { app, flowstone } = await startApp(assets, { ...options, io: 's3', managers: { s3 } });
    try {
      const run = await flowstone.materialize(Small, { runKey: 'the run' });
      expect(await run.wait()).toMatchObject({ status: 'success', counts: { total: 2, success: 2 } });
      expect(await flowstone.load(Small)).toEqual({ rows: 400 });
      expect(await flowstone.collect()).toMatchObject({ orphans: 1, values: 0 });
      const database: DataSource = app.get(FLOWSTONE_DATA_SOURCE);
      const heads = await database.query<{ path: string }[]>(
        `SELECT m.location ->> 'path' AS path FROM flowstone.heads h
        JOIN flowstone.materializations m ON m.id = h.materialization_id ORDER BY 1`,
      );
      expect(await keys()).toEqual(heads.map(({ path }) => `values/${path}`));
      expect(heads.map(({ path }) => path)).toEqual([
        expect.stringMatching(/^default\/large\/_\/\d+-\d\.jsonl$/),
        expect.stringMatching(/^default\/reports\/small\/\d+-\d\.json$/),
      ]);
      expect(await uploads()).toEqual([]);
    } finally {
      await app.close();
    }
  },
  60_000,
);
