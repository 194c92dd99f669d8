// What a query is given: inputs, parameters, bounds.
import type { Rows } from '../io/rows.js';

/** Rows that were stored as Parquet, or such rows by partition, as `all(X)`, `within(X)` and a Map have them. */
export type QueryInput =
  | Rows<unknown>
  | AsyncIterable<readonly [key: string, rows: Rows<unknown>]>
  | Iterable<readonly [key: string, rows: Rows<unknown>]>;

/** Whole numbers and bigints are BIGINT in SQL, a Date is TIMESTAMPTZ. */
export type QueryScalar = null | boolean | number | bigint | string | Date | Uint8Array;

/** What stands for `?`, `$1` or `$name` in SQL. */
export type QueryParameter = QueryScalar | readonly QueryScalar[];

export interface QueryOptions {
  /** In their order, or by name. */
  readonly parameters?: readonly QueryParameter[] | Readonly<Record<string, QueryParameter>>;
  /** What DuckDB may have in memory; what does not fit goes to a temporary folder. Default `128MB`. */
  readonly memory?: string;
  /** With which it works beside the event loop. Default 2. */
  readonly threads?: number;
  /** Ends the query. Default: that of the attempt whose `execute` calls. */
  readonly signal?: AbortSignal;
}
