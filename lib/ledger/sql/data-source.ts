// The ledger's own DataSource: our entities, timeouts everywhere, nothing ever synchronized.
import { DataSource, type DataSourceOptions } from 'typeorm';
import { LEDGER_ENTITIES } from '../entities/index.js';
import { LONGEST_SILENCE } from './database.js';

/** How to reach the ledger's database. */
export interface LedgerConnection {
  /** `postgres://...`; not needed where `driver` is an embedded database. */
  readonly url?: string | undefined;
  /** A replacement for the `pg` package (the embedded database's). */
  readonly driver?: unknown;
  readonly ssl?: boolean | object | undefined;
  /** At most so many connections. Default 10. */
  readonly poolSize?: number | undefined;
  /** Milliseconds after which a connection attempt, or waiting for a free connection, is an error. Default 10 s. */
  readonly connectTimeout?: number | undefined;
}

/** A DataSource for a ledger of its own, not yet connected. */
export function ledgerDataSource(connection: LedgerConnection, schema: string): DataSource {
  return new DataSource({ ...optionsOf(connection), schema, entities: [...LEDGER_ENTITIES] });
}

/** A DataSource that knows no tables, not yet connected. */
export function bareDataSource(connection: LedgerConnection): DataSource {
  return new DataSource(optionsOf(connection));
}

function optionsOf(connection: LedgerConnection): DataSourceOptions & { readonly type: 'postgres' } {
  const { url, driver, ssl, poolSize = 10, connectTimeout = 10_000 } = connection;
  return {
    type: 'postgres',
    ...(url === undefined ? {} : { url }),
    ...(driver === undefined ? {} : { driver }),
    ...(ssl === undefined ? {} : { ssl: ssl as boolean }),
    synchronize: false,
    migrationsRun: false,
    installExtensions: false,
    uuidExtension: 'pgcrypto',
    poolSize,
    connectTimeoutMS: connectTimeout,
    // A lost idle connection is replaced at the next query; unheard, it would end the process.
    poolErrorHandler: () => undefined,
    extra: { query_timeout: LONGEST_SILENCE, keepAlive: true, application_name: 'flowstone' },
  };
}
