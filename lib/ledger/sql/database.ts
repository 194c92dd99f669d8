// The one entry to the database: single statements and transactions, on connections of a TypeORM DataSource or its like.
// No SQL of its own; what runs here stands in statements/.
import { AsyncLocalStorage } from 'node:async_hooks';
import { pipeline } from 'node:stream/promises';
import { setImmediate as breath } from 'node:timers/promises';
import type { PoolClient } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import type { EntityManager, QueryRunner } from 'typeorm';
import type { ValueSql } from '../value-database.port.js';
import { isOutage, isRepeatable, unavailable } from './failures.js';
import { limitedRows, LOCK_LIMIT } from './limited-query.js';
import { inSchema, type Statement } from './statement.js';
import { LEDGER_TYPES, TEXT_TYPES } from './values.js';

/** Runs statements on one connection, or joins somebody's transaction. */
export interface Sql {
  rows<R extends object>(statement: Statement, values?: readonly unknown[]): Promise<R[]>;
}

/** One connection, within a transaction. */
export interface Transaction extends Sql {
  /**
   * Sends rows in PostgreSQL's text format, some kilobytes at a time, to a COPY ... FROM STDIN. They are made while the
   * server works on those before them; where that throws, so does the COPY.
   */
  copy(statement: Statement, rows: Iterable<string>): Promise<void>;
  /** What `fn` asks of tables that are not ours: planned as the server would, told in text. */
  values<T>(fn: (sql: ValueSql) => Promise<T>): Promise<T>;
}

/** A lent connection. */
export type Connection = Pick<
  QueryRunner,
  'connect' | 'startTransaction' | 'commitTransaction' | 'rollbackTransaction' | 'release'
> &
  Partial<Pick<QueryRunner, 'isTransactionActive'>>;

/** Lends connections, as a TypeORM DataSource does. */
export interface Connections {
  createQueryRunner(): Connection;
}

type TextRows = Awaited<ReturnType<ValueSql['rows']>>;

const MOST_REPETITIONS = 10;

const LEFT_OPEN =
  'A connection to the database of FlowStone was given back to its pool amid a transaction, which is rolled back now. ' +
  'End it by commitTransaction() or rollbackTransaction() before you release its query runner.';

// The plans of our statements are right whatever the statistics say (see statement.ts): indexes in their order, hash or
// merge joins of what these return, nothing replanned or compiled. LATERAL look-ups remain nested loops.
const SETTINGS: Readonly<Record<string, string>> = {
  enable_seqscan: 'off',
  enable_bitmapscan: 'off',
  enable_nestloop: 'off',
  jit: 'off',
  plan_cache_mode: 'force_generic_plan',
  statement_timeout: '60s',
  idle_in_transaction_session_timeout: '10s',
  lock_timeout: '0',
  // Each statement sees what was committed before it: who waited for a lock looks again.
  default_transaction_isolation: 'read committed',
  // One text for one value.
  datestyle: 'ISO',
  timezone: 'UTC',
  extra_float_digits: '1',
  bytea_output: 'hex',
};

/** A server that does not answer for so long is gone, ms: beyond the statement_timeout above. */
export const LONGEST_SILENCE = 90_000;

// For tables that are not ours: what the host has set for them. Others may lock those; who waits for it gives his place to
// the next one every now and then (see value-transactions.ts).
const VALUE_SETTINGS = [
  ...['enable_seqscan', 'enable_bitmapscan', 'enable_nestloop', 'jit', 'plan_cache_mode'].map(
    (name) => `SET LOCAL ${name} TO DEFAULT`,
  ),
  `SET LOCAL lock_timeout TO '${LOCK_LIMIT}'`,
].join('; ');

function textQuery(text: string, values: readonly unknown[]) {
  return { text, values: [...values], rowMode: 'array' as const, types: TEXT_TYPES };
}

/** The settings for the session of a connection, or for the open transaction only. */
function settings(transaction: boolean): string {
  const set = Object.entries(SETTINGS).map(([name, value]) => `set_config('${name}', '${value}', ${transaction})`);
  return `SELECT ${set.join(', ')}`;
}

