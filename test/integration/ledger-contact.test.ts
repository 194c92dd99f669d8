// Leases after an outage of the database: who rescues must have been in contact with it.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import type { Ledger } from '../../lib/ledger/ledger.port.js';
import { ledgerDataSource } from '../../lib/ledger/sql/data-source.js';
import { LEASE, World, type LedgerUnderTest } from '../conformance/ledger.fixture.js';
import { sqlLedger } from '../conformance/ledger-sql.fixture.js';
import { freshDatabase, type FreshDatabase } from '../services/services.js';

let database: FreshDatabase;
let dataSource: DataSource;
let ledger: Ledger;
let pass: LedgerUnderTest['pass'];
let world: World;

beforeAll(async () => {
  database = await freshDatabase();
  dataSource = await ledgerDataSource({ url: database.url }, 'flowstone').initialize();
});

afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

beforeEach(async () => {
  ({ ledger, pass } = await sqlLedger(dataSource));
  world = new World(ledger, pass);
  await world.register('one', 'two');
  await world.run([{ asset: 'a' }]);
  await world.claimOne('one');
});

describe('the leases that an outage let expire', () => {
  it('are spared for a lease from when the rescuer is in contact again', async () => {
    // Seconds apart from what counts, since on a busy machine real time passes as well.
    await pass(LEASE - 4000);
    await ledger.renew('two', true);
    await pass(8000);
    expect(await ledger.rescue('two')).toMatchObject({ count: 0 });
    await pass(LEASE - 12_000);
    await ledger.renew('two');
    expect(await ledger.rescue('two')).toMatchObject({ count: 0 });
    await pass(8000);
    expect(await ledger.rescue('two')).toMatchObject({ count: 1 });
  });

  it('are spared when the rescuer\u2019s own had expired, though it saw no outage', async () => {
    await pass(LEASE + 1000);
    expect(await ledger.rescue('two')).toMatchObject({ count: 0 });
    await ledger.renew('two');
    expect(await ledger.rescue('two')).toMatchObject({ count: 0 });
    expect(await ledger.renew('one')).toMatchObject({ alive: true });
    await world.outlive('two');
    expect(await ledger.rescue('two')).toMatchObject({ count: 1 });
  });

  it('are spared after a restart of the server', async () => {
    await dataSource.query(`UPDATE flowstone.processes SET server_started = server_started - interval '1 day'`);
    await pass(LEASE - 1000);
    await ledger.renew('two');
    await pass(2000);
    expect(await ledger.rescue('two')).toMatchObject({ count: 0 });
    await world.outlive('two');
    expect(await ledger.rescue('two')).toMatchObject({ count: 1 });
  });

  it('are not spared by who enters while another is in contact, but by who finds nobody there', async () => {
    await world.outlive('two');
    await world.register('new');
    expect(await ledger.rescue('new')).toMatchObject({ count: 1 });
    await world.run([{ asset: 'b' }]);
    expect(await world.claim('two')).toHaveLength(2);
    await pass(2 * LEASE);
    await world.register('later');
    expect(await ledger.rescue('later')).toMatchObject({ count: 0 });
    await world.outlive('later');
    expect(await ledger.rescue('later')).toMatchObject({ count: 2 });
  });
});
