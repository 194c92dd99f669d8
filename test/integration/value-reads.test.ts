// Rows of values in PostgreSQL that are being read, while their tables are locked or the server goes away.
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import type { Rows } from '../../lib/io/rows.js';
import { valueStores, type Row, type Store } from './value-stores.js';

const stores = valueStores();

describe.each(stores.kinds.filter(([kind]) => kind !== 'PGlite'))('rows that are being read (%s)', (kind, make) => {
  const own = kind.replaceAll(' ', '_').toLowerCase();

  it.each([
    ['a table', { table: `${own}.streamed`, columns: { n: 'integer' } }],
    ['documents', {}],
  ])('fail amid it as a load does: %s', async (_, options) => {
    const store = make('streamed');
    store.options = options;
    const stream = async function* () {
      for (let n = 0; n < 12_345; n++) yield { n };
    };
    const { location } = await store.store(stream());
    const rows = await store.load<Rows<Row>>(location);
    const table =
      'table' in options ? options.table : `${kind === 'PostgreSQL' ? 'flowstone' : 'elsewhere'}.value_documents`;
    // As the time limit of a statement would, and a server that shuts down.
    for (const end of ['cancel', 'terminate']) {
      const iterator = rows[Symbol.asyncIterator]();
      await iterator.next();
      await store.query('BEGIN');
      await store.query(`LOCK TABLE ${table}`);
      const rest = (async () => {
        while (!(await iterator.next()).done);
      })().catch((error: unknown) => error);
      const waiting = `SELECT pg_${end}_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'`;
      while ((await store.query(waiting)).length === 0) await pause(20);
      const outage = end === 'terminate' && kind === 'PostgreSQL';
      expect(await rest).toMatchObject({
        code: outage ? 'FLOWSTONE_LEDGER_UNAVAILABLE' : 'FLOWSTONE_IO_FAILED',
        message: expect.stringMatching(
          outage ? /terminating/ : end === 'cancel' ? /the value of streamed: .*locked/ : /the value of streamed: term/,
        ),
      });
      await store.query('ROLLBACK');
    }
    expect(await rows.toArray()).toHaveLength(12_345);
    const thrown = new Error('of who reads');
    const reading = async () => {
      for await (const row of rows) if (row['n'] === 3) throw thrown;
    };
    await expect(reading()).rejects.toBe(thrown);
  });

  it('give way to others where their tables are locked, and are read once they are not', async () => {
    const [locked, free] = ['locked', 'free'].map((name) => {
      const store = make(name);
      store.options = { table: `${own}.${name}`, columns: { n: 'integer' } };
      return store;
    }) as [Store, Store];
    const rows = [{ n: 1 }];
    const { location } = await locked.store(rows);
    const other = await free.store(rows);
    await locked.query('BEGIN');
    await locked.query(`LOCK TABLE ${own}.locked`);
    let read = 0;
    const waiting = Array.from({ length: 8 }, async () => {
      const found = await locked.load(location);
      read++;
      return found;
    });
    const started = performance.now();
    for (let turn = 0; turn < 2; turn++) expect(await free.load(other.location)).toEqual(rows);
    expect(performance.now() - started).toBeLessThan(20_000);
    expect(read).toBe(0);
    await locked.query('ROLLBACK');
    expect(await Promise.all(waiting)).toEqual(Array.from({ length: 8 }, () => rows));
    expect(await free.load(other.location)).toEqual(rows);
  });
});
