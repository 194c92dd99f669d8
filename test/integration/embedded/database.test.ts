// The embedded database behind TypeORM and pg: one session, and yet the behaviour of a PostgreSQL server.
import { once } from 'node:events';
import { readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setFlagsFromString } from 'node:v8';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type pg from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import { DataSource, QueryFailedError } from 'typeorm';
import { openEmbeddedDatabase, type EmbeddedDatabase } from '../../../lib/ledger/embedded/embedded.database.js';
import { temporaryDirectory } from './temporary-directory.js';

// As applications run it, and not as other tests do (jest-setup.mjs): how deep a recursion breaks it depends on that.
for (const flag of ['--no-liftoff-only', '--wasm-tier-up', '--wasm-dynamic-tiering']) setFlagsFromString(flag);

function dataSourceOf({ driver }: EmbeddedDatabase, connectTimeoutMS?: number): DataSource {
  return new DataSource({
    type: 'postgres',
    driver,
    installExtensions: false,
    uuidExtension: 'pgcrypto',
    poolSize: 10,
    ...(connectTimeoutMS !== undefined && { connectTimeoutMS }),
  });
}

/** Lines of the text format, in chunks that end anywhere. */
function* copyChunks(rows: number, row: (n: number) => string): Generator<Buffer> {
  let text = '';
  for (let n = 0; n < rows; n++) {
    text += row(n);
    if (text.length < 65_536) continue;
    yield Buffer.from(text.slice(0, 65_536));
    text = text.slice(65_536);
  }
  yield Buffer.from(text);
}

let database: EmbeddedDatabase;
let pool: pg.Pool;
let dataSource: DataSource;

beforeAll(async () => {
  database = await openEmbeddedDatabase({ memory: true });
  dataSource = dataSourceOf(database);
  await dataSource.initialize();
  pool = (dataSource.driver as unknown as { master: pg.Pool }).master;
});

afterAll(async () => {
  await dataSource.destroy();
  await database.close();
});

beforeEach(async () => {
  await dataSource.query('DROP TABLE IF EXISTS item');
  await dataSource.query('CREATE TABLE item (n int CONSTRAINT item_key PRIMARY KEY, name text)');
});

const count = async (): Promise<number> =>
  (await dataSource.query<{ count: number }[]>('SELECT count(*)::int FROM item'))[0]!.count;

/** Runs `use` on the client itself. */
async function withClient<T>(use: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  try {
    return await use(client);
  } finally {
    client.release();
  }
}

describe('transactions', () => {
  it('keep apart when ten run at once and half of them roll back', async () => {
    await Promise.allSettled(
      Array.from({ length: 10 }, (_, n) =>
        dataSource.transaction(async (manager) => {
          await manager.query('INSERT INTO item VALUES ($1)', [n]);
          await manager.query('SELECT 1');
          if (n % 2 === 0) throw new Error('changed its mind');
        }),
      ),
    );
    const rows = await dataSource.query<{ n: number }[]>('SELECT n FROM item ORDER BY n');
    expect(rows.map(({ n }) => n)).toEqual([1, 3, 5, 7, 9]);
  });

  it('nest by savepoints', async () => {
    await dataSource.transaction(async (outer) => {
      await outer.query('INSERT INTO item VALUES (1)');
      await expect(
        outer.transaction(async (inner) => {
          await inner.query('INSERT INTO item VALUES (2)');
          await inner.query('INSERT INTO item VALUES (2)');
        }),
      ).rejects.toThrow('duplicate key');
      await outer.query('INSERT INTO item VALUES (3)');
    });
    expect(await dataSource.query('SELECT n FROM item ORDER BY n')).toEqual([{ n: 1 }, { n: 3 }]);
  });

  it('know the levels of isolation', async () => {
    const level = await dataSource.transaction('SERIALIZABLE', (manager) =>
      manager.query('SHOW transaction_isolation'),
    );
    expect(level).toEqual([{ transaction_isolation: 'serializable' }]);
  });

  it('turn a query outside of them, which would wait for itself, into an error', async () => {
    const own = await openEmbeddedDatabase({ memory: true });
    const impatient = dataSourceOf(own, 3000);
    await impatient.initialize();
    const stuck = impatient.transaction(() => impatient.query('SELECT 1'));
    await expect(stuck).rejects.toMatchObject({ code: 'FLOWSTONE_EMBEDDED_BUSY', retryable: true });
    expect(await impatient.query('SELECT 1 AS n')).toEqual([{ n: 1 }]);
    await impatient.destroy();
    await own.close();
  });
});

