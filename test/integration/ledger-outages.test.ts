// Outages: lost connections, commits whose answer is lost, outcomes the database refuses.
import { once } from 'node:events';
import { createConnection, createServer, type AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Client, type PoolClient } from 'pg';
import { DataSource, type QueryRunner } from 'typeorm';
import { ledgerDataSource } from '../../lib/ledger/sql/data-source.js';
import { isOutage } from '../../lib/ledger/sql/failures.js';
import type { Claim, Outcome } from '../../lib/ledger/work.js';
import { SqlLedger } from '../../lib/ledger/sql/sql-ledger.js';
import { attempt, planOf, runOf, success, World } from '../conformance/ledger.fixture.js';
import { gate } from '../behaviour/graph.js';
import { freshDatabase, type FreshDatabase } from '../services/services.js';
import { FaultyProxy } from '../torture/faulty-proxy.js';

/** ReadyForQuery, without a transaction; and a FATAL 57P01. */
const READY = Buffer.from('Z\0\0\0\x05I', 'latin1');
const FAREWELL = Buffer.from('E\0\0\0\x2bSFATAL\0C57P01\0Mterminating connection\0\0', 'latin1');
const UNAVAILABLE = { code: 'FLOWSTONE_LEDGER_UNAVAILABLE', family: 'infrastructure', retryable: true };

let database: FreshDatabase;
let dataSource: DataSource;
let namespaces = 0;
let ledger: SqlLedger;
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
  ledger = new SqlLedger({ dataSource, own: true, namespace: `outage ${++namespaces}`, migrate: true });
  await ledger.open();
  world = new World(ledger, async () => undefined);
  await world.register('one', 'two');
});

afterEach(() => {
  jest.restoreAllMocks();
});

/** The next statement of the ledger that contains `part` is executed, but its answer is lost with the connection. */
function loseAnswerTo(part: string): void {
  interceptAfter(part, async () => {
    throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
  });
}

/** The connection is lost right after the answer to the next statement that contains `part` has arrived. */
function loseConnectionAfter(part: string): void {
  interceptAfter(part, cut);
}

/** The connection is lost right before the next statement that contains `part` is sent. */
function loseConnectionBefore(part: string): void {
  intercept(part, cut, async () => undefined);
}

function interceptAfter(part: string, after: (client: PoolClient) => Promise<void>): void {
  intercept(part, async () => undefined, after);
}

async function cut(client: PoolClient): Promise<void> {
  const ended = new Promise<void>((resolve) => client.once('end', () => resolve()));
  await dataSource.query(`SELECT pg_terminate_backend($1)`, [(client as unknown as { processID: number }).processID]);
  await ended;
}

type Intercept = (client: PoolClient) => Promise<void>;

function intercept(part: string, before: Intercept, after: Intercept): void {
  const create = dataSource.createQueryRunner.bind(dataSource);
  let armed = true;
  jest.spyOn(dataSource, 'createQueryRunner').mockImplementation((...mode) => {
    const runner: QueryRunner = create(...mode);
    const connect = runner.connect.bind(runner);
    runner.connect = async () => {
      const client = await connect();
      const query = client.query.bind(client);
      client.query = async (...args: [string | { text: string }]) => {
        const [sql] = args;
        if (!armed || !(typeof sql === 'string' ? sql : sql.text).includes(part)) return query(...args);
        armed = false;
        await before(client);
        const result = await query(...args);
        await after(client);
        return result;
      };
      return client;
    };
    return runner;
  });
}

