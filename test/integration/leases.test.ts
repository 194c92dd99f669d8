// The connection and the thread by which an application on PostgreSQL keeps its lease.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import {
  Asset,
  FLOWSTONE_DATA_SOURCE,
  RunFailed,
  type AssetContext,
  type Failure,
  type FlowStoneOptions,
} from '../../lib/index.js';
import { ledgerDataSource } from '../../lib/ledger/sql/data-source.js';
import { RESCUE_CAP } from '../../lib/ledger/transitions.js';
import { gate, startApp } from '../behaviour/graph.js';
import { testStorage, type TestStorage } from '../behaviour/storages.js';

const TIMES = { lease: 15_000, heartbeat: 300, sweep: 300 };

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

async function start(more: FlowStoneOptions = {}) {
  const { app, flowstone } = await startApp([Work], { ...storage.options, ...TIMES, ...more });
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

  it('is renewed over a connection of its own though its password is a function, which no thread can have', async () => {
    const { url } = storage.options.storage as { url: string };
    const { hostname, port, username, pathname } = new URL(url);
    const host = await new DataSource({
      ...{ type: 'postgres', host: hostname, port: Number(port), username, database: pathname.slice(1) },
      password: async () => 'asked for',
    }).initialize();
    const { app } = await start({ storage: { dataSource: host } });
    while ((await heartbeats(host)).length === 0);
    await app.close();
    expect(await heartbeats(host)).toEqual([]);
    await host.destroy();
  });

  it('that was lost with the same materialization too often is told of as its failure, by who finds the loss', async () => {
    const started = gate();
    execute = () => {
      started.open();
      return gate().opened;
    };
    const lost = await start({ lease: 7_200_000, heartbeat: 3_600_000, sweep: 3_600_000, drainDeadline: 1 });
    const run = await lost.flowstone.materialize(Work);
    await started.opened;
    await lost.dataSource.query(`UPDATE flowstone.materializations SET rescues = $1`, [RESCUE_CAP]);
    await lost.dataSource.query(
      `UPDATE flowstone.processes SET lease = 1000, lease_until = now() - interval '1 minute'`,
    );
    const failures: Failure[] = [];
    const finder = await start({ onFailure: (failure) => void failures.push(failure) });
    await expect(finder.flowstone.run(run.id).wait()).rejects.toThrow(RunFailed);
    const error = expect.objectContaining({ code: 'FLOWSTONE_WORKER_LOST' });
    expect(failures).toEqual([
      { run: run.id, asset: 'work', partition: undefined, attempt: 1, retrying: false, error },
    ]);
    await lost.app.close();
    await finder.app.close();
  });

  it('that was lost is entered anew however often that is refused', async () => {
    const { app, flowstone, dataSource } = await start();
    await dataSource.query(`ALTER TABLE flowstone.pools RENAME TO hidden`);
    await dataSource.query(`DELETE FROM flowstone.processes`);
    const refused = async (): Promise<boolean> => {
      const [{ count }] = await dataSource.query(`SELECT xact_rollback::integer AS count FROM pg_stat_database
        WHERE datname = current_database()`);
      return count > 0;
    };
    while (!(await refused())) await new Promise(setImmediate);
    await dataSource.query(`ALTER TABLE flowstone.hidden RENAME TO pools`);
    execute = () => 1;
    expect(await (await flowstone.materialize(Work)).wait()).toMatchObject({ status: 'success' });
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
