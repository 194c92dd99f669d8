// The types of columns that table mode knows: what of JavaScript each holds such that it comes back as it was, as
// COPY's binary format takes it and from PostgreSQL's text.
import { types } from 'node:util';
import { parseTagged } from '../../tagged-json.js';
import { readArray } from './array-text.js';
import { FIRST_MOMENT, isDay, readInstant } from './moments.js';
import { isNumeric, putNumeric } from './numeric.js';
import type { RowBuffer } from './row.buffer.js';
import { jsonbText, jsonOfJsonb } from './text-formats.js';

export interface ColumnType {
  /** As PostgreSQL's format_type() says it. */
  readonly name: string;
  /** In pg_type, which arrays are told. */
  readonly oid: number;
  /** What of JavaScript it takes, for messages. */
  readonly takes: string;
  /** Whether it is given tagged JSON instead of values. */
  readonly tagged: boolean;
  /** Whether rows may be told apart, and found, by it. */
  readonly orders: boolean;
  /** Whether a value, which is not null, comes back as it is. */
  fits(value: unknown): boolean;
  /** Writes a value that fits. */
  put(value: unknown, out: RowBuffer): void;
  read(text: string): unknown;
}

/** A column that rows fill. */
export interface Column {
  /** Of a row. */
  readonly property: string;
  /** In the table. */
  readonly name: string;
  readonly type: ColumnType;
  readonly nullable: boolean;
}

/** Of a type, with its values as JavaScript has them: `put` is only given what fits. */
interface Definition<V> {
  readonly name: string;
  readonly oid: number;
  readonly takes: string;
  readonly tagged?: true;
  readonly orders?: false;
  fits(value: unknown): boolean;
  put(value: V, out: RowBuffer): void;
  read(text: string): unknown;
}

function define<V>(definition: Definition<V>): ColumnType {
  return { tagged: false, orders: true, ...(definition as Definition<unknown>) };
}

const same = (text: string): string => text;
const isNumber = (value: unknown): value is number => typeof value === 'number';
const DAY = 86_400_000;
/** From this moment PostgreSQL counts: the year 2000. */
const EPOCH = 946_684_800_000;

function integer(name: string, oid: number, bits: 16 | 32): ColumnType {
  const limit = 2 ** (bits - 1);
  return define<number>({
    ...{ name, oid, takes: `a whole number of ${bits} bits`, read: Number },
    fits: (value) => isNumber(value) && Number.isInteger(value) && value >= -limit && value < limit,
    put: bits === 16 ? (value, out) => out.int16(value) : (value, out) => out.int32(value),
  });
}

function textual(name: string, oid: number, most = Infinity): ColumnType {
  return define<string>({
    ...{ name, oid, takes: `a string without NUL${most === Infinity ? '' : ` of at most ${most} characters`}` },
    fits: (value) =>
      typeof value === 'string' &&
      !value.includes('\0') &&
      // Characters are counted only where there may be too many: a string has as many units at least.
      (value.length <= most || Array.from(value).length <= most),
    put: (value, out) => out.text(value),
    read: same,
  });
}

function numeric(name: string, precision = Infinity, scale?: number): ColumnType {
  const places = scale === undefined ? '' : ` with ${scale} decimal places, of at most ${precision} digits`;
  return define<string>({
    ...{ name, oid: 1700, takes: `a string such as '12.50', a decimal number${places}`, read: same },
    fits: (value) => typeof value === 'string' && isNumeric(value, precision, scale),
    put: putNumeric,
  });
}

function timestamp(name: string, oid: number, remark: string): ColumnType {
  return define<Date>({
    ...{ name, oid, takes: `a Date from the year 4714 BC on${remark}`, read: readInstant },
    // The first question is the cheaper one.
    fits: (value) => (value instanceof Date || types.isDate(value)) && value.getTime() >= FIRST_MOMENT,
    put: (value, out) => out.microseconds(value.getTime() - EPOCH),
  });
}

