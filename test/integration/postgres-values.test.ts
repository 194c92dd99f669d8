// Values in PostgreSQL as an application has them: refused at boot, beside locks, in another database, in outages.
import { execFile } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { TestingModule } from '@nestjs/testing';
import {
  Asset,
  Partitions,
  PostgresIoManager,
  RunFailed,
  type AssetContext,
  type FlowStoneOptions,
  type Rows,
} from '../../lib/index.js';
import type { StoreContext } from '../../lib/io/io-manager.port.js';
import { gate, startApp } from '../behaviour/graph.js';
import { freshDatabase, type FreshDatabase } from '../services/services.js';
import { FaultyProxy } from '../torture/faulty-proxy.js';

let database: FreshDatabase;
let sql: Client;

beforeAll(async () => {
  database = await freshDatabase();
  sql = new Client({ connectionString: database.url });
  await sql.connect();
});
afterAll(async () => {
  await sql.end();
  await database.drop();
});

const keys = Partitions.static(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']);
@Asset({ io: 'postgres', partitions: keys, table: 'app.slow', columns: { n: 'integer' } })
class Slow {
  execute(): readonly object[] {
    return [{ n: 1 }];
  }
}
@Asset({ io: 'postgres', partitions: keys, table: 'app.quick', columns: { n: 'integer' } })
class Quick {
  async *execute({ partition }: AssetContext): AsyncGenerator<object> {
    yield { n: partition.key.charCodeAt(0) };
  }
}
@Asset({ io: 'postgres' })
class Small {
  execute(): unknown {
    return { at: new Date() };
  }
}

describe('an application with values in its database', () => {
  let app: TestingModule;
  const start = async (assets: Parameters<typeof startApp>[0], options: FlowStoneOptions = {}) => {
    const started = await startApp(assets, { storage: { url: database.url }, ...options });
    app = started.app;
    return started.flowstone;
  };
  afterEach(async () => app?.close());

  it('delays nobody while a table is locked by somebody else', async () => {
    const flowstone = await start([Slow, Quick, Small], { concurrency: 20 });
    await (await flowstone.materialize(Slow, { partition: 'a' })).wait();
    await sql.query('BEGIN');
    await sql.query('LOCK TABLE app.slow');
    const slow = await flowstone.materialize(Slow, { partitions: ['b', 'c', 'd', 'e', 'f', 'g', 'h'] });
    const quick = await flowstone.materialize(Quick, { partitions: 'all' });
    await quick.wait({ timeout: '15s' });
    await (await flowstone.materialize(Small)).wait({ timeout: '5s' });
    expect(await (await flowstone.load(Quick, { partition: 'c' })).toArray()).toEqual([{ n: 99 }]);
    expect((await flowstone.materializations(slow.id)).items.map(({ status }) => status)).not.toContain('success');
    // As the time limit of a statement would.
    const cancelled = `SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'`;
    const errors = async () =>
      (await flowstone.materializations(slow.id)).items.flatMap(({ error }) => error?.code ?? []);
    while ((await errors()).length < 3) {
      await sql.query(cancelled);
      await pause(20);
    }
    expect(new Set(await errors())).toEqual(new Set(['FLOWSTONE_IO_FAILED']));
    expect(await flowstone.load(Small)).toEqual({ at: expect.any(Date) });
    await sql.query('COMMIT');
    await slow.wait();
    expect((await sql.query('SELECT count(*)::int AS n FROM app.slow')).rows).toEqual([{ n: 8 }]);
  });

  it('waits for a locked table longer than a minute, with the value that is made, and warns of it', async () => {
    let made = 0;
    @Asset({ io: 'postgres', table: 'app.waiting', columns: { n: 'integer' } })
    class Waiting {
      execute(): readonly object[] {
        return [{ n: ++made }];
      }
    }
    const flowstone = await start([Waiting]);
    await (await flowstone.materialize(Waiting)).wait();
    await sql.query('BEGIN');
    await sql.query('LOCK TABLE app.waiting');
    const run = await flowstone.materialize(Waiting, { force: true });
    while (made < 2) await pause(20);
    const later = performance.now.bind(performance);
    const clock = jest.spyOn(performance, 'now').mockImplementation(() => later() + 120_000);
    const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    try {
      while (warned.mock.calls.length === 0) await pause(20);
      expect(warned.mock.calls[0]).toEqual([
        expect.stringMatching(/the value of waiting: .*locked by another session/),
        { type: 'FlowStoneWarning', code: 'FLOWSTONE_TABLE_LOCKED' },
      ]);
      await sql.query('COMMIT');
      await run.wait();
      expect(made).toBe(2);
      expect((await sql.query('SELECT n FROM app.waiting')).rows).toEqual([{ n: 2 }]);
    } finally {
      clock.mockRestore();
      warned.mockRestore();
    }
  });

  it('tells of a temporary folder that fails as what it is, and not as code that fails', async () => {
    const program = fileURLToPath(new URL('spool.process.mjs', import.meta.url));
    const env = { ...process.env, TMPDIR: '/no/such/folder', NODE_OPTIONS: '' };
    const { stdout } = await promisify(execFile)(process.execPath, [program, database.url], { env });
    expect(JSON.parse(stdout)).toMatchObject({
      code: 'FLOWSTONE_IO_FAILED',
      message: expect.stringContaining('/no/such/folder (TMPDIR names another folder) failed: ENOENT'),
    });
  });

  it('notices that a table was altered since it was looked at, and goes by its new types', async () => {
    let value: unknown = 2n ** 40n;
    @Asset({ io: 'postgres', table: 'app.altered', retry: { attempts: 1 } })
    class Altered {
      execute(): readonly object[] {
        return [{ id: 1, value }];
      }
    }
    await sql.query('CREATE TABLE app.altered (id integer PRIMARY KEY, value bigint)');
    const flowstone = await start([Altered]);
    await (await flowstone.materialize(Altered)).wait();
    // As wide as before: what was sent for the one would be taken for the other.
    await sql.query('ALTER TABLE app.altered ALTER value TYPE double precision');
    const again = await flowstone.materialize(Altered, { force: true });
    await expect(again.wait()).rejects.toBeInstanceOf(RunFailed);
    expect((await sql.query('SELECT value FROM app.altered')).rows).toEqual([{ value: 2 ** 40 }]);
    value = 0.5;
    await (await flowstone.materialize(Altered, { force: true })).wait();
    expect((await sql.query('SELECT value FROM app.altered')).rows).toEqual([{ value: 0.5 }]);
  });

  it('tells of a constraint that is deferred as of any other', async () => {
    @Asset({ io: 'postgres', table: 'app.deferred', columns: { id: 'integer', parent: 'integer' }, key: ['id'] })
    class Deferred {
      execute(): readonly object[] {
        return [{ id: 1, parent: 2 }];
      }
    }
    await sql.query(`CREATE TABLE app.deferred (id integer PRIMARY KEY,
      parent integer REFERENCES app.deferred DEFERRABLE INITIALLY DEFERRED)`);
    const flowstone = await start([Deferred]);
    await expect((await flowstone.materialize(Deferred)).wait()).rejects.toBeInstanceOf(RunFailed);
    const [record] = (await flowstone.history(Deferred)).items;
    expect(record).toMatchObject({ status: 'failed', error: { code: 'FLOWSTONE_IO_VALUE_REFUSED' } });
  });

  it('refuses at boot what can be seen then, all at once', async () => {
    @Asset({ io: 'postgres', table: 'app.same', columns: { n: 'integer' } })
    class First extends Small {}
    @Asset({ io: 'postgres', table: 'app.same', columns: { n: 'integer' } })
    class Second extends Small {}
    @Asset({ io: 'postgres', table: "app'; DROP TABLE x", columns: { n: 'number' }, partitionColumn: 'p' })
    class Wrong extends Small {}
    @Asset({ io: 'postgres', table: 'app.kept', columns: { n: 'integer' }, keep: 3 })
    class Kept extends Small {}
    @Asset({ io: 'postgres', partitionColumn: 'day' })
    class Tableless extends Small {}
    @Asset({ io: 'postgres', table: 'flowstone.value_slices' })
    class Own extends Small {}
    @Asset({ io: 'elsewhere', table: 'fs.value_slices' })
    class OwnElsewhere extends Small {}
    const managers = { elsewhere: new PostgresIoManager({ url: database.url, schema: 'fs' }) };
    const starting = start([First, Second, Wrong, Kept, Tableless, Own, OwnElsewhere], { managers });
    await expect(starting).rejects.toMatchObject({ code: 'FLOWSTONE_DECLARATION_INVALID' });
    const { message } = (await starting.catch((error: unknown) => error)) as Error;
    for (const part of [
      'Second: its table app.same is also that of First',
      'Wrong: table is "app\'; DROP TABLE x"',
      'Wrong: the type of column n is "number"',
      'Wrong: partitionColumn is given, and the asset has no partitions',
      'Kept: it has the option keep',
      'Tableless: partitionColumn is given without table',
      'Own: table is "flowstone.value_slices", and schema flowstone is not for',
      'OwnElsewhere: table is "fs.value_slices", and schema fs is not for',
    ])
      expect(message).toContain(part);
    await expect(start([Small], { storage: 'memory' })).rejects.toMatchObject({
      message: expect.stringContaining("with storage: 'memory' there is none"),
    });
  });
});

describe('values in another database', () => {
  let elsewhere: FreshDatabase;
  let proxy: FaultyProxy;
  let manager: PostgresIoManager;
  let materialization = 0;
  const options = { table: 'facts', columns: { n: 'integer' } };
  const contextOf = (more: Partial<StoreContext> = {}): StoreContext => ({
    ...{ namespace: 'default', asset: 'facts', partition: undefined, options, epoch: 1 },
    ...{ materialization: ++materialization, signal: new AbortController().signal },
    ...more,
  });
  const load = async (location: unknown) =>
    manager.load({ ...contextOf(), location: JSON.parse(JSON.stringify(location)) });

  beforeEach(async () => {
    elsewhere = await freshDatabase();
    const { port, pathname, username } = new URL(elsewhere.url);
    proxy = await FaultyProxy.before(Number(port));
    manager = new PostgresIoManager({ url: `postgres://${username}@127.0.0.1:${proxy.port}${pathname}` });
    await manager.open();
  });
  afterEach(async () => {
    await manager.close();
    proxy.close();
    await elsewhere.drop();
  });

  it('are not replaced by an attempt that has lost its lease while it waited', async () => {
    const asked = gate();
    const answer = gate<boolean>();
    const zombie = manager.store(
      contextOf({
        holds: async () => {
          asked.open();
          return answer.opened;
        },
      }),
      [{ n: 1 }],
    );
    await asked.opened;
    const successor = manager.store(contextOf({ holds: async () => true }), [{ n: 2 }]);
    answer.open(false);
    await expect(zombie).rejects.toMatchObject({
      code: 'FLOWSTONE_IO_FAILED',
      message: expect.stringContaining('lease'),
    });
    expect(await load((await successor).location)).toEqual([{ n: 2 }]);
  });

  it.each([
    ['rows', options, [{ n: 3 }]],
    ['a small document', {}, { n: 3 }],
    ['a large document', {}, { text: 'x'.repeat(100_000) }],
  ])('are found to be there when the answer to their commit was lost: %s', async (_, used, value) => {
    await manager.store(contextOf({ options: used }), value);
    proxy.loseAnswers(1);
    const { location } = await manager.store(contextOf({ options: used }), value);
    expect(proxy.lostAnswers).toBe(1);
    expect(await load(location)).toEqual(value);
  });

  it('are not, when the connection was lost before it', async () => {
    const { location } = await manager.store(contextOf(), [{ n: 1 }]);
    const cutting = contextOf({
      holds: async () => {
        proxy.cut();
        return true;
      },
    });
    await expect(manager.store(cutting, [{ n: 2 }])).rejects.toMatchObject({ code: 'FLOWSTONE_IO_FAILED' });
    expect(await load(location)).toEqual([{ n: 1 }]);
  });

  it('are a failure of the storage while it is away, and there again with it', async () => {
    const { location } = await manager.store(contextOf(), [{ n: 1 }]);
    proxy.refuse(true);
    const away = new PostgresIoManager({ url: `postgres://nobody@127.0.0.1:${proxy.port}/none` });
    await away.open();
    const failed = { code: 'FLOWSTONE_IO_FAILED', family: 'infrastructure', retryable: true };
    await expect(away.store(contextOf(), [{ n: 1 }])).rejects.toMatchObject(failed);
    await expect(manager.store(contextOf(), [{ n: 2 }])).rejects.toMatchObject(failed);
    await expect(load(location)).rejects.toMatchObject(failed);
    const told = { ...failed, message: expect.not.stringContaining('ledger') };
    await expect(away.list('default').next()).rejects.toMatchObject(told);
    const orphan = { namespace: 'default', asset: 'a', partition: undefined, materialization: 1, epoch: 1 };
    await expect(manager.discard(orphan, new Date())).rejects.toMatchObject(told);
    await away.close();
    proxy.heal();
    expect(await load(location)).toEqual([{ n: 1 }]);
  });

  it('fail at boot where that is no outage, and are refused without a place', async () => {
    const wrong = new PostgresIoManager({ url: elsewhere.url.replace(/[^/]*$/, 'no_such_database') });
    await expect(wrong.open()).rejects.toMatchObject({
      code: 'FLOWSTONE_IO_FAILED',
      message: expect.stringMatching(/\/no_such_database, schema flowstone, .*does not exist.* Correct how/),
    });
    expect(() => new PostgresIoManager({} as { url: string })).toThrow(
      expect.objectContaining({ code: 'FLOWSTONE_OPTIONS_INVALID' }),
    );
    expect(() => new PostgresIoManager({ url: elsewhere.url, schema: 'a"b' })).toThrow(
      expect.objectContaining({ code: 'FLOWSTONE_OPTIONS_INVALID' }),
    );
  });

  it('need no more privileges than their use does, once the tables are there', async () => {
    const owner = new Client({ connectionString: elsewhere.url });
    await owner.connect();
    const role = `least_${process.pid}`;
    await owner.query(`CREATE ROLE ${role} LOGIN`);
    const url = new URL(elsewhere.url);
    url.username = role;
    const least = new PostgresIoManager({ url: url.href });
    const refused = new PostgresIoManager({ url: url.href, schema: 'another' });
    try {
      await owner.query('CREATE TABLE public.facts (n integer, _row integer PRIMARY KEY)');
      await owner.query(`GRANT USAGE ON SCHEMA flowstone TO ${role}`);
      for (const table of ['public.facts', ...['tables', 'slices', 'documents'].map((of) => `flowstone.value_${of}`)])
        await owner.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON ${table} TO ${role}`);
      await least.open();
      for (const used of [{ table: 'facts' }, {}]) {
        const context = contextOf({ options: used });
        const { location } = await least.store(context, [{ n: 1 }]);
        const place = { ...context, location: JSON.parse(JSON.stringify(location)) };
        expect(await least.load(place)).toEqual([{ n: 1 }]);
        await least.delete(place);
        expect(await least.exists(place)).toBe(false);
      }
      await expect(refused.open()).rejects.toMatchObject({
        code: 'FLOWSTONE_IO_FAILED',
        message: expect.stringMatching(/schema another, .*permission denied.* Grant its user CREATE on the database/),
      });
      await expect(least.store(contextOf(), [{ n: 1 }])).resolves.toBeDefined();
      await owner.query(`REVOKE INSERT ON public.facts FROM ${role}`);
      await expect(least.store(contextOf(), [{ n: 1 }])).rejects.toMatchObject({
        code: 'FLOWSTONE_IO_FAILED',
        message: expect.stringContaining('permission denied for table facts'),
      });
    } finally {
      await least.close();
      await refused.close();
      await owner.query(`DROP OWNED BY ${role}`);
      await owner.query(`DROP ROLE ${role}`);
      await owner.end();
    }
  });

  it('stream through with little in memory', async () => {
    const wide = {
      table: 'wide',
      columns: { id: 'integer', text: 'text', at: 'timestamptz', more: 'double precision' },
    };
    const count = 60_000;
    const rows = async function* () {
      for (let id = 0; id < count; id++)
        yield { id, text: `${id} ${'x'.repeat(2000)}`, at: new Date(id), more: id / 7 };
    };
    // What is held, not what was not collected yet.
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const held = (): number => {
      collect();
      return process.memoryUsage().arrayBuffers;
    };
    const before = held();
    let most = 0;
    const measuring = setInterval(() => (most = Math.max(most, held() - before)), 100);
    const { location, size } = await manager.store(contextOf({ options: wide }), rows());
    const loaded = (await load(location)) as Rows<{ id: number }>;
    let next = 0;
    for await (const { id } of loaded) if (id === next) next++;
    clearInterval(measuring);
    expect(next).toBe(count);
    expect(size).toBeGreaterThan(120_000_000);
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThan(size / 2);
  });
});
