// The managers that keep values in PostgreSQL, as an asset uses them, without a module around them.
import { afterAll, beforeAll } from '@jest/globals';
import { Client } from 'pg';
import type { LoadContext, StoreContext } from '../../lib/io/io-manager.port.js';
import { LedgerIoManager } from '../../lib/io/managers/postgres/ledger.io-manager.js';
import { PostgresIoManager } from '../../lib/io/managers/postgres/postgres.io-manager.js';
import { openEmbeddedDatabase, type EmbeddedDatabase } from '../../lib/ledger/embedded/embedded.database.js';
import { ledgerDataSource } from '../../lib/ledger/sql/data-source.js';
import { SqlLedger } from '../../lib/ledger/sql/sql-ledger.js';
import type { LedgerValues } from '../../lib/ledger/value-database.port.js';
import { freshDatabase, type FreshDatabase } from '../services/services.js';

export type Row = Readonly<Record<string, unknown>>;

let materializations = 0;

/** A manager, as an asset of this name uses it. */
export class Store {
  options: Readonly<Record<string, unknown>> = {};

  constructor(
    readonly asset: string,
    readonly manager: LedgerIoManager | PostgresIoManager,
    readonly values: LedgerValues | undefined,
    /** Of whoever else uses the database; rows as arrays. */
    readonly query: (text: string) => Promise<readonly unknown[]>,
  ) {}

  get place() {
    return { namespace: 'default', asset: this.asset, partition: undefined, options: this.options };
  }

  async store(value: unknown, more: Partial<StoreContext> = {}) {
    const { signal } = new AbortController();
    const context = { ...this.place, materialization: ++materializations, epoch: 1, signal, ...more };
    const stored = await this.manager.store(context, value);
    if (!('write' in stored)) return stored;
    try {
      return await this.values!.transaction((sql) => stored.write(sql));
    } finally {
      await stored.release();
    }
  }

  load<T = readonly Row[]>(location: LoadContext['location'], more: Partial<LoadContext> = {}): Promise<T> {
    return this.manager.load({ ...this.place, location: JSON.parse(JSON.stringify(location)), ...more }) as Promise<T>;
  }

  async back(rows: readonly Row[]): Promise<readonly Row[]> {
    return this.load((await this.store(rows)).location);
  }
}

/** Of a test file: databases are there from `beforeAll` to `afterAll`. */
export function valueStores(): { readonly kinds: (readonly [string, (asset: string) => Store])[] } {
  let database: FreshDatabase;
  let embedded: EmbeddedDatabase;
  let client: Client;
  const ledgers = new Map<string, SqlLedger>();
  const opened: PostgresIoManager[] = [];
  beforeAll(async () => {
    database = await freshDatabase();
    embedded = await openEmbeddedDatabase({ memory: true });
    const own = { own: true, migrate: true } as const;
    const dataSource = ledgerDataSource({ driver: embedded.driver, connectTimeout: 60_000 }, 'flowstone');
    ledgers.set('PGlite', new SqlLedger({ dataSource, ...own, exclusive: true }));
    const connected = ledgerDataSource({ url: database.url }, 'flowstone');
    ledgers.set('PostgreSQL', new SqlLedger({ dataSource: connected, ...own }));
    for (const ledger of ledgers.values()) await ledger.open();
    client = new Client({ connectionString: database.url });
    await client.connect();
  });
  afterAll(async () => {
    await client.end();
    for (const manager of opened) await manager.close();
    for (const ledger of ledgers.values()) await ledger.close();
    await embedded.close();
    await database.drop();
  });
  const make = (kind: string, asset: string): Store => {
    const values = ledgers.get(kind)?.values;
    const query = async (text: string) => {
      if (kind === 'PGlite') return values!.transaction((sql) => sql.rows(text));
      return (await client.query({ text, rowMode: 'array' })).rows;
    };
    if (values) return new Store(asset, new LedgerIoManager(values), values, query);
    const manager = new PostgresIoManager({ url: database.url, schema: 'elsewhere' });
    opened.push(manager);
    return new Store(asset, manager, undefined, query);
  };
  const kinds = ['PostgreSQL', 'PGlite', 'another database'];
  return { kinds: kinds.map((kind) => [kind, (asset: string) => make(kind, asset)] as const) };
}