/** Keeps the pool from lending a connection again. */
function end(client: PoolClient): void {
  void (client as unknown as { end(): Promise<void> }).end().catch(() => undefined);
}

/** The event loop is free after each piece: a stream that takes all at once would keep it until the end. */
async function* paced(rows: Iterable<string>): AsyncGenerator<string> {
  for (const text of rows) {
    yield text;
    await breath();
  }
}

// One for all databases: each instance that was ever entered makes every promise of the process slower, for good.
const joined = new AsyncLocalStorage<{ readonly database: Database; readonly sql: Sql }>();

export class Database implements Sql {
  readonly #prepared = new Map<Statement, Statement>();
  readonly #tuned = new WeakSet<PoolClient>();
  #warned = false;

  /**
   * @param own whether the connections are only ours, so that their sessions may be tuned, and so are their time limits
   * @param longestSilence how long to wait for an answer on a host's connection, ms
   */
  constructor(
    readonly connections: Connections,
    readonly schema: string,
    readonly own: boolean,
    private readonly longestSilence = LONGEST_SILENCE,
  ) {}

  /** One statement, in a transaction of its own. A deadlock repeats it. */
  async rows<R extends object>(statement: Statement, values: readonly unknown[] = []): Promise<R[]> {
    const transaction = joined.getStore();
    if (transaction?.database === this) return transaction.sql.rows<R>(statement, values);
    // On a host's connection the settings must not outlive our work, hence a transaction around it.
    if (!this.own) return this.transaction((sql) => sql.rows<R>(statement, values));
    return this.#repeating(() => this.#connected((client) => this.#on(client).rows<R>(statement, values)));
  }

  /**
   * The statements of `fn`, all or nothing. A deadlock repeats it, so `fn` must have no other effects. An outage is
   * FLOWSTONE_LEDGER_UNAVAILABLE, with `inDoubt` in its context where the commit may have happened.
   */
  transaction<T>(fn: (sql: Transaction) => Promise<T>): Promise<T> {
    return this.#repeating(() => this.#connected((client, runner) => this.#transact(client, runner, fn)));
  }

