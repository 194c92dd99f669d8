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

@Asset({ io: 'postgres' })
class Prices {
  async *execute(): AsyncGenerator<{ item: string }> {
    yield { item: 'tea' };
  }
}

describe.each(DURABLE_STORAGES)('a transaction of the host on %s', (kind) => {
  let storage: TestStorage;
  let app: TestingModule;
  let flowstone: FlowStoneService;
  let host: DataSource;

  beforeEach(async () => {
    storage = await testStorage(kind);
    ({ app, flowstone } = await startApp([Orders, Invoice, Prices], storage.options));
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

  it('has its run begin at once when it commits, though nobody waits for it or polls', async () => {
    await app.close();
    ({ app, flowstone } = await startApp([Orders, Invoice], { ...storage.options, pollInterval: '10m' }));
    host = app.get<DataSource>(FLOWSTONE_DATA_SOURCE);
    // The looks at a start are over: what is asked for now is found by a ring alone.
    await flowstone.addPartitions('customers', ['ann', 'bob']);
    await (await flowstone.materialize(Invoice, { partition: 'ann' })).wait();
    const requested = performance.now();
    const run = await host.transaction((outer) =>
      outer.transaction(async (manager) => {
        await flowstone.addPartitions('customers', ['bob'], { manager });
        return flowstone.materialize(Invoice, { partition: 'bob', manager });
      }),
    );
    while ((await run.view()).status !== 'success') await new Promise(setImmediate);
    expect(performance.now() - requested).toBeLessThan(10_000);
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

  it('refuses to wait for a run whose transaction is still open', async () => {
    await flowstone.addPartitions('customers', ['ann']);
    const run = await host.transaction(async (manager) => {
      const requested = await flowstone.materialize(Invoice, { partition: 'ann', manager });
      await expect(requested.wait()).rejects.toMatchObject({ code: 'FLOWSTONE_RUN_NOT_COMMITTED' });
      return requested;
    });
    expect(await run.wait()).toMatchObject({ status: 'success' });
  });

  it('fails at once, embedded, what would wait for the transaction it is called in', async () => {
    await flowstone.addPartitions('customers', ['ann']);
    const before = await flowstone.materialize(Invoice, { partition: 'ann' });
    await (await flowstone.materialize(Prices)).wait();
    const prices = await flowstone.load(Prices);
    const calls = [
      () => prices.toArray(),
      () => flowstone.materialize(Invoice, { partition: 'ann' }),
      () => flowstone.ensure(Invoice, { partition: 'ann' }),
      () => flowstone.status(Invoice),
      () => flowstone.addPartitions('customers', ['bob']),
      () => before.view(),
      () => before.wait(),
      () => before.cancel(),
    ];
    if (kind === 'embedded') {
      await host.transaction(async () => {
        for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'FLOWSTONE_TRANSACTION_OPEN' });
      });
    } else {
      expect(await host.transaction(() => flowstone.status(Invoice))).toMatchObject({ partitions: 1 });
      expect(await host.transaction(() => prices.toArray())).toEqual([{ item: 'tea' }]);
    }
    expect(await before.wait()).toMatchObject({ status: 'success' });
    expect(await flowstone.status(Invoice)).toMatchObject({ fresh: 1 });
  });
});
