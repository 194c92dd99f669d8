// A value that is encoded and on its way into a database, in document or table mode.
import { types } from 'node:util';
import { FlowStoneError } from '../../../flowstone.errors.js';
import type { JoinedValue } from '../../../ledger/value-database.port.js';
import { ioFailed, type ValuePlace } from '../../io-failures.js';
import type { StoredValue } from '../../io-manager.port.js';

export interface EncodedValue {
  readonly stored: Omit<StoredValue, 'joined'>;
  readonly joined: JoinedValue;
  /** Whether what others read is replaced by it. */
  readonly replaces: boolean;
}

/** What a value consists of that the database may refuse: data, constraints, limits. */
const REFUSALS = /^(?:22|23|54)/;
/** A table or column is gone since it was looked at. */
const GONE = /^42(?:P01|703)$/;

/** The code of PostgreSQL, of an error of `pg` or of TypeORM. */
function sqlState(error: unknown): string {
  const { code, driverError } = (error ?? {}) as { code?: unknown; driverError?: { code?: unknown } };
  return String(driverError?.code ?? code);
}

/** A statement waited too long, most likely for a lock that somebody else has on the table: nothing was done. */
const LATE = /^(?:57014|55P03)$/;

export function isGone(error: unknown): boolean {
  return GONE.test(sqlState(error));
}

/** The error of a write as it is to be thrown: with the value it is about, if the database refuses that. */
export function writeFailure(place: ValuePlace, error: unknown): unknown {
  if (isGone(error) || LATE.test(sqlState(error))) return ioFailed(place, 'store', error);
  if (!REFUSALS.test(sqlState(error)) || !types.isNativeError(error)) return error;
  const { detail, where } = error as { detail?: unknown; where?: unknown };
  const [more, line] = [detail, where].map((text) => (typeof text === 'string' ? ` ${text}.` : ''));
  return new FlowStoneError(
    'FLOWSTONE_IO_VALUE_REFUSED',
    `the database refuses the value of ${place.asset}${place.partition === undefined ? '' : `[${place.partition}]`}: ${error.message}.${more}${line} Nothing was changed.`,
    { context: { asset: place.asset, partition: place.partition ?? null, state: sqlState(error) }, cause: error },
  );
}
