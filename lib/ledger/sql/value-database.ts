// A database for values beside the ledger's: its connections, and the tables that say what is whose.
import { DataSource } from 'typeorm';
import type { Pool } from 'pg';
import { VALUE_TABLES } from '../../../migrations/0001-value-tables.js';
import type { ValueDatabase } from '../value-database.port.js';
import { bareDataSource } from './data-source.js';
import { Database } from './database.js';
import { isOutage, unavailable } from './failures.js';
import { quoted } from './statement.js';
import { steady } from './steady-pool.js';
import { ValueTransactions } from './value-transactions.js';

/** Connections at most. */
const POOL_SIZE = 8;

/** A database, or how to reach it. */
export interface ValueSource {
  readonly url?: string | undefined;
  readonly ssl?: boolean | object | undefined;
  readonly dataSource?: DataSource | undefined;
  readonly schema?: string | undefined;
}

export interface ValueConnection {
  readonly database: ValueDatabase;
  /** Closes connections that were made for it. */
  close(): Promise<void>;
}

/** Connects, and makes the tables unless they are there. FLOWSTONE_LEDGER_UNAVAILABLE: it cannot be reached. */
export async function connectValues({
  url,
  ssl,
  dataSource,
  schema = 'flowstone',
}: ValueSource): Promise<ValueConnection> {
  const source = dataSource ?? bareDataSource({ url, ssl, poolSize: POOL_SIZE });
  const own = dataSource === undefined;
  const close = async (): Promise<void> => {
    if (own && source.isInitialized) await source.destroy();
  };
  try {
    if (!source.isInitialized) await source.initialize();
    const pool = (source.driver as unknown as { readonly master: Pool }).master;
    steady(pool);
    const database = new ValueTransactions(new Database(source, schema, own));
    database.allow(pool.options.max);
    if (!(await isPrepared(database))) await prepare(database);
    return { database, close };
  } catch (error) {
    await close();
    throw isOutage(error) ? unavailable(error, false) : error;
  }
}

/** Whoever may use the tables need not be allowed to make any. */
async function isPrepared(database: ValueDatabase): Promise<boolean> {
  const found = await database.read(
    `SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relname IN ('value_tables', 'value_slices', 'value_documents')`,
    [database.schema],
  );
  return found.length === VALUE_TABLES.length;
}

function prepare(database: ValueDatabase): Promise<void> {
  const { schema } = database;
  return database.transaction(async (sql) => {
    await sql.rows('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`flowstone values ${schema}`]);
    const [known] = await sql.rows(`SELECT FROM pg_namespace WHERE nspname = $1`, [schema]);
    if (!known) await sql.rows(`CREATE SCHEMA ${quoted(schema)}`);
    await sql.rows(`SET LOCAL search_path TO ${quoted(schema)}`);
    for (const table of VALUE_TABLES) await sql.rows(table);
  });
}
