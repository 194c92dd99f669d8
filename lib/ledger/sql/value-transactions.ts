// Transactions and reads for values in a database: a few of each at a time, since each holds a connection for as long as a
// table takes. Reads have places of their own, so that they do not wait for tables that are being written.
import type { ValueDatabase, ValueSql } from '../value-database.port.js';
import type { Database } from './database.js';
import { isLocked } from './failures.js';

/** How long a lock is waited for without a word, ms. */
const LONGEST_LOCK = 60_000;

/** At once, whatever there is. */
const MOST = 4;

export class ValueTransactions implements ValueDatabase {
  single = false;
  readonly #writing = new Places();
  readonly #reading = new Places();

  constructor(private readonly database: Database) {}

  /**
   * Before anything else is asked of it.
   * @param connections that the database may lend in all: at least half of them are never held by transactions of values
   */
  allow(connections: number): void {
    this.single = connections === 1;
    this.#writing.free = Math.max(1, Math.min(MOST, Math.floor(connections / 2)));
    this.#reading.free = Math.max(1, Math.min(MOST, Math.floor(connections / 4)));
  }

  get schema(): string {
    return this.database.schema;
  }

  readonly read: ValueSql['rows'] = (text, values) =>
    inTurns(this.#reading, () => this.database.read(text, values), rethrow);

  transaction<T>(fn: (sql: ValueSql) => Promise<T>): Promise<T> {
    return this.limited(() => this.database.transaction((sql) => sql.values(fn)));
  }

  /**
   * A transaction of somebody else's making, when it is its turn. One that waits for a lock in vain is made again, behind
   * those who have come meanwhile.
   * @param late asked each minute of that: throws, or lets it wait on
   */
  limited<T>(work: () => Promise<T>, late: (error: unknown) => void = rethrow): Promise<T> {
    return inTurns(this.#writing, work, late);
  }
}

async function inTurns<T>(places: Places, work: () => Promise<T>, late: (error: unknown) => void): Promise<T> {
  let until = performance.now() + LONGEST_LOCK;
  for (;;) {
    try {
      return await places.in(work);
    } catch (error) {
      if (!isLocked(error)) throw error;
      if (performance.now() <= until) continue;
      late(error);
      until = performance.now() + LONGEST_LOCK;
    }
  }
}

/** Who comes first is served first. */
class Places {
  free = 1;
  readonly #waiting: (() => void)[] = [];

  async in<T>(work: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.free++;
    }
  }
}

function rethrow(error: unknown): never {
  throw error;
}
