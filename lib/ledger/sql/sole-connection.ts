// A connection of its own for what must not wait for the shared pool: the heartbeat. Lost, it is replaced at the next use.
import { Pool, type PoolClient, type PoolConfig } from 'pg';
import type { DataSourceOptions } from 'typeorm';
import type { Connection, Connections } from './database.js';
import { steady } from './steady-pool.js';

/** How to reach the server: settings of `pg`, whose types an application need not have. */
export type SoleConnectionConfig = Readonly<Record<string, unknown>>;

/**
 * The settings by which a DataSource reaches its server, for one connection of this name that must answer within
 * `patience` ms.
 * Undefined where it reaches it by other means than the `pg` package.
 */
export function soleConnectionConfig(
  options: DataSourceOptions,
  name: string,
  patience: number,
): SoleConnectionConfig | undefined {
  if (options.type !== 'postgres' || options.driver !== undefined || options.nativeDriver !== undefined)
    return undefined;
  const { url, host, port, username, password, database, ssl, extra } = { ...options, ...options.replication?.master };
  const given = {
    connectionString: url,
    host,
    port,
    user: username,
    password,
    database,
    ssl,
    ...(extra as PoolConfig),
  };
  return {
    ...(Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as PoolConfig),
    application_name: `flowstone ${name}`,
    connectionTimeoutMillis: patience,
    query_timeout: patience,
    keepAlive: true,
    max: 1,
    min: 0,
    idleTimeoutMillis: 0,
    maxUses: Infinity,
    maxLifetimeSeconds: 0,
  };
}

export class SoleConnection implements Connections {
  readonly #pool: Pool;

  /**
   * Connects at its first use.
   * @param broke hears that the connection broke while nobody used it
   */
  constructor(config: SoleConnectionConfig, broke: (error: Error) => void) {
    this.#pool = new Pool(config);
    this.#pool.on('error', broke);
    // One may break while it is lent, too: its query says so.
    steady(this.#pool);
  }

  createQueryRunner(): Connection {
    let lent: PoolClient | undefined;
    const connect = async (): Promise<PoolClient> => {
      lent ??= await this.#pool.connect();
      return lent;
    };
    const send = async (sql: string): Promise<void> => void (await lent!.query(sql));
    return {
      connect,
      startTransaction: () => send('BEGIN'),
      commitTransaction: () => send('COMMIT'),
      rollbackTransaction: () => send('ROLLBACK'),
      release: async () => lent?.release(),
    };
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}
