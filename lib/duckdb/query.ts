// SQL over rows that are stored as Parquet. Which files that are stands in input.files.ts, what DuckDB does with them in
// duckdb.session.ts.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { currentContext } from '../assets/asset.context.js';
import { rowsInBatches, type RowRange, type Rows } from '../io/rows.js';
import { SpoolFailed } from '../io/spool.js';
import { DuckdbSession } from './duckdb.session.js';
import { filesOfInputs } from './input.files.js';
import { spoolFailed } from './query-failures.js';
import type { QueryInput, QueryOptions } from './query.options.js';

/**
 * What one SELECT gives of inputs, each of which is a view of its name: rows to return from `execute`, or to read. Each
 * reading checks all files by checksum and runs the query anew; it sees nothing but these files. Values are those that a
 * column of the type has as Parquet (BIGINT bigint, DATE string, TIMESTAMP and TIMESTAMPTZ Date), DECIMAL is a string.
 *
 * Reading throws `FLOWSTONE_QUERY_INPUT_UNFIT` for an input that is not stored as Parquet, `FLOWSTONE_QUERY_FAILED` for
 * what DuckDB refuses, and what loading the rows throws.
 */
export function query<R extends object = Record<string, unknown>>(
  inputs: Readonly<Record<string, QueryInput>>,
  sql: string,
  options: QueryOptions = {},
): Rows<R> {
  const { signal = currentContext()?.signal } = options;
  return rowsInBatches((range) => answer<R>(inputs, sql, { ...options, signal }, range));
}

async function* answer<R>(
  inputs: Readonly<Record<string, QueryInput>>,
  sql: string,
  { parameters, memory = '128MB', threads = 2, signal }: QueryOptions & { readonly signal: AbortSignal | undefined },
  range: RowRange,
): AsyncGenerator<R[]> {
  signal?.throwIfAborted();
  const folder = await mkdtemp(join(tmpdir(), `flowstone-duckdb-${process.pid}-`)).catch((error: unknown) => {
    throw spoolFailed(new SpoolFailed(error));
  });
  try {
    const views = await filesOfInputs(inputs, folder, signal);
    const session = await DuckdbSession.open({ memory, threads, folder, signal });
    try {
      await session.show(views);
      const count = await session.run(sql, parameters);
      yield* session.read<R>(count, range);
    } finally {
      session.close();
    }
  } finally {
    await rm(folder, { recursive: true, maxRetries: 5 });
  }
}
