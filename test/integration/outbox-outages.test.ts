// Senders of several processes on PostgreSQL while its connections are lost again and again: every notice is sent, and in the
// end none is left.
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import type { DataSource } from 'typeorm';
import { ledgerDataSource } from '../../lib/ledger/sql/data-source.js';
import { SqlLedger } from '../../lib/ledger/sql/sql-ledger.js';
import { OutboxSender } from '../../lib/outbox/outbox.sender.js';
import { freshDatabase, type FreshDatabase } from '../services/services.js';

const NOTICES = 300;
const SENDERS = 3;

let database: FreshDatabase;
let sources: DataSource[];
let ledgers: SqlLedger[];
let other: Client;

beforeAll(async () => {
  database = await freshDatabase();
  sources = Array.from({ length: SENDERS }, () => ledgerDataSource({ url: database.url }, 'flowstone'));
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

describe('senders whose connections are lost', () => {
  it('send every notice at least once, and leave none', async () => {
    const taken = new Map<number, Set<string>>();
    let outages = 0;
    let broken: unknown;
    const senders = ledgers.map(
      (ledger) =>
        new OutboxSender({
          ledger: () => ledger.outbox,
          installation: () => ledger.installation,
          keepFor: 3_600_000,
          random: Math.random,
          receivers: [
            {
              topic: 'news',
              name: 'receiver',
              async send({ id, payload }) {
                await pause(Math.random() * 5);
                const n = payload['n'] as number;
                taken.set(n, (taken.get(n) ?? new Set()).add(id));
              },
            },
          ],
          news: {
            ...{ failed: () => undefined, givenUp: () => undefined, sent: () => undefined, dropped: () => undefined },
            outage: () => void outages++,
            broken: (error) => (broken = error),
          },
        }),
    );
    for (const sender of senders) sender.start();
    const left = async (): Promise<number> => {
      // What was taken and not recorded comes again when its lease is over: at once, here.
      await other.query(`UPDATE flowstone.outbox SET due_at = now() WHERE due_at > now() + interval '50 seconds'
        AND due_at < now() + interval '59 seconds'`);
      const { rows } = await other.query<{ left: string }>('SELECT count(*) AS left FROM flowstone.outbox');
      return Number(rows[0]!.left);
    };
    for (let n = 0; n < NOTICES; n += 10) {
      await other.query(
        `INSERT INTO flowstone.outbox (namespace, topic, payload)
        SELECT n.id, 'news', json_build_object('n', i) FROM flowstone.namespaces n, generate_series($1::int, $1::int + 9) i`,
        [n],
      );
      for (const sender of senders) sender.look();
      await other.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
      );
      await pause(20);
    }
    while ((await left()) > 0) {
      for (const sender of senders) sender.look();
      await pause(50);
    }
    for (const sender of senders) await sender.close(5000);
    expect(broken).toBeUndefined();
    expect(outages).toBeGreaterThan(0);
    expect(taken.size).toBe(NOTICES);
    // A repetition has the same id.
    expect(Math.max(...Array.from(taken.values(), ({ size }) => size))).toBe(1);
  }, 60_000);
});