describe('an outage of the ledger\u2019s database', () => {
  it('refuses to open where nobody answers', async () => {
    const url = 'postgres://nobody@127.0.0.1:1/none';
    const unreachable = new SqlLedger({ dataSource: ledgerDataSource({ url }, 'flowstone'), own: true, migrate: true });
    await expect(unreachable.open()).rejects.toMatchObject(UNAVAILABLE);
    expect(() => unreachable.renew('one')).toThrow(expect.objectContaining({ code: UNAVAILABLE.code }));
  });

  it('does not end the process when the server shuts down in the moment it lets us in', async () => {
    const { hostname, port, pathname, username } = new URL(database.url);
    let leaving = false;
    // A relay that can say farewell together with the welcome.
    const relay = createServer((client) => {
      const server = createConnection(Number(port), hostname);
      client.pipe(server).on('error', () => undefined);
      client.on('error', () => undefined).on('close', () => server.destroy());
      server.on('data', (said: Buffer) =>
        client.write(leaving && said.includes(READY) ? Buffer.concat([said, FAREWELL]) : said),
      );
    }).listen(0, '127.0.0.1');
    await once(relay, 'listening');
    const url = `postgres://${username}@127.0.0.1:${(relay.address() as AddressInfo).port}${pathname}`;
    const relayed = new SqlLedger({ dataSource: ledgerDataSource({ url }, 'flowstone'), own: true, migrate: false });
    await relayed.open();
    leaving = true;
    const calls = Array.from({ length: 5 }, () => relayed.now());
    expect(await Promise.allSettled(calls)).toContainEqual(
      expect.objectContaining({ reason: expect.objectContaining(UNAVAILABLE) }),
    );
    leaving = false;
    await relayed.now();
    await relayed.close();
    relay.close();
  });

  it('costs one call when connections are cut, and no work', async () => {
    await world.run([{ asset: 'a' }]);
    const claim = await world.claimOne();
    await dataSource.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    );
    const settled = await world.succeed(claim).catch(() => world.succeed(claim));
    expect(settled.verdicts).toEqual(['committed']);
    expect(await world.runStatus(claim.run)).toBe('success');
  });

  it('does not take its own commit for another\u2019s when the answer was lost', async () => {
    await world.run([{ asset: 'a' }, { asset: 'b' }]);
    const [a, b] = await world.claim();
    loseAnswerTo('.beat(');
    const failing = world.settle(success(a!), success(b!));
    await expect(failing).rejects.toMatchObject({ ...UNAVAILABLE, context: { inDoubt: true } });
    expect(await world.settle(success(a!), success(b!))).toMatchObject({ verdicts: ['committed', 'committed'] });
    expect(await world.settle(success(a!))).toMatchObject({ verdicts: ['fenced'] });
    expect(await world.headOf('a')).toMatchObject({ materialization: a!.id });
  });

  it('is recognised where a value joined the commit, and does not undo what came after it', async () => {
    const { values } = ledger;
    const settle = (outcome: Outcome, note: string) =>
      values.settle(outcome, async (sql) => {
        await sql.rows(`CREATE TABLE IF NOT EXISTS public.joined (note text)`);
        await sql.rows(`DELETE FROM public.joined`);
        await sql.rows(`INSERT INTO public.joined VALUES ($1)`, [note]);
        return outcome;
      });
    await world.run([{ asset: 'a' }]);
    const first = await world.claimOne();
    loseAnswerTo('COMMIT');
    const failing = settle(success(first), 'first');
    await expect(failing).rejects.toMatchObject({ ...UNAVAILABLE, context: { inDoubt: true } });
    await world.run([{ asset: 'a' }]);
    await settle(success(await world.claimOne()), 'second');
    expect(await settle(success(first), 'first')).toMatchObject({ verdicts: ['committed'] });
    expect(await values.transaction((sql) => sql.rows(`SELECT note FROM public.joined`))).toEqual([['second']]);
  });

  it('repeats what was not committed when the connection was lost before', async () => {
    await world.run([{ asset: 'a' }]);
    const claim = await world.claimOne();
    loseConnectionBefore('.beat(');
    await expect(world.succeed(claim)).rejects.toMatchObject(UNAVAILABLE);
    expect((await ledger.materialization(claim.id))!.status).toBe('running');
    expect(await world.succeed(claim)).toMatchObject({ verdicts: ['committed'] });
  });

  it('is one too when the connection is lost between the last statement and its commit', async () => {
    const request = runOf({ runKey: 'lost' });
    const options = { plan: planOf([{ asset: 'a' }]) };
    loseConnectionAfter(`INTO "flowstone".ready`);
    await expect(ledger.insertRun(request, options)).rejects.toMatchObject(UNAVAILABLE);
    expect(await ledger.insertRun(request, options)).toMatchObject({ created: true });
  });

  it('finds again what was claimed when the answer was lost', async () => {
    await world.run([{ asset: 'a' }]);
    const told = await world.claimOne();
    await world.run([{ asset: 'b' }, { asset: 'c' }]);
    loseAnswerTo('.beat(');
    await expect(world.claim()).rejects.toMatchObject(UNAVAILABLE);
    expect(await world.claim('two')).toEqual([]);
    const found = await world.claim();
    expect(found.map(({ asset, epoch }) => [asset, epoch])).toEqual([
      ['b', 1],
      ['c', 1],
    ]);
    expect(await world.claim()).toEqual([]);
    expect(await world.settle(...[told, ...found].map((claim) => success(claim)))).toMatchObject({
      verdicts: ['committed', 'committed', 'committed'],
    });
  });

  it('gives out what was claimed by a statement whose answer was lost before it took place', async () => {
    await world.run([{ asset: 'a' }, { asset: 'b' }]);
    const [told] = await world.claim('one', { limit: 1 });
    // The same process on another connection, as the server sees a statement that went on without its client.
    const late = new SqlLedger({ dataSource, own: true, namespace: `outage ${namespaces}`, migrate: false });
    await late.open();
    await late.claim({ process: 'one', assets: ['b'], limit: 1 });
    expect(await world.claim()).toEqual([]);
    const { held } = await ledger.renew('one');
    expect(held).toHaveLength(2);
    ledger.recall('one', held);
    const found = await world.claimOne();
    expect(found).toMatchObject({ asset: 'b', epoch: 1 });
    expect(found.id).not.toBe(told!.id);
    ledger.recall('one', held);
    expect(await world.claim()).toEqual([]);
  });

  it('does not find again what the process knows to be past its deadline', async () => {
    await world.run([{ asset: 'a' }]);
    const claim = await world.claimOne();
    await ledger.start([{ ...attempt(claim), timeout: 0 }]);
    expect(await world.succeed(claim)).toMatchObject({ verdicts: ['expired'] });
    loseAnswerTo('.beat(');
    await expect(world.claim()).rejects.toMatchObject(UNAVAILABLE);
    expect(await world.claim()).toEqual([]);
  });

  it('loses nothing of what it found again when it cannot settle just then', async () => {
    await world.run([{ asset: 'a' }]);
    const a = await world.claimOne();
    await world.run([{ asset: 'b' }]);
    loseAnswerTo('.beat(');
    await expect(world.claim()).rejects.toMatchObject(UNAVAILABLE);
    const request = { process: 'one', assets: ['a', 'b'], limit: 10 };
    jest.restoreAllMocks();
    loseConnectionBefore('.beat(');
    await expect(ledger.beat([success(a)], request)).rejects.toMatchObject(UNAVAILABLE);
    expect(await ledger.beat([success(a)], request)).toMatchObject({
      verdicts: ['committed'],
      claims: [{ asset: 'b' }],
    });
  });

  it('does not take up again what was settled twice past its deadline', async () => {
    await world.run([{ asset: 'a' }]);
    const claim = await world.claimOne();
    await ledger.start([{ ...attempt(claim), timeout: 0 }]);
    expect(await world.settle(success(claim), success(claim))).toMatchObject({ verdicts: ['expired', 'fenced'] });
    loseAnswerTo('.beat(');
    await expect(world.claim()).rejects.toMatchObject(UNAVAILABLE);
    expect(await world.claim()).toEqual([]);
  });

  it('finds again the run and its claim when the answer to a request was lost', async () => {
    const request = runOf({ runKey: 'lost' });
    const options = { plan: planOf([{ asset: 'a' }]), claim: { process: 'one', assets: ['a'], limit: 1 } };
    loseAnswerTo('COMMIT');
    await expect(ledger.insertRun(request, options)).rejects.toMatchObject({
      ...UNAVAILABLE,
      context: { inDoubt: true },
      message: expect.stringMatching(/may have been recorded.*Repeat the request/),
    });
    expect(await ledger.insertRun(request, options)).toMatchObject({ created: false, claims: [] });
    expect(await world.claimOne()).toMatchObject({ asset: 'a', epoch: 1 });
  });
});