describe('errors', () => {
  it('carry the code, the constraint and the table', async () => {
    await dataSource.query('INSERT INTO item VALUES (1)');
    const error = await dataSource.query('INSERT INTO item VALUES (1)').catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(QueryFailedError);
    expect((error as QueryFailedError).driverError).toMatchObject({
      code: '23505',
      constraint: 'item_key',
      table: 'item',
    });
  });

  it('leave the connection usable', async () => {
    await expect(dataSource.query('SELECT nonsense')).rejects.toThrow('nonsense');
    await expect(dataSource.query('SELECT $1::int', ['x'])).rejects.toThrow('invalid input syntax');
    expect(await dataSource.query('SELECT 1 AS n')).toEqual([{ n: 1 }]);
  });
});

describe('a client', () => {
  it('prepares named statements once and runs them with other values', async () => {
    await withClient(async (client) => {
      const sum = async (a: number, b: number): Promise<number | undefined> =>
        (await client.query<{ sum: number }>({ name: 'sum', text: 'SELECT $1::int + $2 AS sum', values: [a, b] }))
          .rows[0]?.sum;
      expect([await sum(1, 2), await sum(3, 4)]).toEqual([3, 7]);
      const { rows } = await client.query(`SELECT name FROM pg_prepared_statements WHERE name = 'sum'`);
      expect(rows).toEqual([{ name: 'sum' }]);
    });
  });

  it('hears what is notified', async () => {
    await withClient(async (client) => {
      await client.query('LISTEN bell');
      const heard = once(client, 'notification');
      await client.query(`NOTIFY bell, 'ding'`);
      expect(await heard).toEqual([expect.objectContaining({ channel: 'bell', payload: 'ding' })]);
    });
  });

  it('that goes away in the middle leaves a clean session to the next', async () => {
    const leaving = await pool.connect();
    await leaving.query({ name: 'mine', text: 'SELECT 1' });
    await leaving.query('BEGIN');
    await leaving.query('INSERT INTO item VALUES (1)');
    await leaving.query(`SET search_path TO nowhere`);
    leaving.release(true);
    expect(await count()).toBe(0);
    await withClient(async (client) => {
      expect((await client.query({ name: 'mine', text: 'SELECT 2 AS n' })).rows).toEqual([{ n: 2 }]);
    });
  });

  it('writes and reads large values', async () => {
    const large = 'ä'.repeat(3_000_000);
    await dataSource.query('INSERT INTO item VALUES (1, $1)', [large]);
    const [row] = await dataSource.query<{ name: string }[]>('SELECT name FROM item');
    expect(row?.name === large).toBe(true);
  });
});

