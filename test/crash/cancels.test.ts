// A process dies while it cancels a run that takes several transactions: whoever is there, or starts next, cancels the rest.
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { TestingModule } from '@nestjs/testing';
import type { DataSource } from 'typeorm';
import { FLOWSTONE_DATA_SOURCE, FlowStoneService, type FlowStoneOptions } from '../../lib/index.js';
import { startApp } from '../behaviour/graph.js';
import { SERVER_STORAGES, testStorage, type TestStorage } from '../behaviour/storages.js';
import { assets } from './crash-graph.mjs';
import { live, type Life } from './crash-process.js';
import { violations } from './invariants.js';
import { recordedValues } from './recorded-values.js';
import { build, TIMES } from './survivor.js';

/** Hours of Many. */
const TOTAL = 546 * 24;

let storage: TestStorage;
let options: FlowStoneOptions;

beforeAll(build, 120_000);

/**
 * A process that dies at the n-th of these points. Its timers, of which the end of the grace is one, take steps as well:
 * where cancelling is slow, maybe those it was to count to. It then ends with its run cancelled, and another one cancels anew.
 */
async function die(passage: number, more = 4): Promise<Life> {
  const patient = { ...options, cancelGrace: '1h' } as const;
  const life = await live({ options: patient, later: false, shutdown: false, cancel: true }, `amid-cancel:${passage}`);
  if (life.end === 0 && more > 0) return die(passage, more - 1);
  expect(life).toMatchObject({ end: 'SIGKILL' });
  return life;
}

async function expectCancelled(app: TestingModule, run: number): Promise<void> {
  const handle = app.get(FlowStoneService).run(run);
  await expect(handle.wait()).rejects.toMatchObject({ code: 'FLOWSTONE_RUN_CANCELLED' });
  expect((await handle.view()).counts).toMatchObject({ total: TOTAL, cancelled: TOTAL, pending: 0, running: 0 });
  const database: DataSource = app.get(FLOWSTONE_DATA_SOURCE);
  expect(await violations(database, recordedValues(database, join(options.directory!, 'values')))).toEqual([]);
}

describe.each(SERVER_STORAGES)('a large run that is cancelled by a process that dies amid it, on %s', (kind) => {
  beforeEach(async () => {
    storage = await testStorage(kind);
    options = { ...storage.options, ...TIMES };
  });
  afterEach(() => storage.remove());

  it.each([1, 2, 3])(
    'is cancelled to its end by the next one (death after step %i)',
    async (step) => {
      const { acknowledged } = await die(step);
      const { app } = await startApp(assets, options);
      await expectCancelled(app, acknowledged!);
      await app.close();
    },
    180_000,
  );
});

describe('a large run that is cancelled by a process that dies amid it, beside others', () => {
  it('is cancelled to its end by one of those', async () => {
    storage = await testStorage('postgres');
    options = { ...storage.options, ...TIMES };
    const { app } = await startApp(assets, options);
    const { acknowledged } = await die(1);
    await expectCancelled(app, acknowledged!);
    await app.close();
    await storage.remove();
  }, 180_000);
});
