// A table in another database than the ledger's: written before its record, and by nobody who has lost the right to.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { TestingModule } from '@nestjs/testing';
import { Client } from 'pg';
import { DataSource } from 'typeorm';
import {
  Asset,
  DependsOn,
  PostgresIoManager,
  type AssetContext,
  type FlowStoneService,
  type InputsOf,
  type StoreContext,
} from '../../lib/index.js';
import { gate, startApp } from '../behaviour/graph.js';
import { freshDatabase, type FreshDatabase } from '../services/services.js';

const options = { table: 'public.stock', columns: { item: 'text', count: 'integer' } } as const;

@Asset({ io: 'warehouse', ...options })
class Stock {
  execute(): { item: string; count: number }[] {
    return [{ item: 'tea', count: 7 }];
  }
}
const inputs = { stock: Stock };
@Asset()
@DependsOn(inputs)
class Total {
  execute(_context: AssetContext, { stock }: InputsOf<typeof inputs>): number {
    return stock.reduce((sum, row) => sum + row.count, 0);
  }
}

describe('a table in another database', () => {
  let warehouse: FreshDatabase;
  let client: Client;
  let manager: PostgresIoManager;
  let app: TestingModule;
  let flowstone: FlowStoneService;

  beforeAll(async () => {
    warehouse = await freshDatabase();
    client = new Client({ connectionString: warehouse.url });
    await client.connect();
    manager = new PostgresIoManager({ url: warehouse.url });
    ({ app, flowstone } = await startApp([Stock, Total], { storage: 'memory', managers: { warehouse: manager } }));
    await (await flowstone.materialize(Total)).wait();
  });
  afterAll(async () => {
    await app.close();
    await client.end();
    await warehouse.drop();
  });

  const rows = async () => (await client.query<{ item: string }>('SELECT item, count FROM public.stock')).rows;
  const store = (item: string, epoch: number, holds: StoreContext['holds']) =>
    manager.store(
      {
        ...{ namespace: 'default', asset: 'stock', partition: undefined, materialization: 1000, epoch, options },
        ...{ signal: new AbortController().signal, ...(holds && { holds }) },
      },
      [{ item, count: 1 }],
    );

  it('is not the one of the ledger, which has a manager of its own', async () => {
    const place = await freshDatabase();
    const dataSource = new DataSource({ type: 'postgres', url: place.url });
    const own = new PostgresIoManager({ dataSource });
    await expect(startApp([], { storage: { dataSource }, managers: { own } })).rejects.toMatchObject({
      code: 'FLOWSTONE_OPTIONS_INVALID',
      message: expect.stringContaining("Use the built-in 'postgres'"),
    });
    await place.drop();
  });

  it('is read by plain SQL and by what depends on it', async () => {
    expect(await flowstone.load(Total)).toBe(7);
    expect(await rows()).toEqual([{ item: 'tea', count: 7 }]);
  });

  it('stays as it is where an attempt that may not commit any more would replace it', async () => {
    await expect(store('by a stale attempt', 1, async () => false)).rejects.toMatchObject({
      code: 'FLOWSTONE_IO_FAILED',
      message: expect.stringContaining('lost its lease'),
    });
    expect(await rows()).toEqual([{ item: 'tea', count: 7 }]);
    expect(await flowstone.load(Stock)).toEqual([{ item: 'tea', count: 7 }]);
  });

  it('ends with the rows of the successor, though the attempt before it was asked first', async () => {
    const [asked, answer] = [gate(), gate<boolean>()];
    const before = store('of the first', 1, () => {
      asked.open();
      return answer.opened;
    });
    await asked.opened;
    // It waits for the first one, which is asked with the lock on the rows.
    const successor = store('of the second', 2, async () => true);
    answer.open(true);
    await Promise.all([before, successor]);
    expect(await rows()).toEqual([{ item: 'of the second', count: 1 }]);
  });

  it('that is ahead of its record keeps readers waiting, until the next attempt has replaced it', async () => {
    const run = await flowstone.materialize(Total, { force: true });
    const waited = run.wait();
    await (await flowstone.materialize(Stock, { force: true })).wait();
    expect((await waited).status).toBe('success');
    expect(await flowstone.load(Total)).toBe(7);
    expect((await flowstone.history(Total)).items[0]).toMatchObject({ attempts: 1, status: 'success' });
  });
});
