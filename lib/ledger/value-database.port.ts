// SQL of I/O managers on a database: the ledger's own, where it joins the commit of records, or another one. What they
// write there stands in lib/io/managers/postgres.
import type { Beat, Fenced, Outcome } from './work.js';

/** Statements on one connection, within a transaction. Names in them are the manager's business. */
export interface ValueSql {
  /** Rows as arrays of PostgreSQL's text format, by column. Dates are ISO, in UTC; floats in full; bytea in hex. */
  rows(text: string, values?: readonly unknown[]): Promise<readonly (readonly (string | null)[])[]>;
  /** Sends rows to a COPY ... FROM STDIN, in the format it names; in the text format, pieces are of whole rows. */
  copy(text: string, pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void>;
}

export interface ValueDatabase {
  /** Where the tables are that say which rows belong to which value: `value_tables`, `value_slices` and `value_documents`. */
  readonly schema: string;
  /** Whether it has one connection only: nobody else gets it while a transaction below is open. */
  readonly single: boolean;
  /**
   * One statement that only reads, as `ValueSql.rows` does; at most a few at once. It waits for no transaction below, and
   * lets others go first while a lock is not to be had.
   */
  read: ValueSql['rows'];
  /**
   * The statements of `fn`, all or nothing; a deadlock repeats it, so `fn` must have no other effects. An outage is
   * FLOWSTONE_LEDGER_UNAVAILABLE, with `inDoubt` in its context where the commit may have happened. At most a few
   * transactions at once, so that the ledger's own statements find a connection.
   */
  transaction<T>(fn: (sql: ValueSql) => Promise<T>): Promise<T>;
}

/** The ledger's own database. */
export interface LedgerValues extends ValueDatabase {
  /**
   * Commits an attempt's outcome, and all that follows from it, in a transaction that `write` begins, and of which it tells
   * the outcome: both or neither. What is not `committed` has undone what was written. An error of `write` passes unchanged;
   * nothing is recorded then. A lock that is not to be had calls `write` again, for as long as it does not throw anything else.
   */
  settle(attempt: Fenced, write: (sql: ValueSql) => Promise<Outcome>): Promise<Beat>;
}