describe('COPY', () => {
  const copy = (sql: string, data: Iterable<Buffer>): Promise<number> =>
    withClient(async (client) => {
      const stream = client.query(copyFrom(sql));
      await pipeline(Readable.from(data), stream);
      return stream.rowCount;
    });

  it('takes 100,000 rows', async () => {
    expect(
      await copy(
        'COPY item FROM STDIN',
        copyChunks(100_000, (n) => `${n}\tname \\\\ ${n}\n`),
      ),
    ).toBe(100_000);
    expect(await dataSource.query('SELECT count(*)::int, max(name) FROM item')).toEqual([
      { count: 100_000, max: 'name \\ 99999' },
    ]);
  });

  it('takes rows that hold escaped newlines, in a transaction, in several parts', async () => {
    const filling = `${'x'.repeat(1_000)}\\\n`.repeat(3);
    const counted = await withClient(async (client) => {
      await client.query('BEGIN');
      const stream = client.query(copyFrom('COPY item (n, name) FROM STDIN'));
      await pipeline(Readable.from(copyChunks(9_000, (n) => `${n}\t${filling}\n`)), stream);
      await client.query('COMMIT');
      return stream.rowCount;
    });
    expect(counted).toBe(9_000);
    const sizes = await dataSource.query('SELECT count(*)::int, min(length(name)), max(length(name)) FROM item');
    expect(sizes).toEqual([{ count: 9_000, min: 3_003, max: 3_003 }]);
  });

  it('takes rows that are cut anywhere, also between a backslash and what it escapes', async () => {
    const row = (n: number): string => `${n}\t${'\\\n'.repeat(n % 50)}${'\\\\'.repeat(n % 7)}\n`;
    const text = Buffer.from(Array.from({ length: 20_000 }, (_, n) => row(n)).join(''));
    const pieces = Array.from({ length: Math.ceil(text.length / 997) }, (_, at) =>
      text.subarray(at * 997, (at + 1) * 997),
    );
    await withClient(async (client) => {
      await client.query('BEGIN');
      await pipeline(Readable.from(pieces), client.query(copyFrom('COPY item (n, name) FROM STDIN')));
      await client.query('COMMIT');
    });
    expect(await dataSource.query('SELECT count(*)::int, sum(length(name))::int AS length FROM item')).toEqual([
      { count: 20_000, length: Array.from({ length: 20_000 }, (_, n) => (n % 50) + (n % 7)).reduce((a, b) => a + b) },
    ]);
  });

  it('takes a header once, however much follows', async () => {
    const rows = Array.from({ length: 20_000 }, (_, n) => `${n}\tname ${n}\n`).join('');
    await withClient(async (client) => {
      await client.query('BEGIN');
      const stream = client.query(copyFrom('COPY item (n, name) FROM STDIN WITH (HEADER)'));
      await pipeline(Readable.from(['n\tname\n', rows.slice(0, 150_000), rows.slice(150_000)]), stream);
      await client.query('COMMIT');
      expect(stream.rowCount).toBe(20_000);
    });
    expect(await count()).toBe(20_000);
  });

  it('takes CSV and nothing at all', async () => {
    expect(await copy('COPY item FROM STDIN WITH (FORMAT csv)', [Buffer.from('1,"two\nlines"\n2,\n')])).toBe(2);
    expect(await copy('COPY item FROM STDIN', [])).toBe(0);
    expect(await dataSource.query('SELECT name FROM item ORDER BY n')).toEqual([
      { name: 'two\nlines' },
      { name: null },
    ]);
  });

  it('gives back all of it on an error in the first part, in one between, in the last, and in the statement', async () => {
    const wrongAt = (wrong: number): Generator<Buffer> =>
      copyChunks(100_000, (n) => `${n === wrong ? 'x' : n}\t${'y'.repeat(150)}\n`);
    for (const wrong of [5, 50_000, 99_999]) {
      await withClient(async (client) => {
        await client.query('BEGIN');
        const stream = client.query(copyFrom('COPY item FROM STDIN'));
        await expect(pipeline(Readable.from(wrongAt(wrong)), stream)).rejects.toMatchObject({ code: '22P02' });
        await client.query('ROLLBACK');
      });
    }
    await expect(copy('COPY nothing FROM STDIN', wrongAt(-1))).rejects.toMatchObject({ code: '42P01' });
    expect(await count()).toBe(0);
  });

  it('writes nothing when its source fails', async () => {
    await withClient(async (client) => {
      const failing = Readable.from(
        (function* () {
          yield Buffer.from('1\tone\n');
          throw new Error('the source dried up');
        })(),
      );
      await expect(pipeline(failing, client.query(copyFrom('COPY item FROM STDIN')))).rejects.toThrow('dried up');
      expect((await client.query('SELECT count(*)::int FROM item')).rows).toEqual([{ count: 0 }]);
    });
  });

  it('is an error, not a wait for ever, where its data cannot be sent along', async () => {
    await expect(dataSource.query('SELECT 1; COPY item FROM STDIN')).rejects.toThrow('simple statement of its own');
    await withClient(async (client) => {
      await expect(client.query({ name: 'copy', text: 'COPY item FROM STDIN' })).rejects.toThrow('pg-copy-streams');
      await expect(client.query('COPY item FROM STDIN')).rejects.toMatchObject({ code: '57014' });
      expect((await client.query(`SELECT 'copy from stdin' AS text`)).rows).toEqual([{ text: 'copy from stdin' }]);
    });
  });

  it('reads out', async () => {
    await dataSource.query(`INSERT INTO item SELECT n, 'name' FROM generate_series(1, 50000) n`);
    const lines = await withClient(async (client) => {
      let text = '';
      for await (const chunk of client.query(copyTo('COPY item TO STDOUT'))) text += String(chunk);
      return text.split('\n').length - 1;
    });
    expect(lines).toBe(50_000);
  });
});

