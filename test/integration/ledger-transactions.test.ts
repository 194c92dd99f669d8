// Requests and acts inside a transaction of the host's, and several ledgers in one database.
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { AsyncLocalStorage } from 'node:async_hooks';
import { DataSource } from 'typeorm';
import { markTransactions } from '../../lib/ledger/embedded/host-transactions.js';
import { ledgerDataSource } from '../../lib/ledger/sql/data-source.js';
import { SqlLedger } from '../../lib/ledger/sql/sql-ledger.js';
import { by, planOf, runOf, success, World } from '../conformance/ledger.fixture.js';
import { freshDatabase, type FreshDatabase } from '../services/services.js';

const ACT = { actor: null, reason: null };

let database: FreshDatabase;
let elsewhere: FreshDatabase;
let host: DataSource;
let ledger: SqlLedger;
let world: World;

beforeAll(async () => {
  [database, elsewhere] = await Promise.all([freshDatabase(), freshDatabase()]);
  // A host's DataSource: it knows nothing of our entities, and parses bigint as it likes.
  host = await new DataSource({ type: 'postgres', url: database.url, parseInt8: true }).initialize();
  await host.query('CREATE TABLE orders (id integer PRIMARY KEY)');
  ledger = new SqlLedger({ dataSource: host, own: false, migrate: true });
  await ledger.open();
  world = new World(ledger, async () => undefined);
  await world.register('one');
});

afterAll(async () => {
  await ledger.close();
  await host.destroy();
  await Promise.all([database.drop(), elsewhere.drop()]);
});

describe('a transaction of the host', () => {
  it('takes requests and acts with it when it commits', async () => {
    const run = await host.transaction(async (manager) => {
      await manager.query('INSERT INTO orders VALUES (1)');
      const { run: requested, created } = await ledger.insertRun(runOf({ runKey: 'order 1' }), { manager });
      expect(created).toBe(true);
      expect(await ledger.run(requested.id)).toBeUndefined();
      expect(await ledger.claimPlanning(by('one'))).toBeUndefined();
      await ledger.addPartitions('orders', ['1'], { ...ACT, manager });
      const report = { asset: 'a', partition: '', dataVersion: '1', metadata: null };
      expect(await ledger.reportVersion(report, { ...ACT, manager })).toEqual(expect.any(Number));
      expect(await ledger.invalidate([{ asset: 'a', partitions: 'all' }], { ...ACT, manager })).toBe(1);
      return requested;
    });
    expect(await ledger.run(run.id)).toMatchObject({ status: 'planning', runKey: 'order 1' });
    expect(await ledger.dynamicPartitions('orders')).toEqual(['1']);
    expect(await world.headOf('a')).toMatchObject({ dataVersion: '1', invalidated: true });
    expect((await ledger.claimPlanning(by('one')))?.run.id).toBe(run.id);
  });

  it('takes them away with it when it rolls back', async () => {
    const rolledBack = host.transaction(async (manager) => {
      await ledger.insertRun(runOf({ runKey: 'order 2' }), { manager });
      await ledger.addPartitions('orders', ['2'], { ...ACT, manager });
      await ledger.removePartitions('orders', ['1'], { ...ACT, manager });
      throw new Error('the host changed its mind');
    });
    await expect(rolledBack).rejects.toThrow('changed its mind');
    expect(await ledger.runByKey('order 2')).toBeUndefined();
    expect(await ledger.dynamicPartitions('orders')).toEqual(['1']);
  });

  it('gets the run of an equal request, without losing its own work', async () => {
    const { run } = await ledger.insertRun(runOf({ runKey: 'order 3' }));
    await host.transaction(async (manager) => {
      await manager.query('INSERT INTO orders VALUES (3)');
      expect(await ledger.insertRun(runOf({ runKey: 'order 3' }), { manager })).toMatchObject({
        created: false,
        run: { id: run.id },
      });
    });
    expect(await host.query('SELECT id FROM orders WHERE id = 3')).toEqual([{ id: 3 }]);
  });

  it('is refused when it is none, or on another database, and then stays usable', async () => {
    const refusal = expect.objectContaining({ code: 'FLOWSTONE_NOT_A_LEDGER_TRANSACTION' });
    await expect(ledger.insertRun(runOf(), { manager: host.manager })).rejects.toThrow(refusal);
    const other = await ledgerDataSource({ url: elsewhere.url }, 'flowstone').initialize();
    const refused = other.transaction(async (manager) => {
      await expect(ledger.insertRun(runOf(), { manager })).rejects.toThrow(refusal);
      await manager.query('CREATE TABLE still_usable (id integer)');
    });
    await refused;
    expect(await other.query('SELECT * FROM still_usable')).toEqual([]);
    const twin = new SqlLedger({ dataSource: other, own: true, migrate: true });
    await twin.open();
    await other.transaction(async (manager) => {
      await expect(ledger.addPartitions('x', ['1'], { ...ACT, manager })).rejects.toThrow(refusal);
    });
    await twin.close();
  });
});