function json(name: string, oid: number, version?: number): ColumnType {
  return define<unknown>({
    ...{ name, oid, takes: 'JSON', tagged: true, orders: false },
    fits: () => true,
    put: (tagged, out) => out.text(jsonbText(JSON.stringify(tagged)), version),
    read: (text) => parseTagged(jsonOfJsonb(text)),
  });
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const LEAST_BIGINT = -(2n ** 63n);

const PLAIN: readonly ColumnType[] = [
  textual('text', 25),
  textual('character varying', 1043),
  integer('smallint', 21, 16),
  integer('integer', 23, 32),
  define<bigint>({
    ...{ name: 'bigint', oid: 20, takes: 'a bigint of 64 bits', read: BigInt },
    fits: (value) => typeof value === 'bigint' && value >= LEAST_BIGINT && value < -LEAST_BIGINT,
    put: (value, out) => out.int64(value),
  }),
  define<number>({
    ...{ name: 'real', oid: 700, takes: 'a number of single precision', read: (text) => Math.fround(Number(text)) },
    fits: (value) => isNumber(value) && Object.is(Math.fround(value), value),
    put: (value, out) => out.float32(value),
  }),
  define<number>({
    ...{ name: 'double precision', oid: 701, takes: 'a number', read: Number },
    fits: (value) => isNumber(value) && Number.isFinite(value),
    put: (value, out) => out.float64(value),
  }),
  numeric('numeric'),
  define<boolean>({
    ...{
      name: 'boolean',
      oid: 16,
      takes: 'true or false',
      read: (text) => text === 't' || (text !== 'f' && noBoolean(text)),
    },
    fits: (value) => typeof value === 'boolean',
    put: (value, out) => out.byte(value ? 1 : 0),
  }),
  timestamp('timestamp with time zone', 1184, ''),
  timestamp('timestamp without time zone', 1114, ', kept in UTC'),
  define<string>({
    ...{ name: 'date', oid: 1082, takes: "a string such as '2001-03-04'", read: same },
    fits: (value) => typeof value === 'string' && isDay(value),
    put: (value, out) => out.int32((Date.parse(value) - EPOCH) / DAY),
  }),
  define<string>({
    ...{ name: 'uuid', oid: 2950, takes: 'a string of 36 characters in lower case, a UUID', read: same },
    fits: (value) => typeof value === 'string' && UUID.test(value),
    put: (value, out) => out.bytes(Buffer.from(value.replaceAll('-', ''), 'hex')),
  }),
  define<Uint8Array>({
    ...{ name: 'bytea', oid: 17, takes: 'a Uint8Array', orders: false },
    fits: types.isUint8Array,
    put: (value, out) => out.bytes(value),
    read: (text) => new Uint8Array(Buffer.from(text.slice(2), 'hex')),
  }),
  json('jsonb', 3802, 1),
  json('json', 114),
];

/** The names under which types are declared. */
const ALIASES: Readonly<Record<string, string>> = {
  int: 'integer',
  int4: 'integer',
  int2: 'smallint',
  int8: 'bigint',
  float4: 'real',
  float8: 'double precision',
  bool: 'boolean',
  varchar: 'character varying',
  decimal: 'numeric',
  timestamptz: 'timestamp with time zone',
  timestamp: 'timestamp without time zone',
};

/** For messages. */
export const KNOWN_TYPES =
  'text, varchar(n), smallint, integer, bigint, real, double precision, numeric, numeric(p,s), boolean, date, timestamptz, timestamp, uuid, bytea, jsonb, json, or an array of one but the last three, such as text[]';

const BY_NAME = new Map(PLAIN.map((known) => [known.name, known]));
// Of milliseconds nothing is lost from three places on.
const TIME = /^timestamp\([3-6]\) with(?:out)? time zone$/;

/** The type of this name, declared or as format_type() says it; undefined for one that is not known. */
export function columnType(name: string): ColumnType | undefined {
  const words = name
    .trim()
    .toLowerCase()
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/ ?([(),[\]]) ?/g, '$1');
  const spaced = words.replaceAll(/([)\]])(?=[a-z])/g, '$1 ');
  if (spaced.endsWith('[]')) {
    const element = columnType(spaced.slice(0, -2));
    return element && isElement(element) ? arrayOf(element) : undefined;
  }
  const [, base = '', first, second] = /^([a-z0-9 ]+?)(?:\((\d{1,8})(?:,(\d{1,4}))?\))?$/.exec(spaced) ?? [];
  const found = BY_NAME.get(Object.hasOwn(ALIASES, base) ? ALIASES[base]! : base);
  if (first === undefined && found) return found;
  if (found?.name === 'character varying' && second === undefined && Number(first) > 0)
    return textual(`character varying(${Number(first)})`, 1043, Number(first));
  if (found?.name === 'numeric' && Number(first) > 0 && Number(second ?? 0) <= Number(first))
    return numeric(`numeric(${Number(first)},${Number(second ?? 0)})`, Number(first), Number(second ?? 0));
  const exact = TIME.test(spaced) ? BY_NAME.get(spaced.replace(/\(\d\)/, '')) : undefined;
  return exact && { ...exact, name: spaced };
}

function isElement({ name, tagged }: ColumnType): boolean {
  return !tagged && name !== 'bytea' && !name.endsWith('[]');
}

function arrayOf(element: ColumnType): ColumnType {
  return define<readonly unknown[]>({
    ...{ name: `${element.name}[]`, oid: 0, takes: `an array, each element null or ${element.takes}`, orders: false },
    fits: (value) => Array.isArray(value) && value.every((each) => each === null || element.fits(each)),
    put: (values, out) => out.nested(() => putArray(values, element, out)),
    read: (text) => readArray(text, (each) => element.read(each)),
  });
}

/** Dimensions, whether there are nulls, the type of the elements; of the dimension, its length and first index. */
function putArray(values: readonly unknown[], element: ColumnType, out: RowBuffer): void {
  const numbers = [values.length > 0 ? 1 : 0, values.includes(null) ? 1 : 0, element.oid];
  const header = Buffer.alloc(values.length > 0 ? 20 : 12);
  [...numbers, values.length, 1]
    .slice(0, header.length / 4)
    .forEach((number, index) => header.writeInt32BE(number, 4 * index));
  out.raw(header);
  for (const value of values) {
    if (value === null) out.null();
    else element.put(value, out);
  }
}

function noBoolean(text: string): never {
  throw new SyntaxError(`${JSON.stringify(text)} is no boolean`);
}
