// The log of events on a server, where transactions are open side by side and commit in any order.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { DataSource, type QueryRunner } from 'typeorm';
import type { EventRecord } from '../../lib/ledger/records.js';
import { ledgerDataSource } from '../../lib/ledger/sql/data-source.js';
import { SqlLedger } from '../../lib/ledger/sql/sql-ledger.js';
import { freshDatabase, type FreshDatabase } from '../services/services.js';

const ACT = { actor: null, reason: null };
const SESSIONS = 4;

let database: FreshDatabase;
let dataSource: DataSource;
let host: DataSource;
let ledger: SqlLedger;
let namespaces = 0;
const namespaceOf = (): string => `events ${namespaces}`;

beforeAll(async () => {
  database = await freshDatabase();
  dataSource = await ledgerDataSource({ url: database.url }, 'flowstone').initialize();
  host = await new DataSource({ type: 'postgres', url: database.url, poolSize: SESSIONS + 2 }).initialize();
});

beforeEach(async () => {
  namespaces++;
  ledger = await opened();
});

afterAll(async () => {
  await host.destroy();
  await dataSource.destroy();
  await database.drop();
});

async function opened(): Promise<SqlLedger> {
  const made = new SqlLedger({ dataSource, own: true, namespace: namespaceOf(), migrate: true });
  await made.open();
  return made;
}

const add = (key: string, runner?: QueryRunner) =>
  ledger.addPartitions('days', [key], runner ? { ...ACT, manager: runner.manager } : ACT);
const keysOf = (events: readonly EventRecord[]) => events.flatMap(({ detail }) => (detail?.['keys'] ?? []) as string[]);

/** A reader that goes on from where it was. */
async function reader(limit = 100): Promise<() => Promise<string[]>> {
  let cursor = await ledger.eventLog.cursor();
  return async () => {
    const found: string[] = [];
    for (let more = true; more;) {
      const page = await ledger.eventLog.since(cursor, limit);
      found.push(...keysOf(page.events));
      ({ cursor, more } = page);
    }
    return found;
  };
}

/** A session of the host's with an open transaction. */
async function begun(): Promise<QueryRunner> {
  const runner = host.createQueryRunner();
  await runner.startTransaction();
  return runner;
}

async function committed(runner: QueryRunner): Promise<void> {
  await runner.commitTransaction();
  await runner.release();
}

describe('a transaction that takes long', () => {
  it('neither hides what others commit meanwhile nor is lost itself', async () => {
    const read = await reader();
    const long = await begun();
    await add('long', long);
    await add('short');
    expect(await read()).toEqual(['short']);
    await add('another');
    expect(await read()).toEqual(['another']);
    await committed(long);
    expect(await read()).toEqual(['long']);
    expect(await read()).toEqual([]);
  });

  it('is found where it began before the reader did, and where it only begins to write after that', async () => {
    const [before, idle] = [await begun(), await begun()];
    await add('before', before);
    await idle.query('SELECT 1');
    const read = await reader();
    await add('idle', idle);
    await committed(idle);
    expect(await read()).toEqual(['idle']);
    await committed(before);
    expect(await read()).toEqual(['before']);
  });

  it('is not told of where it is rolled back', async () => {
    const read = await reader();
    const long = await begun();
    await add('long', long);
    await add('short');
    expect(await read()).toEqual(['short']);
    await long.rollbackTransaction();
    await long.release();
    expect(await read()).toEqual([]);
  });

  it('is taken as a whole, however many rows it has', async () => {
    const read = await reader(3);
    await add('one');
    const many = await begun();
    const keys = Array.from({ length: 20 }, (_, number) => `many ${number}`);
    for (const key of keys) await add(key, many);
    await committed(many);
    for (const key of ['two', 'three']) await add(key);
    expect(await read()).toEqual(['one', ...keys, 'two', 'three']);
    expect(await read()).toEqual([]);
  });

  it('keeps a cursor of before it from being taken for lost, and a cursor that it was open at from being taken for good', async () => {
    const long = await begun();
    await add('long', long);
    const cursor = await ledger.eventLog.cursor();
    await add('later');
    const read = await ledger.eventLog.since(cursor, 10);
    await committed(long);
    // Retention removes all there is, that of the long one included, which nobody has read.
    const { removed } = await ledger.collection.removeEvents(new Date(Date.now() + 60_000), 0, 1000);
    expect(removed).toBeGreaterThanOrEqual(2);
    await expect(ledger.eventLog.since(read.cursor, 10)).rejects.toMatchObject({
      code: 'FLOWSTONE_EVENT_CURSOR_LOST',
      context: { reason: 'removed' },
    });
  });
});