/** Runs statements on a connection of its own that may write, whatever the database says of others. */
async function administer(...statements: string[]): Promise<void> {
  const client = new Client({ connectionString: database.url, options: '-c default_transaction_read_only=off' });
  await client.connect();
  for (const sql of statements) await client.query(sql);
  await client.end();
}

const CUT_ALL = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
  WHERE datname = current_database() AND pid <> pg_backend_pid()`;

describe('a server in trouble', () => {
  it('is told from what it refuses by the state it reports', () => {
    const troubles = [
      ...['08006', '57P01', '57P02', '57P03', '53000', '53100', '53200', '53300', '53400'],
      ...['58000', '58030', '58P01', '25006', '57014', '55P03', '25P03', '25P04'],
    ];
    const refusals = ['22003', '23505', '23514', '40001', '42P01', '54000', '25P02', 'XX000'];
    const taken = [...troubles, ...refusals].filter((code) => isOutage({ code, message: 'told by the server' }));
    expect(taken).toEqual(troubles);
  });

  it('commits what it could not write while its disk was full', async () => {
    const run = await world.run([{ asset: 'a' }, { asset: 'b' }]);
    const [a, b] = await world.claim();
    await administer(
      `CREATE FUNCTION disk_full() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$`,
      `CREATE TRIGGER disk_full BEFORE UPDATE ON flowstone.materializations EXECUTE FUNCTION disk_full()`,
    );
    try {
      await expect(world.settle(success(a!), success(b!))).rejects.toMatchObject({
        ...UNAVAILABLE,
        context: { inDoubt: false },
        message: expect.stringContaining('No space left'),
      });
    } finally {
      await administer(`DROP FUNCTION disk_full CASCADE`);
    }
    expect(await world.statuses(run.id)).toEqual(['a: running', 'b: running']);
    expect(await world.settle(success(a!), success(b!))).toMatchObject({ verdicts: ['committed', 'committed'] });
    expect(await world.runStatus(run.id)).toBe('success');
  });

  it('is left for the one that took its place, and commits there what it could not write', async () => {
    await world.run([{ asset: 'a' }]);
    const claim = await world.claimOne();
    const name = new URL(database.url).pathname.slice(1);
    await administer(`ALTER DATABASE ${name} SET default_transaction_read_only = on`, CUT_ALL);
    try {
      // The first may only hear that its connection was cut.
      await world.succeed(claim).catch(() => undefined);
      await expect(world.succeed(claim)).rejects.toMatchObject({
        ...UNAVAILABLE,
        message: expect.stringContaining('read-only transaction'),
      });
    } finally {
      await administer(`ALTER DATABASE ${name} RESET default_transaction_read_only`);
    }
    expect(await world.succeed(claim)).toMatchObject({ verdicts: ['committed'] });
    expect(await world.runStatus(claim.run)).toBe('success');
  });
});

describe('a connection of a host\u2019s that has fallen silent', () => {
  /** For how long an answer is waited for, ms: here of a server that answers at once, on however busy a machine. */
  const LONGEST = 1500;
  let proxy: FaultyProxy;
  let host: DataSource;
  let hosted: SqlLedger;
  let silence: ReturnType<typeof gate<void>>;
  let muted: Promise<void> | undefined;

  /** Nothing is heard of it until the test has ended. */
  const mute = (): void => {
    muted = proxy.mute(silence.opened);
  };

  beforeEach(async () => {
    silence = gate();
    muted = undefined;
    const url = new URL(database.url);
    proxy = await FaultyProxy.before(Number(url.port));
    url.port = String(proxy.port);
    // One connection, without any time limit.
    host = new DataSource({ type: 'postgres', url: url.href, poolSize: 1, poolErrorHandler: () => undefined });
    const options = { dataSource: await host.initialize(), own: false, migrate: false, longestSilence: LONGEST };
    hosted = new SqlLedger({ ...options, namespace: `outage ${namespaces}` });
    await hosted.open();
  });

  afterEach(async () => {
    silence.open();
    await muted;
    await host.destroy();
    proxy.close();
  });

  it('is given up, and replaced', async () => {
    mute();
    await expect(hosted.now()).rejects.toMatchObject(UNAVAILABLE);
    expect(await hosted.now()).toBeInstanceOf(Date);
  });

  it('leaves in doubt what it was to commit', async () => {
    const create = host.createQueryRunner.bind(host);
    jest.spyOn(host, 'createQueryRunner').mockImplementationOnce((...mode) => {
      const runner = create(...mode);
      const commit = runner.commitTransaction.bind(runner);
      runner.commitTransaction = () => {
        mute();
        return commit();
      };
      return runner;
    });
    await expect(hosted.now()).rejects.toMatchObject({ ...UNAVAILABLE, context: { inDoubt: true } });
    expect(muted).toBeDefined();
  });

  it('is lent to nobody when it does not say that what failed is undone', async () => {
    const refused = new Error('a row that the table does not take');
    const writing = hosted.values.transaction(async () => {
      mute();
      throw refused;
    });
    await expect(writing).rejects.toBe(refused);
    expect(await host.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });
});

describe('a request whose answer was lost', () => {
  it.each([
    ['in one statement', '.insert_running('],
    ['in a transaction', 'COMMIT'],
  ])('%s is told to look whether it was recorded', async (_, part) => {
    const claim = { process: 'one', assets: ['a'], limit: part === 'COMMIT' ? 0 : 1 };
    loseAnswerTo(part);
    await expect(ledger.insertRun(runOf(), { plan: planOf([{ asset: 'a' }]), claim })).rejects.toMatchObject({
      ...UNAVAILABLE,
      context: { inDoubt: true },
      message: expect.stringMatching(/may have been recorded.*Look in runs\(\)/),
    });
    expect((await ledger.runs({}, { limit: 2 })).items).toHaveLength(1);
  });

  it('is not, where it cannot have been', async () => {
    loseConnectionBefore('.runs');
    const failing = ledger.insertRun(runOf(), { plan: planOf([{ asset: 'a' }]) });
    await expect(failing).rejects.toMatchObject({
      ...UNAVAILABLE,
      context: { inDoubt: false },
      message: expect.not.stringContaining('recorded'),
    });
    expect((await ledger.runs({}, { limit: 2 })).items).toEqual([]);
  });
});

describe('a process that is silent', () => {
  it('is told of its own attempt only, which is fenced if another has the claim since', async () => {
    const options = { plan: planOf([{ asset: 'a' }]), claim: { process: 'one', assets: ['a'], limit: 1 } };
    let others: readonly Claim[] = [];
    interceptAfter('.insert_running(', async () => {
      await ledger.unregister('one');
      others = await world.claim('two');
    });
    const { claims } = await ledger.insertRun(runOf(), options);
    expect(claims).toMatchObject([{ asset: 'a', epoch: 1 }]);
    expect(others).toMatchObject([{ id: claims[0]!.id, asset: 'a', epoch: 2 }]);
    expect(await world.settle(success(claims[0]!))).toMatchObject({ verdicts: ['fenced'] });
  });
});

describe('cancelling', () => {
  it('also ends what goes back to pending while it waits for a row', async () => {
    const run = await world.run([{ asset: 'a' }, { asset: 'b' }]);
    const [running] = await world.claim('one', { assets: ['b'] });
    const other = dataSource.createQueryRunner();
    await other.startTransaction();
    await other.query(`SELECT FROM flowstone.materializations WHERE run_id = $1 AND status = 'pending' FOR UPDATE`, [
      run.id,
    ]);
    const cancelling = ledger.cancelRun(run.id, { actor: null, reason: null, grace: 0 });
    await waitingForLock();
    await world.retry(running!, 0);
    await other.commitTransaction();
    await other.release();
    await cancelling;
    expect(await world.statuses(run.id)).toEqual(['a: cancelled', 'b: cancelled']);
    expect(await world.runStatus(run.id)).toBe('cancelled');
  });
});

/** Resolves when some statement waits for a lock. */
async function waitingForLock(): Promise<void> {
  for (;;) {
    const waiting: unknown[] = await dataSource.query(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
    if (waiting.length > 0) return;
  }
}

describe('an outcome the database refuses', () => {
  it('fails alone, with the reason; the rest of its group commits', async () => {
    const run = await world.run([{ asset: 'a' }, { asset: 'b' }, { asset: 'c', upstreams: [0] }]);
    const [a, b] = await world.claim();
    const impossible = success(a!, { value: { io: 'x', location: null, size: Number.MAX_VALUE, rows: 0, hash: null } });
    expect(await world.settle(impossible, success(b!))).toMatchObject({
      verdicts: [{ refused: { code: 'FLOWSTONE_LEDGER_OUTCOME_REFUSED' } }, 'committed'],
    });
    expect(await world.statuses(run.id)).toEqual(['a: failed', 'b: success', 'c: upstream_failed']);
    expect(await ledger.materialization(a!.id)).toMatchObject({ error: { code: 'FLOWSTONE_LEDGER_OUTCOME_REFUSED' } });
    expect(await world.runStatus(run.id)).toBe('failed');
    expect(await world.settle({ ...attempt(b!), kind: 'cancelled' })).toMatchObject({ verdicts: ['fenced'] });
  });
});
