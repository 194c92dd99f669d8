// Approvals that many want to decide at once, while their inputs move.
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { ledgerDataSource } from '../../lib/ledger/sql/data-source.js';
import { SqlLedger } from '../../lib/ledger/sql/sql-ledger.js';
import { attempt, World } from '../conformance/ledger.fixture.js';
import { freshDatabase, type FreshDatabase } from '../services/services.js';

let database: FreshDatabase;
let dataSource: DataSource;

beforeAll(async () => {
  database = await freshDatabase();
  dataSource = await ledgerDataSource({ url: database.url, poolSize: 12 }, 'flowstone').initialize();
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

it('does not stand in the way of an input that moves on while its last move is judged', async () => {
  const ledger = new SqlLedger({ dataSource, own: true, migrate: true, namespace: 'moving' });
  await ledger.open();
  const world = new World(ledger, async () => undefined);
  await world.register('one');
  const compute = async (dataVersion: string): Promise<number> => {
    await world.run([{ asset: 'a', forced: true }]);
    const claim = await world.claimOne();
    await world.succeed(claim, { dataVersion });
    return claim.id;
  };
  const first = await compute('1');
  await world.run([{ asset: 'b' }]);
  const asked = await ledger.approvals.ask(attempt(await world.claimOne()), {
    message: '?',
    rule: {
      ...{ assignees: { users: [], roles: [] }, quorum: 1, separationOfDuties: false, timeout: null },
      ...{ timeoutAction: null, extensions: 1, escalation: [], pinInputs: true, modifiable: false },
    },
    ...{ inputs: 'i', upstreams: 'a' },
    pins: [{ alias: 'a', asset: 'a', partition: '', materialization: first, dataVersion: '1' }],
  });
  await compute('2');
  const other = dataSource.createQueryRunner();
  try {
    await other.startTransaction();
    await other.query(
      'SELECT FROM flowstone.heads WHERE materialization_id = (SELECT max(materialization_id) FROM flowstone.heads) FOR UPDATE',
    );
    const firing = ledger.approvals.fireDue();
    const waits = 'SELECT FROM pg_stat_activity WHERE wait_event_type = $1 AND query LIKE $2';
    while ((await dataSource.query(waits, ['Lock', '%heads%FOR SHARE%'])).length === 0) await pause(5);
    // Sets the timer anew, and would wait for whoever has taken it.
    await other.query(
      `UPDATE flowstone.heads SET materialization_id = $1
      WHERE materialization_id = (SELECT max(materialization_id) FROM flowstone.heads)`,
      [first],
    );
    await other.commitTransaction();
    await firing;
  } finally {
    await other.release();
  }
  // It has gone back to where it was, so that nothing is void.
  if (asked.kind !== 'waiting') throw new Error(asked.kind);
  expect(await ledger.approvals.approval(asked.approval)).toMatchObject({ status: 'open' });
  await ledger.approvals.fireDue();
  expect(await ledger.approvals.approval(asked.approval)).toMatchObject({ status: 'open' });
  expect(await dataSource.query('SELECT FROM flowstone.timers')).toEqual([]);
});
