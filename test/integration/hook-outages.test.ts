// Relays and senders of several processes on PostgreSQL while their connections are lost again and again, and events come in
// transactions that commit in any order: each hook is told of every event.
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import type { DataSource } from 'typeorm';
import type { Hook } from '../../lib/events/hook.js';
import { hookReceivers } from '../../lib/events/hook.receivers.js';
import { HookRelay } from '../../lib/events/hook.relay.js';
import { ledgerDataSource } from '../../lib/ledger/sql/data-source.js';
import { SqlLedger } from '../../lib/ledger/sql/sql-ledger.js';
import { OutboxSender } from '../../lib/outbox/outbox.sender.js';
import { freshDatabase, type FreshDatabase } from '../services/services.js';

const PROCESSES = 3;
const EVENTS = 200;

let database: FreshDatabase;
let sources: DataSource[];
let ledgers: SqlLedger[];
let other: Client;

beforeAll(async () => {
  database = await freshDatabase();
  sources = Array.from({ length: PROCESSES }, () => ledgerDataSource({ url: database.url }, 'flowstone'));
  ledgers = sources.map((dataSource) => new SqlLedger({ dataSource, own: true, migrate: true }));
  for (const ledger of ledgers) await ledger.open();
  other = new Client({ connectionString: database.url });
  await other.connect();
});
afterAll(async () => {
  for (const ledger of ledgers) await ledger.close();
  await other.end();
  await database.drop();
});

describe('hooks whose processes lose their connections', () => {
  it('are told of every event, once in the outbox', async () => {
    const told = new Map<string, Set<string>>();
    let outages = 0;
    const broken: unknown[] = [];
    const missed: string[] = [];
    const hooks = ['all', 'added'].map((name): Hook => ({
      ...{ name, assets: undefined, attempts: undefined },
      events: name === 'all' ? ['partitions.added', 'partitions.removed'] : ['partitions.added'],
      call: async (event, { id }) => {
        const what = `${name} ${event.kind} ${event.id}`;
        told.set(what, (told.get(what) ?? new Set()).add(id));
      },
    }));
    const outage = (): void => void outages++;
    const senders = ledgers.map(
      (ledger) =>
        new OutboxSender({
          ...{ ledger: () => ledger.outbox, installation: () => ledger.installation, keepFor: 3_600_000 },
          random: Math.random,
          receivers: hookReceivers(hooks, () => ledger.hooks),
          news: {
            ...{ failed: () => undefined, givenUp: () => undefined, sent: () => undefined, dropped: () => undefined },
            ...{ outage, broken: (error) => broken.push(error) },
          },
        }),
    );
    const relays = ledgers.map(
      (ledger, index) =>
        new HookRelay({
          ledger: () => ledger,
          hooks,
          poll: 20,
          news: {
            posted: () => senders[index]!.look(),
            missed: (hook) => missed.push(hook),
            ...{ outage, broken: (error) => broken.push(error) },
          },
        }),
    );
    for (const relay of relays) await relay.start();
    for (const sender of senders) sender.start();
    const namespace = `(SELECT n.id FROM flowstone.namespaces n)`;
    const writers = await Promise.all(
      [0, 1, 2].map(async () => {
        const writer = new Client({ connectionString: database.url, application_name: 'writer' });
        await writer.connect();
        return writer;
      }),
    );
    for (let n = 0; n < EVENTS; n += 10) {
      // Begun in one order, committed in another.
      for (const [index, writer] of writers.entries()) {
        await writer.query('BEGIN');
        await writer.query(
          `INSERT INTO flowstone.events (namespace, kind, detail)
          SELECT ${namespace}, $1, json_build_object('name', 'x', 'keys', json_build_array($2::int + i)) FROM generate_series(1, 5) i`,
          [index === 1 ? 'partitions.removed' : 'partitions.added', n],
        );
      }
      for (const writer of writers.toReversed()) {
        await writer.query(n % 30 === 0 && writer === writers[2] ? 'ROLLBACK' : 'COMMIT');
        await other.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE datname = current_database() AND application_name = 'flowstone' AND random() < 0.5`,
        );
        await pause(5);
      }
    }
    for (const writer of writers) await writer.end();
    const { rows } = await other.query<{ id: string; kind: string }>('SELECT id, kind FROM flowstone.events');
    const expected = rows.flatMap(({ id, kind }) =>
      (kind === 'partitions.added' ? ['all', 'added'] : ['all']).map((hook) => `${hook} ${kind} ${id}`),
    );
    while (told.size < expected.length) {
      // What was taken and not recorded comes again when its lease is over: at once, here.
      await other.query(`UPDATE flowstone.outbox SET due_at = now() WHERE due_at > now() + interval '50 seconds'`);
      await pause(20);
    }
    for (const relay of relays) await relay.close();
    for (const sender of senders) await sender.close(5000);
    expect([...told.keys()].sort()).toEqual(expected.sort());
    // A repetition is of the same notice: nothing was posted twice, whatever became of the answer to a commit.
    expect(Math.max(...Array.from(told.values(), ({ size }) => size))).toBe(1);
    expect([broken, missed]).toEqual([[], []]);
    expect(outages).toBeGreaterThan(0);
  }, 120_000);
});
