// A value that is encoded and on its way into a database, in document or table mode.
import { FlowStoneError } from '../../../flowstone.errors.js';
import { codeOf, isOutage, isRepeatable } from '../../../ledger/sql/failures.js';
import { ioFailed, valueName, type ValuePlace } from '../../io-failures.js';
import type { StoreContext, StoredValue, UnwrittenValue } from '../../io-manager.port.js';
import { SpoolFailed } from '../../spool.js';

/** A small document, or what is written in a transaction. */
export type EncodedValue = (StoredValue & { readonly document: string }) | UnwrittenValue;

/** What a value is refused for: its data, constraints, limits, or what a trigger says. */
const REFUSALS = /^(?:22|23|54|P0001)/;
/** A table lacks a column, or has it with another type than a statement takes it for. */
const ALTERED = /^42(?:703|883)$/;
/** What a table that is to be made is refused for: what is declared (42501: privileges), or limits. */
const DECLARATION_REFUSALS = /^(?:42(?!501)|54)/;
/** A statement waited too long, most likely for a lock that somebody else has on the table: nothing was done. */
const LATE = /^(?:57014|55P03)$/;
/** The server lacks disk or memory, or a limit of it is reached: for this value, while all else may well go on. */
const NO_ROOM = /^53[124]/;

/** What `pg` says of an error beside its message. Not its detail and context, which may quote rows. */
interface DatabaseFailure {
  readonly table?: unknown;
  readonly column?: unknown;
  readonly constraint?: unknown;
  readonly message?: string;
}

/** The failure itself, of an error of `pg` or of TypeORM. */
function databaseFailure(error: unknown): DatabaseFailure {
  const failure = (error ?? {}) as DatabaseFailure & { driverError?: DatabaseFailure };
  return failure.driverError ?? failure;
}

/** The code of PostgreSQL; empty where there is none. */
function sqlState(error: unknown): string {
  return codeOf(error) ?? '';
}

/** Whether a statement found no such table. */
export function isTableGone(error: unknown): boolean {
  return sqlState(error) === '42P01';
}

/** What a statement did not find in a table as it was, in the words of PostgreSQL; undefined: it failed otherwise. */
export function alteration(error: unknown): string | undefined {
  return ALTERED.test(sqlState(error)) ? databaseFailure(error).message : undefined;
}

/** Why no table can be as it is declared: other than for want of privileges, trying again does not help. */
export function declarationRefusal(error: unknown): string | undefined {
  const refused = DECLARATION_REFUSALS.test(sqlState(error));
  return refused ? databaseFailure(error).message : undefined;
}

export function isLate(error: unknown): boolean {
  return LATE.test(sqlState(error));
}

/** The error for a statement that was cut off. */
export function lateFailure(place: ValuePlace, verb: string, error: unknown): FlowStoneError {
  const why = `a table stayed locked by another session, or a statement took too long (${databaseFailure(error).message})`;
  return ioFailed(place, verb, error, why);
}

/** Whether an error is only that whoever stores was told to stop. */
export function isToldToStop(signal: AbortSignal, error: unknown): boolean {
  return signal.aborted && error === signal.reason;
}

/**
 * The error of a write as it is to be thrown, with the value it is about. The reason of an abort, an outage, and what is to
 * be repeated, passes as it is to whoever made the transaction.
 */
export function writeFailure(place: Pick<StoreContext, keyof ValuePlace | 'signal'>, error: unknown): unknown {
  if (error instanceof FlowStoneError || isToldToStop(place.signal, error)) return error;
  if (error instanceof SpoolFailed) return spoolFailure(place, error);
  if (isLate(error)) return lateFailure(place, 'store', error);
  const state = sqlState(error);
  // Taken for an outage, it would be written again and again, and fill the disk each time.
  if (NO_ROOM.test(state)) return ioFailed(place, 'store', error);
  if (isOutage(error) || isRepeatable(error)) return error;
  if (!REFUSALS.test(state)) return ioFailed(place, 'store', error);
  const { message, table, column, constraint } = databaseFailure(error);
  const named = Object.entries({ table, column, constraint }).flatMap(([kind, name]) =>
    typeof name === 'string' ? [[kind, name] as const] : [],
  );
  const where = named.length > 0 ? ` (${named.map(([kind, name]) => `${kind} ${name}`).join(', ')})` : '';
  return new FlowStoneError(
    'FLOWSTONE_IO_VALUE_REFUSED',
    `the database refuses ${valueName(place)}: ${message}${where}. Nothing was changed.`,
    {
      context: { asset: place.asset, partition: place.partition ?? null, state, ...Object.fromEntries(named) },
      cause: error,
    },
  );
}

/** The file system did not take a value on its way, or give it back. */
export function spoolFailure(place: ValuePlace, { message, cause }: SpoolFailed): FlowStoneError {
  return ioFailed(place, 'store', cause, message);
}
