// The types of columns that table mode knows: what of JavaScript each holds such that it comes back as it was, as
// PostgreSQL's text and from it.
import { types } from 'node:util';
import { parseTagged } from '../../tagged-json.js';
import { instantText, isDay, readInstant } from './moments.js';
import { arrayText, readArray } from './array-text.js';
import { jsonbText, jsonOfJsonb } from './text-formats.js';

export interface ColumnType {
  /** As PostgreSQL's format_type() says it. */
  readonly name: string;
  /** What of JavaScript it takes, for messages. */
  readonly takes: string;
  /** Whether `write` is given tagged JSON instead of the value. */
  readonly tagged: boolean;
  /** Whether rows may be told apart, and found, by it. */
  readonly orders: boolean;
  /** Whether its text may hold characters that COPY escapes. */
  readonly escapes: boolean;
  /** The text of a value that is not null; undefined for what would not come back as it was. */
  write(value: unknown): string | undefined;
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

type Traits = Partial<Pick<ColumnType, 'tagged' | 'orders' | 'escapes'>>;

function type(
  name: string,
  takes: string,
  write: ColumnType['write'],
  read: ColumnType['read'],
  traits: Traits = {},
): ColumnType {
  return { name, takes, tagged: false, orders: true, escapes: false, write, read, ...traits };
}

const same = (text: string): string => text;
const numberText = (value: number): string => (Object.is(value, -0) ? '-0' : String(value));

function integer(name: string, bits: number): ColumnType {
  const limit = 2 ** (bits - 1);
  const write = (value: unknown) =>
    typeof value === 'number' && Number.isInteger(value) && value >= -limit && value < limit ? `${value}` : undefined;
  return type(name, `a whole number of ${bits} bits`, write, Number);
}

function textual(name: string, most = Infinity): ColumnType {
  const takes = `a string without NUL${most === Infinity ? '' : ` of at most ${most} characters`}`;
  // Characters are counted only where there may be too many: a string has as many units at least.
  const fits = (value: string) => value.length <= most || Array.from(value).length <= most;
  const write = (value: unknown) =>
    typeof value === 'string' && !value.includes('\0') && fits(value) ? value : undefined;
  return type(name, takes, write, same, { escapes: true });
}

const NUMERIC = /^-?(?:0|[1-9]\d{0,999})(?:\.(\d{1,999}))?$/;
const MINUS_ZERO = /^-[0.]+$/;

function numeric(name: string, precision = Infinity, scale?: number): ColumnType {
  const places = scale === undefined ? '' : ` with ${scale} decimal places, of at most ${precision} digits`;
  const write = (value: unknown) => {
    if (typeof value !== 'string') return undefined;
    const decimals = NUMERIC.exec(value);
    if (!decimals || MINUS_ZERO.test(value)) return undefined;
    const after = decimals[1]?.length ?? 0;
    if (scale !== undefined && after !== scale) return undefined;
    const before = value.replace('-', '').length - (after === 0 ? 0 : after + 1);
    return before - (/^-?0(?:\.|$)/.test(value) ? 1 : 0) + after <= precision ? value : undefined;
  };
  return type(name, `a string such as '12.50', a decimal number${places}`, write, same);
}

function json(name: string): ColumnType {
  const read = (text: string) => parseTagged(jsonOfJsonb(text));
  const write = (tagged: unknown) => jsonbText(JSON.stringify(tagged));
  return type(name, 'JSON', write, read, { tagged: true, orders: false, escapes: true });
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const LEAST_BIGINT = -(2n ** 63n);

const single = (value: unknown) =>
  typeof value === 'number' && Object.is(Math.fround(value), value) ? numberText(value) : undefined;
const double = (value: unknown) =>
  typeof value === 'number' && Number.isFinite(value) ? numberText(value) : undefined;
const bigint = (value: unknown) =>
  typeof value === 'bigint' && value >= LEAST_BIGINT && value < -LEAST_BIGINT ? `${value}` : undefined;
const truth = (value: unknown) => (typeof value === 'boolean' ? (value ? 't' : 'f') : undefined);
const instant = (value: unknown) => (types.isDate(value) ? instantText(value) : undefined);
const day = (value: unknown) => (typeof value === 'string' && isDay(value) ? value : undefined);
const uuid = (value: unknown) => (typeof value === 'string' && UUID.test(value) ? value : undefined);
const bytes = (value: unknown) =>
  types.isUint8Array(value)
    ? `\\x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')}`
    : undefined;

const PLAIN: readonly ColumnType[] = [
  textual('text'),
  textual('character varying'),
  integer('smallint', 16),
  integer('integer', 32),
  type('bigint', 'a bigint of 64 bits', bigint, BigInt),
  type('real', 'a number of single precision', single, Number),
  type('double precision', 'a number', double, Number),
  numeric('numeric'),
  type('boolean', 'true or false', truth, (text) => text === 't'),
  type('timestamp with time zone', 'a Date from the year 4713 BC on', instant, readInstant),
  type('timestamp without time zone', 'a Date from the year 4713 BC on, kept in UTC', instant, readInstant),
  type('date', "a string such as '2001-03-04'", day, same),
  type('uuid', 'a string of 36 characters in lower case, a UUID', uuid, same),
  type('bytea', 'a Uint8Array', bytes, (text) => new Uint8Array(Buffer.from(text.slice(2), 'hex')), {
    orders: false,
    escapes: true,
  }),
  json('jsonb'),
  json('json'),
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
    return textual(`character varying(${Number(first)})`, Number(first));
  if (found?.name === 'numeric' && Number(first) > 0 && Number(second ?? 0) <= Number(first))
    return numeric(`numeric(${Number(first)},${Number(second ?? 0)})`, Number(first), Number(second ?? 0));
  const exact = TIME.test(spaced) ? BY_NAME.get(spaced.replace(/\(\d\)/, '')) : undefined;
  return exact && { ...exact, name: spaced };
}

function isElement({ name, tagged }: ColumnType): boolean {
  return !tagged && name !== 'bytea' && !name.endsWith('[]');
}

function arrayOf(element: ColumnType): ColumnType {
  const write = (value: unknown) =>
    Array.isArray(value) ? arrayText(value, (each) => element.write(each)) : undefined;
  const read = (text: string) => readArray(text, (each) => element.read(each));
  return type(`${element.name}[]`, `an array, each element null or ${element.takes}`, write, read, {
    orders: false,
    escapes: true,
  });
}
