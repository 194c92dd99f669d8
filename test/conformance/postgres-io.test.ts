// The I/O managers on PostgreSQL against the published suite: in the ledger's database and beside it, documents and tables.
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, it, jest } from '@jest/globals';
import { DataSource } from 'typeorm';
import type { StoreContext, StoredValue, UnwrittenValue, ValueAddress } from '../../lib/io/io-manager.port.js';
import { LedgerIoManager } from '../../lib/io/managers/postgres/ledger.io-manager.js';
import { PostgresIoManager } from '../../lib/io/managers/postgres/postgres.io-manager.js';
import { openEmbeddedDatabase, type EmbeddedDatabase } from '../../lib/ledger/embedded/embedded.database.js';
import { ledgerDataSource } from '../../lib/ledger/sql/data-source.js';
import { SqlLedger } from '../../lib/ledger/sql/sql-ledger.js';
import { runIoConformance } from '../../lib/testing/io-conformance.js';
import { freshDatabase, type FreshDatabase } from '../services/services.js';

// The largest values take seconds, and a multiple of that where the machine is busy.
jest.setTimeout(120_000);

const COLUMNS = { id: 'integer', at: 'timestamptz', text: 'text', ratio: 'double precision', big: 'bigint' };

/** A table for each asset, since none has two. */
function tableOf({ namespace, asset, partition }: Pick<ValueAddress, 'namespace' | 'asset' | 'partition'>) {
  const address = JSON.stringify([namespace, asset, partition === undefined]);
  const name = createHash('sha256').update(address).digest('hex').slice(0, 40);
  return { table: `tables.t${name}`, columns: COLUMNS };
}

let database: FreshDatabase;
let embedded: EmbeddedDatabase;
const ledgers = new Map<'PostgreSQL' | 'PGlite', SqlLedger>();

beforeAll(async () => {
  database = await freshDatabase();
  embedded = await openEmbeddedDatabase({ memory: true });
  const { url } = database;
  const embeddedSource = ledgerDataSource({ driver: embedded.driver, connectTimeout: 60_000 }, 'flowstone');
  ledgers.set(
    'PostgreSQL',
    new SqlLedger({ dataSource: ledgerDataSource({ url }, 'flowstone'), own: true, migrate: true }),
  );
  ledgers.set('PGlite', new SqlLedger({ dataSource: embeddedSource, own: true, migrate: true, exclusive: true }));
  for (const ledger of ledgers.values()) await ledger.open();
});
afterAll(async () => {
  for (const ledger of ledgers.values()) await ledger.close();
  await embedded.close();
  await database.drop();
});

for (const kind of ['PostgreSQL', 'PGlite'] as const) {
  const create = () => new LedgerIoManager(ledgers.get(kind)!.values);
  const commit = async (
    { namespace, materialization, epoch }: StoreContext,
    value: StoredValue | UnwrittenValue,
  ): Promise<StoredValue> => {
    const stored = await ledgers.get(kind)!.values.transaction(async (sql) => {
      if ('write' in value) return value.write(sql);
      const text = `INSERT INTO flowstone.value_documents (namespace, materialization_id, epoch, content) VALUES ($1, $2, $3, $4)`;
      await sql.rows(text, [namespace, materialization, epoch, value.document]);
      return value;
    });
    if ('release' in value) await value.release();
    return stored;
  };
  // Of PGlite here: the database itself.
  const inMemory = kind === 'PGlite';
  runIoConformance({ describe, it }, { name: `postgres in the ledger's ${kind}, documents`, create, commit, inMemory });
  runIoConformance(
    { describe, it },
    { name: `postgres in the ledger's ${kind}, tables`, create, commit, inMemory, options: tableOf, stores: ['rows'] },
  );
}

const created: DataSource[] = [];
afterAll(async () => Promise.all(created.map((dataSource) => dataSource.destroy())));

for (const [name, create] of [
  ['by url', () => new PostgresIoManager({ url: database.url, schema: 'by_url' })],
  [
    'by a DataSource',
    () => {
      const dataSource = new DataSource({ type: 'postgres', url: database.url });
      created.push(dataSource);
      return new PostgresIoManager({ dataSource, schema: 'by_source' });
    },
  ],
] as const) {
  const createBroken = () => new PostgresIoManager({ url: 'postgres://nobody@127.0.0.1:1/none' });
  const options = (place: Parameters<typeof tableOf>[0]) => {
    const { table, columns } = tableOf(place);
    return { table: table.replace('tables', `tables_${name.replaceAll(' ', '_')}`), columns };
  };
  runIoConformance({ describe, it }, { name: `postgres beside the ledger, ${name}, documents`, create, createBroken });
  runIoConformance(
    { describe, it },
    { name: `postgres beside the ledger, ${name}, tables`, create, createBroken, options, stores: ['rows'] },
  );
}
