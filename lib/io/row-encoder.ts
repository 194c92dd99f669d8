// One pass over rows that checks and tags each, computes the data version of all and tells their columns. Of the rows it keeps nothing
// but counts, digests and up to 1,024 cells for each column.
import { createHash, type Hash } from 'node:crypto';
import { types } from 'node:util';
import canonicalize from 'canonicalize';
import type { ValueColumn } from '../ledger/records.js';
import { isoTime } from './iso-time.js';
import {
  isRecord,
  LONE_SURROGATE,
  refuse,
  refuseSurrogate,
  requireName,
  toTaggedJson,
  type TaggedJson,
} from './tagged-json.js';

const FLUSH_CELLS = 1024;
const FLUSH_LENGTH = 64 * 1024;
const DOLLAR = 36;

/** What cells may be, each a bit: the types of columns. */
const KINDS = ['string', 'number', 'boolean', 'bigint', 'date', 'bytes', 'json'];
const [STRING, NUMBER, BOOLEAN, BIGINT, DATE, BYTES, JSON_LIKE] = [1, 2, 4, 8, 16, 32, 64];

/**
 * Takes rows in the order given. The data version is SHA-256 over the number of rows and, sorted by name, the name
 * and digest of each column. A column's digest is over its cells as tagged JSON with a comma after each, objects
 * as strings `$json:` + RFC 8785, and `[n]` for n nulls before a cell. So absent, undefined and null cells are one
 * and the same, wherever a column first appears, and a column of nothing else does not count.
 */
export class RowEncoder {
  private readonly columns = new Map<string, ColumnDigest>();
  /** The columns of the row before, by position: rows usually have the same ones in the same order. */
  private readonly inOrder: ColumnDigest[] = [];
  private count = 0;
  /** The properties of the row that was taken last. */
  names: readonly string[] = [];

  /** Number of rows taken. */
  get rows(): number {
    return this.count;
  }

  /**
   * The row as tagged JSON: itself where no cell needs a tag, or where `tagging` is false, which saves a copy.
   * Throws `FLOWSTONE_IO_VALUE_UNSUPPORTED`.
   */
  add(row: unknown, tagging = true): Readonly<Record<string, unknown>> {
    const index = this.count;
    if (!isRecord(row)) refuse([index], 'is no plain object, as rows must be,', 'Yield an object for each row.');
    let tagged: Record<string, unknown> | undefined;
    const names = Object.keys(row);
    this.names = names;
    for (let position = 0; position < names.length; position++) {
      const name = names[position]!;
      let column = this.inOrder[position];
      if (column === undefined || column.name !== name) column = this.findColumn(name, position);
      const value = row[name];
      if (value === undefined || value === null) continue;
      // Half surrogate pairs are found when the column is flushed, all at once.
      if (typeof value === 'string' && value.charCodeAt(0) !== DOLLAR) column.add(index, value, STRING);
      else if (typeof value === 'number' && Number.isFinite(value)) column.add(index, value, NUMBER);
      else if (typeof value === 'boolean') column.add(index, value, BOOLEAN);
      else if (!tagging && value instanceof Date && !Number.isNaN(value.getTime()))
        column.add(index, `$date:${isoTime(value)}`, DATE);
      else {
        const json = toTaggedJson(value, [index, name]);
        column.add(index, typeof json === 'object' ? `$json:${canonicalize(json)}` : json, kindOf(value, json));
        if (tagging && json !== value) (tagged ??= { ...row })[name] = json;
      }
    }
    this.count = index + 1;
    return tagged ?? row;
  }

  /** The data version (hex) of all rows taken; ends the encoding. Throws as `add` does. */
  digest(): string {
    const digest = createHash('sha256').update(`rows ${this.count}\n`);
    const columns = [...this.columns.values()].filter((column) => column.filled);
    columns.sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const column of columns) digest.update(`${JSON.stringify(column.name)}:${column.digest()}\n`);
    return digest.digest('hex');
  }

  /** The columns of all rows taken, in the order in which they came. */
  get schema(): ValueColumn[] {
    return [...this.columns.values()].map((column) => column.described(this.count));
  }

  private findColumn(name: string, position: number): ColumnDigest {
    let column = this.columns.get(name);
    if (column === undefined) {
      requireName(name, [this.count]);
      column = new ColumnDigest(name);
      this.columns.set(name, column);
    }
    this.inOrder[position] = column;
    return column;
  }
}

/** Of a cell that is not its own tagged JSON. */
function kindOf(value: {}, json: TaggedJson): number {
  if (typeof json === 'object') return JSON_LIKE;
  if (typeof value === 'bigint') return BIGINT;
  if (typeof value === 'string') return STRING;
  return types.isUint8Array(value) ? BYTES : DATE;
}

class ColumnDigest {
  /** Index of the row after the last cell. */
  private next = 0;
  /** Of all cells: bits of KINDS. */
  private kinds = 0;
  private gaps = false;
  private cells: (TaggedJson | [number])[] = [];
  private length = 0;
  private hash: Hash | undefined;

  constructor(readonly name: string) {}

  get filled(): boolean {
    return this.next > 0;
  }

  /** @param kind what the cell was before it was tagged */
  add(row: number, cell: TaggedJson, kind: number): void {
    this.kinds |= kind;
    if (row > this.next) {
      this.cells.push([row - this.next]);
      this.gaps = true;
    }
    this.cells.push(cell);
    this.next = row + 1;
    if (typeof cell === 'string') this.length += cell.length;
    if (this.cells.length >= FLUSH_CELLS || this.length >= FLUSH_LENGTH) this.flush();
  }

  /** @param rows how many there are */
  described(rows: number): ValueColumn {
    const [kind = 'null', ...others] = KINDS.filter((_, bit) => this.kinds & (1 << bit));
    return { name: this.name, type: others.length > 0 ? 'mixed' : kind, nullable: this.gaps || this.next < rows };
  }

  digest(): string {
    if (this.cells.length > 0) this.flush();
    return this.hash!.digest('hex');
  }

  // One call of JSON.stringify for many cells is several times faster than one for each.
  private flush(): void {
    // Numbers are written alike by both, and faster by this one.
    const numbers = this.kinds === NUMBER && !this.gaps;
    const text = numbers ? (this.cells as number[]).join(',') : JSON.stringify(this.cells).slice(1, -1);
    if (!numbers && text.includes('\\ud')) this.refuseSurrogates();
    this.hash ??= createHash('sha256');
    this.hash.update(`${text},`);
    this.cells = [];
    this.length = 0;
  }

  private refuseSurrogates(): void {
    let row = this.next - 1;
    for (const cell of this.cells.toReversed()) {
      if (typeof cell === 'string' && LONE_SURROGATE.test(cell)) refuseSurrogate([row, this.name]);
      row -= Array.isArray(cell) ? (cell[0] as number) : 1;
    }
  }
}