  /**
   * A statement on tables that are not ours which only reads, by an index: as `ValueSql.rows` says, but where connections
   * are ours without a transaction, and planned as our own.
   */
  read(text: string, values: readonly unknown[] = []): Promise<TextRows> {
    if (!this.own) return this.transaction((sql) => sql.values((value) => value.rows(text, values)));
    const query = textQuery(text, values);
    return this.#repeating(() =>
      this.#connected(async (client) => (await limitedRows(client, query)) as readonly (readonly string[])[]),
    );
  }

  /** Statements that join the open transaction of an entity manager, whoever its DataSource belongs to. */
  joined(manager: EntityManager): Transaction {
    const runner = manager.queryRunner!;
    const connect = async (): Promise<PoolClient> => (await runner.connect()) as PoolClient;
    return {
      rows: async <R extends object>(statement: Statement, values: readonly unknown[] = []) => {
        const client = await connect();
        // Unnamed: a host's connection may sit behind a pooler that knows no prepared statements.
        const { text } = this.#prepare(statement);
        return (await client.query({ text, values: [...values], types: LEDGER_TYPES })).rows as R[];
      },
      copy: async (statement, rows) => this.#copy(await connect(), statement, rows),
      values: async (fn) => this.#values(await connect(), fn),
    };
  }

  /** Whatever single statements `fn` causes run on `sql`. */
  within<T>(sql: Sql, fn: () => Promise<T>): Promise<T> {
    return joined.run({ database: this, sql }, fn);
  }

  async #repeating<T>(work: () => Promise<T>): Promise<T> {
    for (let repetition = 1; ; repetition++) {
      try {
        return await work();
      } catch (error) {
        if (!isRepeatable(error) || repetition === MOST_REPETITIONS) throw error;
      }
    }
  }

  async #transact<T>(client: PoolClient, runner: Connection, fn: (sql: Transaction) => Promise<T>): Promise<T> {
    let committing = false;
    try {
      // A host's may be another by default. One that is open is taken as it is.
      const isolation = this.own || runner.isTransactionActive === true ? undefined : 'READ COMMITTED';
      await this.#answer(runner.startTransaction(isolation));
      if (!this.own) await this.#answer(client.query(settings(true)));
      const result = await fn(this.#on(client));
      committing = true;
      await this.#answer(runner.commitTransaction());
      return result;
    } catch (error) {
      if (isOutage(error)) throw unavailable(error, committing);
      // One that does not say that all is undone must not serve another with what is open in it.
      await this.#answer(runner.rollbackTransaction()).catch(() => end(client));
      throw error;
    }
  }

  async #connected<T>(fn: (client: PoolClient, runner: Connection) => Promise<T>): Promise<T> {
    const runner = this.connections.createQueryRunner();
    let client: PoolClient | undefined;
    try {
      client = (await runner.connect()) as PoolClient;
      // A host may lend one that is in use, on purpose: we go into its transaction then.
      if (runner.isTransactionActive !== true) await this.#leaveTransaction(client);
      if (this.own && !this.#tuned.has(client)) {
        await client.query(settings(false));
        this.#tuned.add(client);
      }
      return await fn(client, runner);
    } catch (error) {
      const lost = isOutage(error) || isOutage((error as Error).cause);
      // A connection that lost its answer must not serve another.
      if (lost && client) end(client);
      throw isOutage(error) ? unavailable(error, client !== undefined) : error;
    } finally {
      await runner.release();
    }
  }

  /**
   * A host may give a connection back amid a transaction. What we did in that would be seen by nobody, and be gone when it
   * ends some day by a rollback, though whoever asked for it was answered.
   */
  async #leaveTransaction(client: PoolClient): Promise<void> {
    // Older versions of `pg`, which a host may have, do not say.
    const status = (client as Partial<PoolClient>).getTransactionStatus?.();
    if (status !== 'T' && status !== 'E') return;
    await this.#answer(client.query('ROLLBACK'));
    if (!this.#warned)
      process.emitWarning(LEFT_OPEN, { type: 'FlowStoneWarning', code: 'FLOWSTONE_TRANSACTION_LEFT_OPEN' });
    this.#warned = true;
  }

  #on(client: PoolClient): Transaction {
    return {
      rows: async <R extends object>(statement: Statement, values: readonly unknown[] = []) => {
        const { name, text } = this.#prepare(statement);
        const query = { name, text, values: [...values], types: LEDGER_TYPES };
        return (await this.#answer(client.query(query))).rows as R[];
      },
      copy: (statement, rows) => this.#answer(this.#copy(client, statement, rows)),
      values: (fn) => this.#values(client, fn),
    };
  }

  async #values<T>(client: PoolClient, fn: (sql: ValueSql) => Promise<T>): Promise<T> {
    await this.#answer(client.query(VALUE_SETTINGS));
    const result = await fn({
      rows: (text, values = []) => this.#textRows(client, text, values),
      copy: (text, pieces) => this.#answer(pipeline(pieces, client.query(copyFrom(text)))),
    });
    await this.#answer(client.query(settings(true)));
    return result;
  }

  async #textRows(client: PoolClient, text: string, values: readonly unknown[]): Promise<TextRows> {
    return (await this.#answer(client.query(textQuery(text, values)))).rows as TextRows;
  }

  /**
   * What the server answers, or an outage, by which its connection is ended, where it does not. The limit for our own
   * connections is a setting of theirs; a host's seldom have one, and would wait as long as TCP does.
   */
  async #answer<T>(answer: Promise<T>): Promise<T> {
    if (this.own) return answer;
    let timer: NodeJS.Timeout | undefined;
    const silence = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('Query read timeout')), this.longestSilence);
    });
    try {
      return await Promise.race([answer, silence]);
    } finally {
      clearTimeout(timer);
    }
  }

  #copy(client: PoolClient, statement: Statement, rows: Iterable<string>): Promise<void> {
    return pipeline(paced(rows), client.query(copyFrom(this.#prepare(statement).text)));
  }

  #prepare(statement: Statement): Statement {
    let prepared = this.#prepared.get(statement);
    if (!prepared) this.#prepared.set(statement, (prepared = inSchema(statement, this.schema)));
    return prepared;
  }
}
