// pg's own client and pool over the embedded database, as a value for TypeORM's `driver` option.
import type pg from 'pg';
import { FlowStoneError } from '../../flowstone.errors.js';
import type { EmbeddedEngine } from './embedded.engine.js';
import { EmbeddedSession } from './embedded.session.js';

/** Long enough for whatever honest work is in front, short enough to be found in a log. */
const CONNECTION_TIMEOUT_MS = 60_000;

type ConnectCallback = (
  error: Error | undefined,
  client: pg.PoolClient | undefined,
  release: (discard?: boolean | Error) => void,
) => void;

/** What TypeORM, and whoever wants pg itself, takes of the package `pg`. */
export interface EmbeddedDriver {
  readonly Client: typeof pg.Client;
  readonly Pool: typeof pg.Pool;
  readonly types: typeof pg.types;
  readonly defaults: typeof pg.defaults;
  readonly DatabaseError: typeof pg.DatabaseError;
}

/**
 * The driver: one connection, whatever is configured, since PGlite has one session. Waiting longer for it than
 * `connectTimeoutMS` (default 60 s) is FLOWSTONE_EMBEDDED_BUSY rather than a hang.
 */
export function embeddedDriver(postgres: typeof pg, provide: () => Promise<EmbeddedEngine>): EmbeddedDriver {
  class EmbeddedClient extends postgres.Client {
    constructor(config?: string | pg.ClientConfig) {
      super({
        ...(typeof config === 'object' ? config : {}),
        // Nothing of PGHOST, PGSSLMODE, PGUSER and the like may reach this client.
        connectionString: undefined,
        ssl: false,
        user: 'postgres',
        database: 'postgres',
        stream: () => new EmbeddedSession(provide),
      });
    }
  }

  class EmbeddedPool extends postgres.Pool {
    constructor(config: pg.PoolConfig = {}) {
      super({
        ...config,
        max: 1,
        // Leaving and coming back would cost the session its prepared statements.
        idleTimeoutMillis: 0,
        connectionTimeoutMillis: config.connectionTimeoutMillis ?? CONNECTION_TIMEOUT_MS,
        Client: EmbeddedClient,
      });
    }

    override connect(): Promise<pg.PoolClient>;
    override connect(callback: ConnectCallback): void;
    override connect(callback?: ConnectCallback): Promise<pg.PoolClient> | void {
      if (callback === undefined) {
        return super.connect().catch((error: unknown) => {
          throw explained(error);
        });
      }
      super.connect((error, client, release) => callback(error && explained(error), client, release));
    }
  }

  return {
    Client: EmbeddedClient,
    Pool: EmbeddedPool,
    types: postgres.types,
    defaults: postgres.defaults,
    DatabaseError: postgres.DatabaseError,
  };
}

function explained(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error));
  if (!/timeout/.test(error.message)) return error;
  return new FlowStoneError(
    'FLOWSTONE_EMBEDDED_BUSY',
    'The embedded database has one connection, and it was not free in time. ' +
      'Most likely code inside a transaction used a repository outside of it: use the manager given to it.',
    { cause: error },
  );
}
