// Transactions for values in a database: a few at a time, since each holds a connection for as long as a table takes.
import type { ValueDatabase, ValueSql } from '../value-database.port.js';
import type { Database } from './database.js';

/** At once, whatever there is. */
const MOST = 4;

export class ValueTransactions implements ValueDatabase {
  #free = 1;
  readonly #waiting: (() => void)[] = [];

  constructor(private readonly database: Database) {}

  /** @param connections that the database may lend in all: at least half of them are for others */
  allow(connections: number): void {
    this.#free = Math.max(1, Math.min(MOST, Math.floor(connections / 2)));
  }

  get schema(): string {
    return this.database.schema;
  }

  transaction<T>(fn: (sql: ValueSql) => Promise<T>): Promise<T> {
    return this.limited(() => this.database.transaction((sql) => sql.values(fn)));
  }

  /** When it is its turn. */
  async limited<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}