describe('a cursor', () => {
  it('counts only transactions that are in the log: a server that crashes may give the numbers of others again', async () => {
    const empty = await ledger.eventLog.cursor();
    await add('one');
    const { events, cursor } = await ledger.eventLog.since(empty, 10);
    expect(keysOf(events)).toEqual(['one']);
    for (let n = 0; n < 5; n++) await host.query('SELECT pg_current_xact_id()');
    expect(await ledger.eventLog.cursor()).toBe(cursor);
    const [{ xid }] = await host.query<[{ xid: string }]>(
      'SELECT max(xid::text::bigint)::text AS xid FROM flowstone.events',
    );
    expect(cursor.split(' ')[1]!.split(':')[1]).toBe(String(BigInt(xid) + 1n));
    expect(await ledger.eventLog.since(cursor, 10)).toMatchObject({ events: [], cursor, more: false });
  });

  it('stays good where all that it has passed is removed', async () => {
    await add('one');
    // One with which nothing is open anywhere on the server: of what is, it could not be told whether it was removed.
    let cursor = await ledger.eventLog.cursor();
    while (!cursor.endsWith(':')) cursor = await ledger.eventLog.cursor();
    await ledger.collection.removeEvents(new Date(Date.now() + 60_000), 0, 100_000);
    expect(await ledger.eventLog.cursor()).toBe(cursor);
    await add('two');
    expect(keysOf((await ledger.eventLog.since(cursor, 10)).events)).toEqual(['two']);
  });
});

describe('transactions side by side', () => {
  it('are all read exactly once, in whatever order they write, commit, roll back and are read', async () => {
    let number = 0;
    const step = fc.record({
      session: fc.nat(SESSIONS - 1),
      act: fc.constantFrom('write', 'write', 'commit', 'roll back', 'read'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), fc.integer({ min: 1, max: 4 }), async (steps, limit) => {
        const read = await reader(limit);
        const sessions = new Map<number, { runner: QueryRunner; keys: string[] }>();
        const expected: string[] = [];
        const found: string[] = [];
        const end = async (index: number, commit: boolean): Promise<void> => {
          const session = sessions.get(index);
          if (!session) return;
          sessions.delete(index);
          if (commit) await session.runner.commitTransaction();
          else await session.runner.rollbackTransaction();
          await session.runner.release();
          if (commit) expected.push(...session.keys);
        };
        for (const { session: index, act } of steps) {
          if (act === 'read') found.push(...(await read()));
          else if (act === 'write') {
            let session = sessions.get(index);
            if (!session) sessions.set(index, (session = { runner: await begun(), keys: [] }));
            const key = `key ${++number}`;
            await add(key, session.runner);
            session.keys.push(key);
          } else await end(index, act === 'commit');
        }
        for (const index of [...sessions.keys()]) await end(index, true);
        found.push(...(await read()));
        expect([...found].sort()).toEqual([...expected].sort());
      }),
      { numRuns: 40 },
    );
  });

  it('come after those that had committed before they began, also over pages', async () => {
    const read = await reader(1);
    const first = await begun();
    const second = await begun();
    await add('b', second);
    await add('a', first);
    await committed(second);
    await committed(first);
    await add('c');
    const found = await read();
    expect(found.at(-1)).toBe('c');
    expect([...found].sort()).toEqual(['a', 'b', 'c']);
  });
});

describe('a ledger that was copied from another server', () => {
  const copyFromAbove = (table: string, column: string) =>
    dataSource.query(
      `UPDATE flowstone.${table} t SET ${column} = '900000000000' FROM flowstone.namespaces n
      WHERE n.name = $1 AND ${table === 'events' ? 't.namespace = n.id' : 't.id = n.id'}`,
      [namespaceOf()],
    );

  it('gives nothing of before again, and refuses cursors of before', async () => {
    const old = await ledger.eventLog.cursor();
    await add('copied');
    await copyFromAbove('events', 'xid');
    // Even while nobody has opened it anew.
    expect((await ledger.eventLog.since(old, 10)).events).toEqual([]);
    ledger = await opened();
    await expect(ledger.eventLog.since(old, 10)).rejects.toMatchObject({ context: { reason: 'another ledger' } });
    const read = await reader();
    await add('new');
    expect(await read()).toEqual(['new']);
    // Once: whoever opens it next leaves cursors as they are.
    ledger = await opened();
    await add('newer');
    expect(await read()).toEqual(['newer']);
  });

  it('does not take what retention removed there for removed here', async () => {
    await copyFromAbove('namespaces', 'events_removed');
    ledger = await opened();
    const read = await reader();
    await add('new');
    expect(await read()).toEqual(['new']);
  });
});
