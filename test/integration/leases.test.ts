// The connection and the thread by which an application on PostgreSQL keeps its lease.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { Asset, FLOWSTONE_DATA_SOURCE, type AssetContext } from '../../lib/index.js';
import { ledgerDataSource } from '../../lib/ledger/sql/data-source.js';
import { gate, startApp } from '../behaviour/graph.js';
import { testStorage, type TestStorage } from '../behaviour/storages.js';

const TIMES = { lease: 1500, heartbeat: 300, sweep: 300 };

let storage: TestStorage;

beforeEach(async () => {
  storage = await testStorage('postgres');
});
afterEach(() => storage.remove());

let execute: (context: AssetContext) => unknown = () => undefined;

@Asset()
class Work {
  execute(context: AssetContext): unknown {
    return execute(context);
  }
}

async function start() {
  const { app, flowstone } = await startApp([Work], { ...storage.options, ...TIMES });
  const dataSource: DataSource = app.get(FLOWSTONE_DATA_SOURCE);
  return { app, flowstone, dataSource };
}

const heartbeats = (dataSource: DataSource): Promise<{ pid: number }[]> =>
  dataSource.query(
    `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'flowstone heartbeat'`,
  );

describe('a lease', () => {
  it('is renewed again when its connection was cut, and nothing is aborted', async () => {
    const { app, flowstone, dataSource } = await start();
    const started = gate();
    const go = gate();
    execute = async ({ signal }) => {
      started.open();
      await go.opened;
      return signal.aborted;
    };
    const run = await flowstone.materialize(Work);
    await started.opened;
    let cuts = 0;
    while (cuts < 3) {
      const found = await heartbeats(dataSource);
      for (const { pid } of found) await dataSource.query('SELECT pg_terminate_backend($1)', [pid]);
      cuts += found.length;
    }
    go.open();
    await run.wait();
    expect(await flowstone.load(Work)).toBe(false);
    await app.close();
  });

  it('leaves no connection and no thread behind', async () => {
    const { app, dataSource } = await start();
    while ((await heartbeats(dataSource)).length === 0);
    await app.close();
    const watch = ledgerDataSource(storage.options.storage as { url: string }, 'flowstone');
    await watch.initialize();
    expect(await heartbeats(watch)).toEqual([]);
    await watch.destroy();
  });
});
