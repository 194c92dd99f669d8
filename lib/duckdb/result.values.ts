// What a query gives as rows: of each type the value that our own reader of Parquet gives for a column of it.
import type {
  DuckDBArrayValue,
  DuckDBBlobValue,
  DuckDBDataChunk,
  DuckDBDateValue,
  DuckDBListValue,
  DuckDBResult,
  DuckDBStructType,
  DuckDBStructValue,
  DuckDBTimestampMillisecondsValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampSecondsValue,
  DuckDBTimestampValue,
  DuckDBType,
  DuckDBValue,
} from '@duckdb/node-api';
import { dateOf } from '../io/formats/parquet/parquet.cells.js';
import { parseTagged } from '../io/tagged-json.js';
import { queryRefused } from './query-failures.js';

export type DuckdbApi = typeof import('@duckdb/node-api');

/** Of a value that is not null. */
type Reader = (value: DuckDBValue) => unknown;

/** 0001-01-01 and 9999-12-31, as days since 1970. */
const FIRST_DAY = -719_162;
const LAST_DAY = 2_932_896;

/**
 * Makes rows of chunks of a result: those from `start` up to `end`. Throws `FLOWSTONE_QUERY_FAILED` for a column of a type
 * that has no value here.
 */
export function chunkReader<R>(
  api: DuckdbApi,
  result: DuckDBResult,
): (chunk: DuckDBDataChunk, start: number, end: number) => R[] {
  const names = result.columnNames();
  const readers = names.map((name, column) => readerOf(api, result.columnType(column), name));
  return (chunk, start, end) => {
    const vectors = names.map((_, column) => chunk.getColumnVector(column));
    const rows: R[] = [];
    for (let index = start; index < end; index++) {
      const row: Record<string, unknown> = {};
      for (let column = 0; column < names.length; column++) {
        const value = vectors[column]!.getItem(index);
        const reader = readers[column];
        row[names[column]!] = value === null || !reader ? value : reader(value);
      }
      rows.push(row as R);
    }
    return rows;
  };
}

/** Undefined where a value is itself. @param path what the value is of, for messages */
function readerOf(api: DuckdbApi, type: DuckDBType, path: string): Reader | undefined {
  const { DuckDBTypeId: id } = api;
  switch (type.typeId) {
    case id.BOOLEAN:
    case id.TINYINT:
    case id.SMALLINT:
    case id.INTEGER:
    case id.BIGINT:
    case id.UTINYINT:
    case id.USMALLINT:
    case id.UINTEGER:
    case id.UBIGINT:
    case id.HUGEINT:
    case id.UHUGEINT:
    case id.FLOAT:
    case id.DOUBLE:
    case id.ENUM:
      return undefined;
    case id.VARCHAR:
      return type.alias === 'JSON' ? (value) => parseTagged(value as string) : undefined;
    case id.DECIMAL:
    case id.UUID:
      return String;
    case id.BLOB:
      return (value) => new Uint8Array((value as DuckDBBlobValue).bytes);
    case id.DATE:
      return (value) => dayOf((value as DuckDBDateValue).days, path);
    case id.LIST:
      return listReader(readerOf(api, type.valueType, path));
    case id.ARRAY:
      return listReader(readerOf(api, type.valueType, path));
    case id.STRUCT:
      return structReader(api, type, path);
    default:
      return timeReader(api, type, path);
  }
}

function timeReader({ DuckDBTypeId: id }: DuckdbApi, type: DuckDBType, path: string): Reader {
  switch (type.typeId) {
    case id.TIMESTAMP:
    case id.TIMESTAMP_TZ:
      return (value) => momentOf((value as DuckDBTimestampValue).micros, 1000n, path);
    case id.TIMESTAMP_S:
      return (value) => momentOf((value as DuckDBTimestampSecondsValue).seconds * 1000n, 1n, path);
    case id.TIMESTAMP_MS:
      return (value) => momentOf((value as DuckDBTimestampMillisecondsValue).millis, 1n, path);
    case id.TIMESTAMP_NS:
      return (value) => momentOf((value as DuckDBTimestampNanosecondsValue).nanos, 1_000_000n, path);
    default:
      throw queryRefused(
        `gives ${String(type)} in column "${path}", for which there is no value: cast it, as by ::VARCHAR.`,
      );
  }
}

function listReader(reader: Reader | undefined): Reader {
  return (value) => {
    const { items } = value as DuckDBListValue | DuckDBArrayValue;
    return reader ? items.map((item) => (item === null ? null : reader(item))) : [...items];
  };
}

function structReader(api: DuckdbApi, { entryNames, entryTypes }: DuckDBStructType, path: string): Reader {
  if (entryNames.includes('__proto__'))
    throw queryRefused(`gives a property __proto__ in column "${path}": rename it.`);
  const readers = entryNames.map((name, entry) => readerOf(api, entryTypes[entry]!, `${path}.${name}`));
  return (value) => {
    const { entries } = value as DuckDBStructValue;
    const read = (name: string, entry: number): readonly [string, unknown] => {
      const property = entries[name] ?? null;
      const reader = readers[entry];
      return [name, property === null || !reader ? property : reader(property)];
    };
    return Object.fromEntries(entryNames.map(read));
  };
}

function dayOf(days: number, path: string): string {
  if (days >= FIRST_DAY && days <= LAST_DAY) return dateOf(days);
  throw queryRefused(`gives a date that is not in the years 1 to 9999 in column "${path}": cast it, as by ::VARCHAR.`);
}

/** To the millisecond, as a Date is: what is less is cut off. */
function momentOf(time: bigint, parts: bigint, path: string): Date {
  const whole = time / parts;
  const date = new Date(Number(time < 0n && whole * parts !== time ? whole - 1n : whole));
  if (!Number.isNaN(date.getTime())) return date;
  throw queryRefused(`gives a time that no Date can be in column "${path}": cast it, as by ::VARCHAR.`);
}
