// The columns of rows whose asset says `schema: 'infer'`.
import { types } from 'node:util';
import { refuse } from '../../tagged-json.js';
import type { Column, ParquetType } from './parquet.schema.js';

/** Without a type where there was nothing but null yet, or empty arrays. */
interface Kind {
  readonly type: ParquetType | undefined;
  readonly list: boolean;
}

const JSON_KIND: Kind = { type: 'json', list: false };
const UNKNOWN: Kind = { type: undefined, list: false };

/**
 * Columns in the order in which they first appear; none of no rows. Numbers are `double`, bigints `int64`, Dates `timestamp`; strings,
 * booleans and bytes what they are; arrays lists of these; objects, arrays of anything else and what is always null, `json`.
 * All are nullable. Throws `FLOWSTONE_IO_VALUE_UNSUPPORTED` where values of a column are of several kinds, or rows of none.
 */
export function inferColumns(rows: readonly Readonly<Record<string, unknown>>[]): Column[] {
  const columns = new Map<string, Kind>();
  for (const [index, row] of rows.entries()) {
    for (const [name, value] of Object.entries(row)) {
      if (value === undefined) continue;
      const kind = kindOf(value);
      const before = columns.get(name) ?? UNKNOWN;
      columns.set(name, common(before, kind) ?? differing(before, kind, [index, name]));
    }
  }
  if (columns.size === 0 && rows.length > 0)
    refuse([], 'has no columns that can be inferred', 'Declare some in schema.');
  return Array.from(columns, ([name, kind]) => {
    const { type = 'json', list } = kind.type === undefined ? JSON_KIND : kind;
    return { name, type, list, nullable: true };
  });
}

function kindOf(value: unknown): Kind {
  if (!Array.isArray(value)) return { type: typeOf(value), list: false };
  const elements = new Set((value as unknown[]).map(typeOf));
  elements.delete(undefined);
  const [type, another] = elements;
  return type === 'json' || another !== undefined ? JSON_KIND : { type, list: true };
}

/** Undefined for null. */
function typeOf(value: unknown): ParquetType | undefined {
  switch (typeof value) {
    case 'number':
      return 'double';
    case 'bigint':
      return 'int64';
    case 'string':
    case 'boolean':
      return typeof value as 'string' | 'boolean';
    default:
      if (value === null) return undefined;
      if (types.isDate(value)) return 'timestamp';
      return types.isUint8Array(value) ? 'bytes' : 'json';
  }
}

/** What holds both; undefined where somebody has to decide. */
function common(one: Kind, other: Kind): Kind | undefined {
  for (const [kind, another] of [
    [one, other],
    [other, one],
  ] as const) {
    if (kind.type === undefined && (!kind.list || another.list)) return another;
  }
  if (one.type === other.type && one.list === other.list) return one;
  // Arrays of one type may be followed by mixed ones.
  return [one, other].every(({ type, list }) => list || type === 'json') ? JSON_KIND : undefined;
}

function differing(before: Kind, kind: Kind, path: [number, string]): never {
  const spell = ({ type, list }: Kind): string => (list ? `list of ${type ?? 'nothing'}` : String(type));
  const what = `is of type ${spell(kind)}, but rows before have ${spell(before)} there,`;
  return refuse(path, what, 'Declare the column in schema; type json holds both.');
}