describe('an embedded database', () => {
  it('serves one client after the other, however many pools there are', async () => {
    const other = new database.driver.Pool({ connectionTimeoutMillis: 100 });
    await expect(other.query('SELECT 1')).rejects.toMatchObject({ code: 'FLOWSTONE_EMBEDDED_BUSY' });
    await other.end();
    expect(await dataSource.query('SELECT 1 AS n')).toEqual([{ n: 1 }]);
  });

  it('says that it has stopped, once it is closed', async () => {
    const closed = await openEmbeddedDatabase({ directory: temporaryDirectory() });
    await closed.close();
    await closed.close();
    await expect(new closed.driver.Pool().query('SELECT 1')).rejects.toMatchObject({
      code: 'FLOWSTONE_EMBEDDED_STOPPED',
    });
  });

  it('fails the statement that breaks it, and opens again with all that was committed', async () => {
    const broken = await openEmbeddedDatabase({ directory: temporaryDirectory() });
    const connections = new broken.driver.Pool();
    connections.on('error', () => undefined);
    await connections.query('CREATE TABLE kept AS SELECT 1 AS n');
    await connections.query(
      'CREATE FUNCTION deeper(n int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN deeper(n + 1); END $$',
    );
    await expect(connections.query('SELECT deeper(1)')).rejects.toMatchObject({ code: 'FLOWSTONE_EMBEDDED_STOPPED' });
    expect((await connections.query('SELECT n FROM kept')).rows).toEqual([{ n: 1 }]);
    await connections.end();
    await broken.close();
  });

  it('opens again once it can, where that failed before', async () => {
    const directory = temporaryDirectory();
    const broken = await openEmbeddedDatabase({ directory });
    const connections = new broken.driver.Pool();
    connections.on('error', () => undefined);
    await connections.query('CREATE TABLE kept AS SELECT 1 AS n');
    await connections.query(
      'CREATE FUNCTION deeper(n int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN deeper(n + 1); END $$',
    );
    await connections.query('SELECT deeper(1)').catch(() => undefined);
    const version = join(directory, 'postgres/PG_VERSION');
    renameSync(version, `${version}.away`);
    await expect(connections.query('SELECT 1')).rejects.toMatchObject({ code: 'FLOWSTONE_EMBEDDED_CORRUPT' });
    renameSync(`${version}.away`, version);
    const asked = Array.from({ length: 3 }, () => connections.query('SELECT n FROM kept'));
    for (const { rows } of await Promise.all(asked)) expect(rows).toEqual([{ n: 1 }]);
    await connections.end();
    await broken.close();
  });

  it('checkpoints by itself, so that its log does not grow without end', async () => {
    const directory = temporaryDirectory();
    const writing = await openEmbeddedDatabase({ directory });
    const connections = new writing.driver.Pool();
    const checkpoint = async (): Promise<string> =>
      (await connections.query<{ at: string }>('SELECT redo_lsn::text AS at FROM pg_control_checkpoint()')).rows[0]!.at;
    await connections.query('CREATE TABLE filling (text text)');
    const before = await checkpoint();
    while ((await checkpoint()) === before) {
      await connections.query(`INSERT INTO filling SELECT repeat('x', 1000) FROM generate_series(1, 5000)`);
    }
    expect(readdirSync(join(directory, 'postgres/pg_wal')).length).toBeLessThan(300);
    await connections.end();
    await writing.close();
  }, 60_000);
});
