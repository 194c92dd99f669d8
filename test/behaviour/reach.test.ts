// How far a request reaches: upstream, downstream, force, and cancelling before anything is planned.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { TestingModule } from '@nestjs/testing';
import {
  Asset,
  DependsOn,
  Partitions,
  within,
  type AssetContext,
  type FlowStoneService,
  type InputsOf,
} from '../../lib/index.js';
import { startApp } from './graph.js';
import { STORAGES, testStorage, type TestStorage } from './storages.js';

let computed: string[] = [];

const days = Partitions.daily({ start: '2001-01-30', end: '2001-02-03' });

@Asset({ partitions: days })
class Readings {
  execute({ partition }: AssetContext): number {
    computed.push(`readings ${partition.key}`);
    return partition.window.start.getUTCDate();
  }
}
const dailyInputs = { readings: Readings };
@Asset({ partitions: 'inherit' })
@DependsOn(dailyInputs)
class Doubled {
  execute({ partition }: AssetContext, { readings }: InputsOf<typeof dailyInputs>): number {
    computed.push(`doubled ${partition.key}`);
    return readings * 2;
  }
}
const monthlyInputs = { doubled: within(Doubled) };
@Asset({ partitions: Partitions.monthly({ start: '2001-01-01', end: '2001-03-01' }) })
@DependsOn(monthlyInputs)
class Monthly {
  async execute({ partition }: AssetContext, { doubled }: InputsOf<typeof monthlyInputs>): Promise<number> {
    computed.push(`monthly ${partition.key}`);
    let sum = 0;
    for await (const [, value] of doubled) sum += value;
    return sum;
  }
}

describe.each(STORAGES)('a request on %s', (kind) => {
  let storage: TestStorage;
  let app: TestingModule;
  let flowstone: FlowStoneService;

  beforeEach(async () => {
    storage = await testStorage(kind);
    ({ app, flowstone } = await startApp([Readings, Doubled, Monthly], storage.options));
    await (await flowstone.materialize(Monthly, { partitions: 'all' })).wait();
    computed = [];
  });
  afterEach(async () => {
    await app.close();
    await storage.remove();
  });

  it('forces the named target only, and cuts off below it', async () => {
    const options = { partition: '2001-01-30', force: true, downstream: true };
    const plan = await flowstone.plan(Readings, options);
    const planned: string[] = [];
    for (const { asset, partition, inclusion } of plan.entries()) planned.push(`${asset} ${partition} ${inclusion}`);
    expect(planned).toEqual([
      'readings 2001-01-30 certain',
      'doubled 2001-01-30 conditional',
      'monthly 2001-01 conditional',
    ]);
    expect(computed).toEqual([]);
    const { counts } = await (await flowstone.materialize(Readings, options)).wait();
    expect(computed).toEqual(['readings 2001-01-30']);
    expect(counts).toMatchObject({ total: 3, success: 1, skipped: 2 });
  });

  it('forces every upstream with upstream: all', async () => {
    await (await flowstone.materialize(Monthly, { partition: '2001-02', upstream: 'all' })).wait();
    // Those of one asset run at once, in no order.
    expect(computed.filter((entry) => !entry.startsWith('monthly')).sort()).toEqual([
      'doubled 2001-02-01',
      'doubled 2001-02-02',
      'readings 2001-02-01',
      'readings 2001-02-02',
    ]);
  });

  it('adds nothing with upstream: none, and fails what has no input', async () => {
    await flowstone.delete(Readings, { partition: '2001-02-01' });
    await flowstone.delete(Doubled, { partition: '2001-02-01' });
    const handle = await flowstone.materialize(Doubled, { partition: '2001-02-01', upstream: 'none' });
    await expect(handle.wait()).rejects.toMatchObject({ code: 'FLOWSTONE_RUN_FAILED' });
    expect(computed).toEqual([]);
    await (await flowstone.materialize(Monthly, { partitions: 'stale' })).wait();
    expect(computed).toEqual(['readings 2001-02-01', 'doubled 2001-02-01']);
    expect(await flowstone.load(Monthly, { partition: '2001-02' })).toBe(6);
  });

  it('ends cancelled when it is cancelled before or amid its planning', async () => {
    const handle = await flowstone.materialize([Readings, Monthly], { partitions: 'all', force: true });
    await handle.cancel('changed my mind');
    await expect(handle.wait()).rejects.toMatchObject({ code: 'FLOWSTONE_RUN_CANCELLED' });
    expect((await handle.view()).counts).toMatchObject({ pending: 0, running: 0 });
    expect(await flowstone.status(Doubled)).toMatchObject({ partitions: 4, missing: 0 });
  });
});