describe('transactions on several data sources', () => {
  it('are told apart, each while it is open', async () => {
    const inOuter = await markedSource();
    const inInner = await markedSource();
    const inside = () => [inOuter.inside(), inInner.inside()];
    const seen: boolean[][] = [];
    let end!: () => void;
    const ended = new Promise<void>((resolve) => (end = resolve));
    let later: Promise<unknown> | undefined;
    await inOuter.source.transaction('SERIALIZABLE', async () => {
      seen.push(inside());
      await inInner.source.transaction(async () => {
        seen.push(inside());
        later = ended.then(() => seen.push(inside()));
      });
      seen.push(inside());
    });
    seen.push(inside());
    end();
    await later;
    expect(seen).toEqual([
      [true, false],
      [true, true],
      [true, false],
      [false, false],
      [false, false],
    ]);
    await Promise.all([inOuter.source.destroy(), inInner.source.destroy()]);
  });

  it('are remembered in as many async contexts as there are kinds of them, however many ledgers there were', async () => {
    // Each instance that was ever entered slows every promise of the process down, for good.
    const entered = jest.spyOn(AsyncLocalStorage.prototype, 'run');
    for (let round = 0; round < 3; round++) {
      const { source } = await markedSource();
      const another = new SqlLedger({ dataSource: source, own: true, migrate: false });
      await another.open();
      await source.transaction((manager) =>
        another.readWithin(manager, async () => expect(await another.dynamicPartitions('nothing')).toEqual([])),
      );
      await another.close();
    }
    expect(entered.mock.calls).toHaveLength(6);
    expect(new Set(entered.mock.contexts).size).toBe(2);
    entered.mockRestore();
  });

  async function markedSource(): Promise<{ source: DataSource; inside: () => boolean }> {
    const source = await ledgerDataSource({ url: database.url }, 'flowstone').initialize();
    return { source, inside: markTransactions(source) };
  }
});

describe('a database shared by namespaces', () => {
  it('keeps them apart: keys, work, processes, partitions', async () => {
    const other = new SqlLedger({ dataSource: host, own: false, namespace: 'other', migrate: false });
    await other.open();
    const there = new World(other, async () => undefined);
    await there.register('one');
    const here = await world.run([{ asset: 'a' }], { runKey: 'same' });
    const theirs = await there.run([{ asset: 'a' }], { runKey: 'same' });
    expect(theirs.id).not.toBe(here.id);
    expect((await there.claim()).map(({ run }) => run)).toEqual([theirs.id]);
    expect((await world.claim()).map(({ run }) => run)).toEqual([here.id]);
    expect(await other.run(here.id)).toBeUndefined();
    expect(await other.dynamicPartitions('orders')).toEqual([]);
    const cancelled = await other.cancelRun(here.id, { ...ACT, grace: 0 });
    expect(cancelled).toEqual({ accepted: false, running: [], ended: false, rings: [], more: false });
    expect((await other.leftovers(here.id)).size).toBe(0);
    await other.unregister('one');
    expect(await ledger.renew('one')).toMatchObject({ alive: true });
    expect(await world.statuses(here.id)).toEqual(['a: running']);
  });
});

describe('a ledger that only one process can have open', () => {
  it('gives back at once what earlier processes were running', async () => {
    const options = { dataSource: host, own: false, namespace: 'embedded', migrate: false, exclusive: true };
    const before = new SqlLedger(options);
    await before.open();
    const killed = new World(before, async () => undefined);
    await killed.register('first start');
    const run = await killed.run([{ asset: 'a' }], { maxConcurrency: 1 });
    const claim = await killed.claimOne('first start');
    const after = new World(before, async () => undefined);
    await after.register('second start');
    expect(await after.claimOne('second start')).toMatchObject({ id: claim.id, run: run.id, rescues: 1, epoch: 3 });
    expect(await killed.succeed(claim)).toMatchObject({ verdicts: ['fenced'] });
  });
});

