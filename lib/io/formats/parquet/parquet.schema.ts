// The columns of a Parquet file as an asset declares them. How cells are converted stands in parquet.cells.ts, what is
// inferred where nothing is declared in parquet.inference.ts.
import * as zlib from 'node:zlib';
import { suggestion } from '../../../graph/did-you-mean.js';
import { LONE_SURROGATE } from '../../tagged-json.js';

/**
 * What a column holds, and what that is in JavaScript:
 *
 * - `boolean`, `string`: themselves; `double`: a number; `int32`: a number without fraction, of 32 bits
 * - `int64`: a bigint of 64 bits, never a number
 * - `date`: a string `YYYY-MM-DD`, from 0001 on; `timestamp`: a `Date`, in milliseconds
 * - `json`: anything JSON-like (bigint, Date and bytes inside tagged); `bytes`: a `Uint8Array`
 */
export type ParquetType = (typeof PARQUET_TYPES)[number];

/** A type; or a type or a list with more to say. Columns may be null or absent unless `nullable` is false. */
export type ParquetColumn =
  | ParquetType
  | { readonly type: ParquetType; readonly nullable?: boolean }
  /** An array of that type; its elements may be null. */
  | { readonly list: ParquetType; readonly nullable?: boolean };

/** Columns by name, in the order of the file. */
export type ParquetSchema = Readonly<Record<string, ParquetColumn>>;

/** What an asset may say for format `parquet`. */
export interface ParquetValueOptions {
  /** The columns; or `infer`: from the first rows (about 25,000), which every later row has to fit. */
  readonly schema: ParquetSchema | 'infer';
  /** Default: `snappy`. `gzip` and `zstd` make smaller files in more time; `zstd` needs Node.js 22.15 or newer. */
  readonly compression?: ParquetCompression;
}

export type ParquetCompression = (typeof COMPRESSIONS)[number];

/** A declared column with nothing left out. */
export interface Column {
  readonly name: string;
  readonly type: ParquetType;
  readonly list: boolean;
  readonly nullable: boolean;
}

export const PARQUET_TYPES = [
  'boolean',
  'int32',
  'int64',
  'double',
  'string',
  'date',
  'timestamp',
  'json',
  'bytes',
] as const;
const COMPRESSIONS = ['snappy', 'gzip', 'zstd', 'none'] as const;
const COLUMN_OPTIONS = ['type', 'list', 'nullable'];
const EXAMPLE = "schema: { day: 'date', delay: 'double', tags: { list: 'string' } }";

/** The columns of a schema without problems; undefined for one to be inferred. */
export function columnsOf(schema: ParquetSchema | 'infer'): Column[] | undefined {
  if (schema === 'infer') return undefined;
  return Object.entries(schema).map(([name, column]) => {
    const { nullable = true, ...said } = typeof column === 'string' ? { type: column } : column;
    return 'list' in said
      ? { name, type: said.list, list: true, nullable }
      : { name, type: said.type, list: false, nullable };
  });
}

/** What is wrong with the option `schema`. */
export function schemaProblem(schema: unknown): string | undefined {
  if (schema === undefined)
    return `schema is missing: declare the columns, as in ${EXAMPLE}, or have them inferred by schema: 'infer'`;
  if (schema === 'infer') return undefined;
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema))
    return `schema is ${JSON.stringify(schema)}, must be 'infer' or the columns, as in ${EXAMPLE}`;
  const columns = Object.entries(schema);
  if (columns.length === 0) return `schema has no column, declare some as in ${EXAMPLE}`;
  return columns.map(([name, column]) => columnProblem(name, column)).find((problem) => problem !== undefined);
}

/** What is wrong with the option `compression`. */
export function compressionProblem(compression: unknown): string | undefined {
  if (compression === 'zstd' && !('zstdCompressSync' in zlib))
    return 'compression is "zstd", which needs Node.js 22.15 or newer: use gzip, or another Node.js';
  if (compression === undefined || COMPRESSIONS.some((known) => known === compression)) return undefined;
  return `compression is ${JSON.stringify(compression)}, must be one of ${COMPRESSIONS.join(', ')}`;
}

function columnProblem(name: string, column: unknown): string | undefined {
  const where = `schema column "${name}"`;
  if (name === '__proto__' || LONE_SURROGATE.test(name)) return `${where} has a name that cannot be stored`;
  if (typeof column === 'string') return typeProblem(where, column);
  if (typeof column !== 'object' || column === null) return typeProblem(where, column);
  const { type, list, nullable, ...others }: Record<string, unknown> = { ...column };
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) return `${where} has an unknown "${unknown}"${suggestion(unknown, COLUMN_OPTIONS)}`;
  if ((type === undefined) === (list === undefined)) return `${where} must have either a type or a list`;
  if (nullable !== undefined && typeof nullable !== 'boolean') return `${where}: nullable must be true or false`;
  return typeProblem(where, type ?? list);
}

function typeProblem(where: string, type: unknown): string | undefined {
  if (PARQUET_TYPES.some((known) => known === type)) return undefined;
  const near = typeof type === 'string' ? suggestion(type, PARQUET_TYPES) : '';
  return `${where} has type ${JSON.stringify(type)}, must be one of ${PARQUET_TYPES.join(', ')}${near}`;
}
