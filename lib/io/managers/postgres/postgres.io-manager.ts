// The I/O manager that keeps values in a PostgreSQL database other than the ledger's. Rows in tables are there before they
// are on record, for a moment; documents are one version each.
import { FlowStoneError } from '../../../flowstone.errors.js';
import type { DataSource } from '../../../ledger/ledger.port.js';
import type { ValueConnection } from '../../../ledger/sql/value-database.js';
import type { ValueDatabase, ValueSql } from '../../../ledger/value-database.port.js';
import { ioFailed, type ValuePlace } from '../../io-failures.js';
import type { StoreContext, StoredAttempt, StoredValue, UnwrittenValue, ValueAddress } from '../../io-manager.port.js';
import { DatabaseIoManager } from './database.io-manager.js';
import { isToldToStop, writeFailure, type EncodedValue } from './encoded.value.js';
import { unknownOptions } from './table.declaration.js';
import { isInTable } from './table.location.js';
import { quoted } from './text-formats.js';

/** Which database, and where in it FlowStone's own tables are. */
export type PostgresIoManagerOptions = (
  | {
      /** `postgres://...` */
      readonly url: string;
      /** As the package `pg` takes it. */
      readonly ssl?: boolean | object;
    }
  | {
      /** One of yours, connected or not; it is not closed. */
      readonly dataSource: DataSource;
    }
) & {
  /** Schema of FlowStone's own tables there, made if need be. Default `flowstone`. */
  readonly schema?: string;
};

const SCHEMA = /^[A-Za-z_][A-Za-z0-9_]{0,62}$/;
const URL_SCHEME = /^postgres(?:ql)?:\/\//;

/**
 * Keeps values in a database of its own: register it under a name, and assets use it by `io`. Values in the ledger's
 * database are kept by the built-in `postgres`, which needs no such manager.
 */
export class PostgresIoManager extends DatabaseIoManager<StoredValue> {
  protected readonly schema: string;
  readonly #options: PostgresIoManagerOptions;
  #connecting: Promise<ValueConnection> | undefined;
  #connection: ValueConnection | undefined;

  /**
   * Connects to nothing yet.
   * @throws FlowStoneError FLOWSTONE_OPTIONS_INVALID: neither url nor dataSource, or any of what is given cannot be used
   */
  constructor(options: PostgresIoManagerOptions) {
    super();
    requireOptions(options);
    this.#options = options;
    this.schema = options.schema ?? 'flowstone';
  }

  /** Whether it was given this DataSource. */
  isOn(dataSource: DataSource): boolean {
    return 'dataSource' in this.#options && this.#options.dataSource === dataSource;
  }

  protected get database(): ValueDatabase {
    return this.#connection!.database;
  }

  /**
   * Connects, and makes its tables unless they are there. A database that is away is tried again at each use.
   * FLOWSTONE_IO_FAILED: it takes no such user, has no such database, or lets the user make no tables.
   */
  async open(): Promise<void> {
    await this.ready().catch((error: unknown) => {
      if (!isAway(error)) throw error;
    });
  }

  async close(): Promise<void> {
    const connection = await this.#connecting?.catch(() => undefined);
    this.#connecting = undefined;
    await connection?.close();
  }

  protected override async ready(): Promise<void> {
    this.#connecting ??= this.#connect();
    await this.#connecting;
  }

  async #connect(): Promise<ValueConnection> {
    // Here, since whoever has no such manager needs neither TypeORM nor pg.
    const { connectValues } = await import('../../../ledger/sql/value-database.js');
    try {
      return (this.#connection = await connectValues(this.#options));
    } catch (error) {
      this.#connecting = undefined;
      throw error instanceof FlowStoneError ? error : this.#unusable('opened', error);
    }
  }

  #unusable(how: string, cause: unknown): FlowStoneError {
    const { code, message } = cause as { code?: unknown; message?: unknown };
    const state = String(code);
    const remedy = /^(?:28|3D)/.test(state)
      ? ' Correct how it is reached, or create what is missing there.'
      : state === '42501'
        ? ` Grant its user CREATE on the database, so that it makes its tables; or make them as another user, and grant this one USAGE on the schema ${this.schema}, and SELECT, INSERT, UPDATE and DELETE on its tables.`
        : '';
    const database = databaseName(this.#options);
    return new FlowStoneError(
      'FLOWSTONE_IO_FAILED',
      `the PostgreSQL I/O manager of ${database}, schema ${this.schema}, cannot be ${how}: ${String(message ?? cause)}.${remedy}`,
      { context: { database, schema: this.schema }, cause },
    );
  }