describe('a plan of assets nobody registered', () => {
  it('is refused whole', async () => {
    const inserting = ledger.insertRun(runOf({ runKey: 'unknown' }), {
      plan: planOf([{ asset: 'a' }, { asset: 'mystery' }]),
    });
    await expect(inserting).rejects.toMatchObject({
      code: 'FLOWSTONE_ASSET_UNKNOWN',
      context: { assets: ['mystery'] },
    });
    expect(await ledger.runByKey('unknown')).toBeUndefined();
  });
});

describe('transactions of the ledger', () => {
  const stricter = 'options=-c%20default_transaction_isolation%3Dserializable';

  it.each([
    ['on connections of its own', true],
    ['on those of a DataSource', false],
  ])('see what was committed before each statement, whatever is the default: %s', async (_, own) => {
    await host.query(`CREATE TABLE public.levels (level text)`);
    await host.query(`CREATE FUNCTION public.note_level() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN INSERT INTO public.levels VALUES (current_setting('transaction_isolation')); RETURN NULL; END $$`);
    await host.query(`CREATE TRIGGER noted AFTER INSERT ON flowstone.events EXECUTE FUNCTION public.note_level()`);
    const dataSource = own
      ? ledgerDataSource({ url: `${database.url}?${stricter}` }, 'flowstone')
      : new DataSource({ type: 'postgres', url: database.url, isolationLevel: 'SERIALIZABLE' });
    const other = new SqlLedger({ dataSource, own, migrate: false });
    await other.open();
    await new World(other, async () => undefined).register('two');
    await other.insertRun(runOf(), { plan: planOf([{ asset: 'b', forced: true }]) });
    const [claim] = await other.claim({ ...by('two'), limit: 1 });
    await other.settle([success(claim!)]);
    await other.unregister('two');
    expect(await host.query('SELECT DISTINCT level FROM public.levels')).toEqual([{ level: 'read committed' }]);
    await other.close();
    if (dataSource.isInitialized) await dataSource.destroy();
    await host.query('DROP TRIGGER noted ON flowstone.events');
    await host.query('DROP FUNCTION public.note_level');
    await host.query('DROP TABLE public.levels');
  });
});

describe('a connection that a host gave back amid a transaction', () => {
  const leave = async (dataSource: DataSource, sql: string): Promise<void> => {
    const runner = dataSource.createQueryRunner();
    await runner.startTransaction();
    await runner.query(sql).catch(() => undefined);
    await runner.release();
  };

  it.each([
    ['of the ledger itself', true],
    ['of a DataSource of its own', false],
  ])('does not take what the ledger does into it: %s', async (_, own) => {
    const options = { url: database.url, poolSize: 1 };
    const dataSource = own ? ledgerDataSource(options, 'flowstone') : new DataSource({ type: 'postgres', ...options });
    const other = new SqlLedger({ dataSource, own, migrate: false });
    await other.open();
    await new World(other, async () => undefined).register('two');
    for (const sql of ['INSERT INTO orders VALUES (77)', 'SELECT 1 / 0']) {
      const { run } = await ledger.insertRun(runOf(), { plan: planOf([{ asset: 'b', forced: true }]) });
      await leave(dataSource, sql);
      const [claim] = await other.claim({ ...by('two'), limit: 1 });
      expect(claim?.run).toBe(run.id);
      // Seen by others, so that nobody claims it again.
      expect(await world.statuses(run.id)).toEqual(['b: running']);
      await other.settle([success(claim!)]);
      expect(await world.statuses(run.id)).toEqual(['b: success']);
    }
    expect(await host.query('SELECT id FROM orders WHERE id = 77')).toEqual([]);
    await other.unregister('two');
    await other.close();
    if (dataSource.isInitialized) await dataSource.destroy();
  });

  it('leaves a transaction alone that goes on, where a host lends the query runner of that to everybody', async () => {
    const dataSource = await new DataSource({ type: 'postgres', url: database.url }).initialize();
    const other = new SqlLedger({ dataSource, own: false, migrate: false });
    await other.open();
    const runner = dataSource.createQueryRunner();
    await runner.startTransaction();
    jest.spyOn(dataSource, 'createQueryRunner').mockReturnValue(runner);
    jest.spyOn(runner, 'release').mockResolvedValue(undefined);
    const { run } = await other.insertRun(runOf());
    expect(await other.run(run.id)).toMatchObject({ id: run.id });
    expect(await ledger.run(run.id)).toBeUndefined();
    jest.restoreAllMocks();
    await runner.rollbackTransaction();
    await runner.release();
    expect(await ledger.run(run.id)).toBeUndefined();
    await other.close();
    await dataSource.destroy();
  });
});
