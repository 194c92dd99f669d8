// Requests and acts inside a transaction of the host's, through the service.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { TestingModule } from '@nestjs/testing';
import type { DataSource } from 'typeorm';
import {
  Asset,
  DependsOn,
  ExternalAsset,
  FLOWSTONE_DATA_SOURCE,
  Partitions,
  type AssetContext,
  type FlowStoneService,
} from '../../lib/index.js';
import { startApp } from './graph.js';
import { DURABLE_STORAGES, testStorage, type TestStorage } from './storages.js';

@Asset({ external: true })
class Orders extends ExternalAsset<number> {}

@Asset({ partitions: Partitions.dynamic('customers') })
@DependsOn({ orders: Orders })
class Invoice {
  execute({ partition }: AssetContext): string {
    return `to ${partition.key}`;
  }
}

describe.each(DURABLE_STORAGES)('a transaction of the host on %s', (kind) => {
  let storage: TestStorage;
  let app: TestingModule;
  let flowstone: FlowStoneService;
  let host: DataSource;

  beforeEach(async () => {
    storage = await testStorage(kind);
    ({ app, flowstone } = await startApp([Orders, Invoice], storage.options));
    host = app.get<DataSource>(FLOWSTONE_DATA_SOURCE);
    await host.query('CREATE TABLE customer (name text PRIMARY KEY)');
  });
  afterEach(async () => {
    await app.close();
    await storage.remove();
  });

  it('takes a run of a partition that it added itself, and the run begins once it commits', async () => {
    const run = await host.transaction(async (manager) => {
      await manager.query("INSERT INTO customer VALUES ('ann')");
      await flowstone.addPartitions('customers', ['ann'], { manager });
      return flowstone.materialize(Invoice, { partition: 'ann', manager });
    });
    expect(await run.wait()).toMatchObject({ status: 'success', counts: { success: 1 } });
    expect(await flowstone.load(Invoice, { partition: 'ann' })).toBe('to ann');
  });

  it('takes all of it away when it rolls back', async () => {
    await flowstone.addPartitions('customers', ['ann']);
    await (await flowstone.materialize(Invoice, { partition: 'ann' })).wait();
    const rolledBack = host.transaction(async (manager) => {
      await flowstone.addPartitions('customers', ['bob'], { manager });
      await flowstone.materialize(Invoice, { partitions: ['ann', 'bob'], force: true, manager });
      await flowstone.reportVersion(Orders, { dataVersion: '2' }, { manager });
      await flowstone.invalidate(Invoice, { partition: 'ann', manager });
      throw new Error('the host changed its mind');
    });
    await expect(rolledBack).rejects.toThrow('the host changed its mind');
    expect((await flowstone.runs()).items).toHaveLength(1);
    expect((await flowstone.partitions(Invoice)).size).toBe(1);
    expect(await flowstone.status(Invoice, 'ann')).toEqual({ state: 'fresh', reasons: [] });
  });
});