  /** What attempts that never committed left as documents; rows in tables are replaced by the next. */
  async *list(namespace: string): AsyncGenerator<StoredAttempt> {
    try {
      await this.ready();
      yield* this.documents.list(namespace);
    } catch (error) {
      throw isAway(error) ? this.#unusable('listed', error.cause ?? error) : error;
    }
  }

  async discard(orphan: Omit<ValueAddress, 'options'> & StoredAttempt, before: Date): Promise<boolean> {
    return this.failing(orphan, 'delete', () => this.documents.discard(orphan.namespace, orphan, before));
  }

  protected async keep(context: StoreContext, value: EncodedValue): Promise<StoredValue> {
    let stored: StoredValue | undefined;
    try {
      return await this.database.transaction(async (sql) => {
        stored = 'write' in value ? await value.write(sql) : await this.#writeDocument(sql, context, value);
        context.signal.throwIfAborted();
        // With the lock on what others read: whoever comes after it has waited for us.
        if (isInTable(stored.location) && context.holds && !(await context.holds()))
          throw new Error('the attempt has lost its lease to another');
        return stored;
      });
    } catch (error) {
      // Its outcome is what is there: nobody else writes under this attempt's number.
      if (stored && isInDoubt(error) && (await this.exists({ ...context, location: stored.location }))) return stored;
      if (isToldToStop(context.signal, error)) throw error;
      throw this.failure(context, 'store', writeFailure(context, error));
    } finally {
      if ('release' in value) await value.release();
    }
  }

  protected override failure(place: ValuePlace, verb: string, error: unknown): unknown {
    const failure = super.failure(place, verb, error);
    return isAway(failure) ? ioFailed(place, verb, failure.cause ?? failure) : failure;
  }

  async #writeDocument(
    sql: ValueSql,
    { namespace, materialization, epoch }: StoreContext,
    { document, ...stored }: Exclude<EncodedValue, UnwrittenValue>,
  ): Promise<StoredValue> {
    const table = `${quoted(this.database.schema)}.value_documents`;
    await sql.rows(
      `INSERT INTO ${table} (namespace, materialization_id, epoch, content) VALUES ($1, $2::bigint, $3::integer, $4::jsonb)`,
      [namespace, materialization, epoch, document],
    );
    return stored;
  }
}

/** As the ledger's code calls it, whatever database it is. */
function isAway(error: unknown): error is FlowStoneError {
  return error instanceof FlowStoneError && error.code === 'FLOWSTONE_LEDGER_UNAVAILABLE';
}

function isInDoubt(error: unknown): boolean {
  return error instanceof FlowStoneError && error.context['inDoubt'] === true;
}

/** Without what is secret in its url. */
function databaseName(options: PostgresIoManagerOptions): string {
  if ('dataSource' in options) return `database ${String(options.dataSource.options.database)} of its dataSource`;
  const { host, pathname } = new URL(options.url);
  return `${host}${pathname}`;
}

function requireOptions(options: PostgresIoManagerOptions): void {
  const problems = Array.from(problemsOf(options));
  if (problems.length === 0) return;
  throw new FlowStoneError(
    'FLOWSTONE_OPTIONS_INVALID',
    `The PostgreSQL I/O manager cannot be made: ${problems.join('; ')}. Correct what \`new PostgresIoManager()\` is given.`,
    { context: { problems } },
  );
}

/** Says nothing of what is in the url, which may hold a password. */
function* problemsOf(options: Readonly<Record<string, unknown>>): Generator<string> {
  const { url, dataSource, schema = 'flowstone' } = options;
  if ((url === undefined) === (dataSource === undefined)) yield 'give it either url or dataSource';
  if (url !== undefined && !(typeof url === 'string' && URL_SCHEME.test(url) && URL.canParse(url)))
    yield 'its url must be one such as postgres://user@host/database';
  if (typeof schema !== 'string' || !SCHEMA.test(schema)) yield `its schema ${JSON.stringify(schema)} is no plain name`;
  const names = dataSource === undefined ? ['url', 'ssl', 'schema'] : ['dataSource', 'schema'];
  yield* unknownOptions(options, url === undefined ? names : [...names, 'url'], 'of the manager');
}
