// The errors of SQL over stored rows.
import { types } from 'node:util';
import { FlowStoneError } from '../flowstone.errors.js';
import type { SpoolFailed } from '../io/spool.js';

/** `FLOWSTONE_QUERY_FAILED`: what is wrong with the SQL, or with what it gives; completes "the query ". */
export function queryRefused(what: string): FlowStoneError {
  return new FlowStoneError('FLOWSTONE_QUERY_FAILED', `the query ${what}`);
}

/** What DuckDB threw, as an error of ours: `FLOWSTONE_IO_FAILED` where a disk failed. */
export function queryFailure(thrown: unknown): unknown {
  if (thrown instanceof FlowStoneError || !types.isNativeError(thrown)) return thrown;
  const message = thrown.message.replace(/^Failed to extract statements: /, '');
  const code = message.startsWith('IO Error') ? 'FLOWSTONE_IO_FAILED' : 'FLOWSTONE_QUERY_FAILED';
  return new FlowStoneError(code, `the query failed: ${message}`, { cause: thrown });
}

/** `FLOWSTONE_IO_FAILED`: there is no temporary folder to be had. */
export function spoolFailed(cause: SpoolFailed): FlowStoneError {
  return new FlowStoneError('FLOWSTONE_IO_FAILED', `the query failed: ${cause.message}`, { cause });
}

/** `FLOWSTONE_QUERY_INPUT_UNFIT`: an input cannot be asked by SQL; `what` completes "the input x ". */
export function inputUnfit(name: string, what: string): FlowStoneError {
  const message = `the input ${JSON.stringify(name)} ${what}`;
  return new FlowStoneError('FLOWSTONE_QUERY_INPUT_UNFIT', message, { context: { input: name } });
}
