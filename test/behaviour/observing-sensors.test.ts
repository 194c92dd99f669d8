// Sensors of tables and buckets: what is new there is requested once, also what comes late or shares its time with others.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { Inject } from '@nestjs/common';
import type { TestingModule } from '@nestjs/testing';
import type { DataSource } from 'typeorm';
import {
  Asset,
  FLOWSTONE_DATA_SOURCE,
  S3ObjectsSensor,
  Sensor,
  TableSensor,
  type FlowStoneService,
  type ListedObject,
  type S3Options,
  type SeenRow,
  type SensorAnswer,
} from '../../lib/index.js';
import { freshBucket, type FreshBucket } from '../services/buckets.js';
import { startApp } from './graph.js';
import { testStorage, type TestStorage } from './storages.js';

let seen: string[] = [];
let app: TestingModule | undefined;
let flowstone: FlowStoneService;

@Asset()
class Target {
  execute(): number {
    return 1;
  }
}

const evaluate = () => flowstone.sensors.evaluateNow('watching');
/** Until there is nothing more. */
const all = async (): Promise<string[]> => {
  while ((await evaluate()).status === 'requested');
  return seen.splice(0);
};

describe('a sensor of a table', () => {
  let storage: TestStorage;
  let database: DataSource;

  beforeEach(async () => {
    seen = [];
    storage = await testStorage('postgres');
  });
  afterEach(async () => {
    await app?.close();
    app = undefined;
    await storage.remove();
  });

  async function start(sensor: Parameters<typeof startApp>[0][number]): Promise<void> {
    ({ app, flowstone } = await startApp([Target, sensor], { ...storage.options, triggers: false }));
    database = app.get(FLOWSTONE_DATA_SOURCE);
    await database.query(
      'CREATE TABLE public."Payments" (id bigint PRIMARY KEY, amount integer, changed timestamptz DEFAULT now())',
    );
  }
  const insert = (...ids: number[]) =>
    database.query('INSERT INTO public."Payments" (id, amount) SELECT id, id * 10 FROM unnest($1::bigint[]) id', [ids]);

  @Sensor({ every: '1h', name: 'watching' })
  class Payments extends TableSensor<{ amount: number }> {
    readonly table: string = 'public.Payments';
    readonly watermark: string = 'changed';
    readonly key = 'id';
    override readonly columns: readonly string[] = ['amount'];
    constructor(@Inject(FLOWSTONE_DATA_SOURCE) readonly source: DataSource) {
      super();
    }
    onRows(rows: readonly SeenRow<{ amount: number }>[]): SensorAnswer<never> {
      seen.push(...rows.map(({ key, row }) => `${key}: ${row.amount}`));
      return { runs: [{ target: Target, runKey: `to ${rows.at(-1)!.key}` }] };
    }
  }

  it('sees rows that come after its first evaluation once, changed ones again, late ones as well', async () => {
    await start(Payments);
    await insert(1, 2);
    expect(await all()).toEqual([]);
    // Begun before the next ones, and so with an earlier time, it commits after they were seen.
    const late = database.createQueryRunner();
    await late.startTransaction();
    await late.query('INSERT INTO public."Payments" (id, amount) VALUES (3, 30)');
    await insert(4, 5);
    expect(await all()).toEqual(['4: 40', '5: 50']);
    expect(await all()).toEqual([]);
    await late.commitTransaction();
    await late.release();
    expect(await all()).toEqual(['3: 30']);
    await database.query('UPDATE public."Payments" SET amount = 11, changed = now() WHERE id = 1');
    expect(await all()).toEqual(['1: 11']);
    // A clock that was wrong hides nothing.
    await database.query(
      `INSERT INTO public."Payments" VALUES (6, 60, now() + interval '1 year'), (7, 70, 'infinity')`,
    );
    await insert(8);
    expect(await all()).toEqual(['8: 80', '6: 60']);
    await insert(9);
    expect(await all()).toEqual(['9: 90']);
  });

  it('sees many rows of one time page by page', async () => {
    @Sensor({ every: '1h', name: 'watching' })
    class Existing extends Payments {
      override readonly existing = true;
    }
    await start(Existing);
    await insert(...Array.from({ length: 1234 }, (_, n) => n));
    const rows = await all();
    expect(rows).toHaveLength(1234);
    expect(new Set(rows).size).toBe(1234);
    await insert(5000);
    expect(await all()).toEqual(['5000: 50000']);
  });

  it('sees rows by a number', async () => {
    @Sensor({ every: '1h', name: 'watching' })
    class Numbered extends Payments {
      override readonly watermark = 'id';
      override readonly kind = 'number';
      override readonly window = 10;
    }
    await start(Numbered);
    expect(await all()).toEqual([]);
    await insert(100, 104);
    expect(await all()).toEqual(['100: 1000', '104: 1040']);
    await insert(97, 103);
    expect(await all()).toEqual(['97: 970', '103: 1030']);
    expect(await all()).toEqual([]);
  });

  it('refuses names that are none', async () => {
    @Sensor({ every: '1h', name: 'watching' })
    class Injected extends Payments {
      override readonly table = 'payments"; DROP TABLE x; --';
    }
    await start(Injected);
    expect(await evaluate()).toMatchObject({ status: 'failed', reason: expect.stringMatching(/plain names/) });
  });
});

describe('a sensor of a bucket', () => {
  let fresh: FreshBucket;
  let client: S3Client;

  beforeAll(async () => {
    fresh = await freshBucket();
    client = new S3Client(fresh.connection);
  }, 60_000);
  afterAll(async () => {
    client.destroy();
    await fresh.drop();
  });
  afterEach(async () => {
    await app?.close();
    app = undefined;
  });

  const put = (Key: string, Body: string) => client.send(new PutObjectCommand({ Bucket: fresh.bucket, Key, Body }));

  it('sees each new object below its prefix once, and those that are written again', async () => {
    seen = [];
    @Sensor({ every: '1h', name: 'watching' })
    class Uploads extends S3ObjectsSensor {
      readonly bucket: S3Options = { bucket: fresh.bucket, prefix: 'in', ...fresh.connection };
      onObjects(objects: readonly ListedObject[]): SensorAnswer<never> {
        seen.push(...objects.map(({ key, size }) => `${key} ${size}`).sort());
        return { runs: objects.map(({ key, etag }) => ({ target: Target, runKey: `${key} ${etag}` })) };
      }
    }
    await put('in/before', 'x');
    ({ app, flowstone } = await startApp([Target, Uploads], { storage: 'memory', triggers: false }));
    expect(await all()).toEqual([]);
    // Of one second, and not in the order of their keys.
    await put('in/m', 'one');
    await put('out/m', 'not ours');
    expect(await all()).toEqual(['in/m 3']);
    await put('in/a', 'two');
    await put('in/z', 'three');
    expect(await all()).toEqual(['in/a 3', 'in/z 5']);
    await put('in/before', 'changed');
    expect(await all()).toEqual(['in/before 7']);
    expect((await flowstone.runs({}, { limit: 10 })).items).toHaveLength(4);
  });
});
