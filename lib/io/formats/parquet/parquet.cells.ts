// Values of columns as cells that can be passed to a thread, and back. Not here: how cells become bytes.
import { types } from 'node:util';
import { parseTagged, refuse, type TaggedJson, type ValuePath } from '../../tagged-json.js';
import type { Column, ParquetType } from './parquet.schema.js';

/**
 * A cell on its way to or from the thread: dates as days and timestamps as milliseconds since 1970; JSON as tagged JSON on
 * its way to, and as its text on its way from.
 */
export type Cell = TaggedJson | bigint | Uint8Array | undefined | readonly Cell[];

/** The cells of one column, one for each row. */
export type Cells = ArrayLike<Cell>;

interface CellType {
  /** What it takes, for messages. */
  readonly takes: string;
  /** Undefined for a value of another kind. */
  readonly toCell: (value: unknown) => Cell;
  /** Left out where a cell is the value. */
  readonly fromCell?: (cell: Cell) => unknown;
}

const DAY = 86_400_000;
const INT32_LIMIT = 2 ** 31;
const INT64_LIMIT = 2n ** 63n;

const itself =
  (fits: (value: unknown) => boolean) =>
  (value: unknown): Cell =>
    fits(value) ? (value as Cell) : undefined;

const CELL_TYPES: Readonly<Record<ParquetType, CellType>> = {
  boolean: { takes: 'a boolean', toCell: itself((value) => typeof value === 'boolean') },
  int32: { takes: 'a whole number of 32 bits', toCell: itself(isInt32) },
  int64: { takes: 'a bigint of 64 bits', toCell: itself(isInt64) },
  double: { takes: 'a number', toCell: itself((value) => typeof value === 'number') },
  string: { takes: 'a string', toCell: itself((value) => typeof value === 'string') },
  date: { takes: 'a string YYYY-MM-DD', toCell: dayOf, fromCell: (cell) => dateOf(cell as number) },
  timestamp: {
    takes: 'a Date',
    toCell: (value) => (types.isDate(value) ? value.getTime() : undefined),
    fromCell: (cell) => new Date(cell as number),
  },
  json: { takes: 'anything', toCell: itself(() => true), fromCell: (cell) => parseTagged(cell as string) },
  // Copied, since whoever made them may use the memory again, and those of a batch share one.
  bytes: {
    takes: 'a Uint8Array',
    toCell: (value) => (types.isUint8Array(value) ? new Uint8Array(value) : undefined),
    fromCell: (cell) => new Uint8Array(cell as Uint8Array),
  },
};

/**
 * The cell of a value that is not null, for JSON of tagged JSON. Throws `FLOWSTONE_IO_VALUE_UNSUPPORTED`, naming row and
 * column.
 */
export function toCell({ name, type, list }: Column, value: unknown, row: number): Cell {
  if (list) return toCells(type, value, [row, name]);
  const { toCell: convert, takes } = CELL_TYPES[type];
  const cell = convert(value);
  return cell === undefined ? misfitting(value, takes, type, [row, name]) : cell;
}

/** Values by cells of a column; undefined where the cells are the values, or null for undefined. */
export function cellReader({ type, list }: Column): ((cell: Cell) => unknown) | undefined {
  const { fromCell } = CELL_TYPES[type];
  const readElement = fromCell
    ? (cell: Cell) => (cell == null ? null : fromCell(cell))
    : (cell: Cell): unknown => cell ?? null;
  if (!list) return fromCell && readElement;
  return (cell) => (cell == null ? null : Array.from(cell as readonly Cell[], readElement));
}

function toCells(type: ParquetType, value: unknown, path: ValuePath): Cell[] {
  if (!Array.isArray(value)) misfitting(value, 'an array', `list of ${type}`, path);
  const { toCell: convert, takes } = CELL_TYPES[type];
  return Array.from(value as unknown[], (element, index) => {
    const cell = element === null ? null : convert(element);
    return cell === undefined ? misfitting(element, takes, type, [...path, index]) : cell;
  });
}

function misfitting(value: unknown, takes: string, type: string, path: ValuePath): never {
  const remedy = 'Convert it, or declare another type for the column.';
  return refuse(path, `is ${describe(value)}, but a column of type ${type} takes ${takes},`, remedy);
}

function describe(value: unknown): string {
  if (typeof value === 'object') return `of kind ${Object.prototype.toString.call(value).slice(8, -1)}`;
  const text = typeof value === 'string' ? JSON.stringify(value) : `${value as number | bigint | boolean}`;
  return `the ${typeof value} ${text.length > 40 ? `${text.slice(0, 40)}...` : text}`;
}

function isInt32(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= -INT32_LIMIT && (value as number) < INT32_LIMIT;
}

function isInt64(value: unknown): boolean {
  return typeof value === 'bigint' && value >= -INT64_LIMIT && value < INT64_LIMIT;
}

// The same few days come again and again; the last is kept.
let lastDate = '1970-01-01';
let lastDay = 0;

function dayOf(value: unknown): Cell {
  if (value === lastDate) return lastDay;
  if (typeof value !== 'string' || !/^\d{4}-\d\d-\d\d$/.test(value) || value < '0001') return undefined;
  const time = Date.parse(`${value}T00:00:00Z`);
  // To Date, the 30th of February is the 2nd of March.
  if (Number.isNaN(time) || new Date(time).toISOString().slice(0, 10) !== value) return undefined;
  [lastDate, lastDay] = [value, time / DAY];
  return lastDay;
}

/** `YYYY-MM-DD` of days since 1970. */
export function dateOf(day: number): string {
  if (day !== lastDay) [lastDate, lastDay] = [new Date(day * DAY).toISOString().slice(0, 10), day];
  return lastDate;
}
