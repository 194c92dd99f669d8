// Rows as COPY takes them: checked against the columns of a table, hashed and encoded in one pass. What a row
// may hold beside that stands in row-encoder.ts; what each type takes in column.types.ts.
import { types } from 'node:util';
import { closest } from '../../../graph/did-you-mean.js';
import { RowEncoder } from '../../row-encoder.js';
import { refuse } from '../../tagged-json.js';
import type { ColumnType } from './column.types.js';
import { instantText } from './moments.js';
import { RowBuffer } from './row.buffer.js';
import type { FixedColumn } from './table.partition.js';
import { keepsOrder, type Table } from './table.preparation.js';

/** Bytes of rows that make a piece, and the buffer for them, which may need room for one row more. */
const PIECE_BYTES = 128 * 1024;
const BUFFER_BYTES = 160 * 1024;
const SHOWN = 60;
/** What begins and ends the binary format of COPY: a signature, no flags, no extension; no more rows. */
const HEADER = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');
const TRAILER = Buffer.from([0xff, 0xff]);

/** What a property of rows fills. */
interface Field {
  readonly property: string;
  readonly type: ColumnType;
  /** Its place among the columns of rows; -1: in none, its value has to be that of the partition. */
  readonly place: number;
  readonly nullable: boolean;
  /** The text that the partition fixes for it. */
  readonly fixed: string | undefined;
}

export class TableRows {
  /** The columns, in the order of fields. */
  readonly columns: readonly string[];
  /** Bytes of all pieces. */
  size = 0;
  /** The data version (hex). */
  hash = '';
  readonly #encoder = new RowEncoder();
  readonly #out = new RowBuffer(BUFFER_BYTES);
  readonly #byProperty: ReadonlyMap<string, Field>;
  /** Of the row before, by position: rows usually have the same properties in the same order. */
  readonly #inOrder: (Field | undefined)[] = [];
  /** In the order of columns. */
  readonly #placed: readonly Field[];
  /** The values of a row, likewise. */
  readonly #values: unknown[];
  /** What all rows begin with. */
  readonly #head: Buffer;
  readonly #numbered: boolean;
  /** Whether any column takes tagged JSON. */
  readonly #tagging: boolean;

  constructor(table: Table, fixed: readonly FixedColumn[]) {
    const texts = new Map(fixed.map(({ name, text }) => [name, text]));
    const own = table.columns.filter(({ name }) => !texts.has(name));
    const place = new Map(own.map(({ name }, index) => [name, index]));
    this.#numbered = keepsOrder(table);
    this.columns = [...texts.keys(), ...(this.#numbered ? [table.order[0]!.name] : []), ...place.keys()];
    const fields = table.columns.map(({ name, ...column }) => {
      return { ...column, place: place.get(name) ?? -1, fixed: texts.get(name) };
    });
    // Rows may carry what the partition says of them, whether or not that is a column of theirs.
    const carried = fixed
      .filter(({ name }) => !table.columns.some((column) => column.name === name))
      .map(({ name, type, text }) => ({ property: name, type, place: -1, nullable: true, fixed: text }));
    this.#byProperty = new Map([...fields, ...carried].map((field) => [field.property, field]));
    this.#placed = fields.filter(({ place: at }) => at >= 0);
    this.#values = this.#placed.map(() => null);
    this.#tagging = fields.some(({ type }) => type.tagged);
    this.#out.count(this.columns.length);
    for (const { type, text } of fixed) type.put(type.read(text), this.#out);
    this.#head = this.#out.take();
  }

  get count(): number {
    return this.#encoder.rows;
  }

  /**
   * Takes a row. What comes back, if anything, are the rows since the last piece.
   * @throws FlowStoneError FLOWSTONE_IO_VALUE_UNSUPPORTED naming row and column
   */
  add(row: unknown): Buffer | undefined {
    const index = this.#encoder.rows;
    const tagged = this.#encoder.add(row, this.#tagging);
    this.#place(row as Readonly<Record<string, unknown>>, tagged, index);
    const out = this.#out;
    out.raw(this.#head);
    if (this.#numbered) out.int32(index);
    const placed = this.#placed;
    const values = this.#values;
    for (let place = 0; place < placed.length; place++) {
      const value = values[place];
      const { type, property, nullable } = placed[place]!;
      if (value === null) {
        if (!nullable)
          refuse([index, property], 'is null or left out, where its column takes no nulls,', 'Give it a value.');
        out.null();
      } else {
        if (!type.fits(value)) refuseValue([index, property], value, type);
        type.put(value, out);
        values[place] = null;
      }
    }
    return out.length >= PIECE_BYTES ? this.#take() : undefined;
  }

  /** The last piece, once there are no more rows: then the data version is known. Throws as `add` does. */
  end(): Buffer | undefined {
    this.hash = this.#encoder.digest();
    return this.#out.length > 0 ? this.#take() : undefined;
  }

  #take(): Buffer {
    const piece = this.#out.take();
    this.size += piece.length;
    return piece;
  }

  /** The values of a row where their columns are. */
  #place(row: Readonly<Record<string, unknown>>, tagged: Readonly<Record<string, unknown>>, index: number): void {
    const { names } = this.#encoder;
    for (let position = 0; position < names.length; position++) {
      const name = names[position]!;
      const value = row[name];
      if (value === undefined || value === null) continue;
      let field = this.#inOrder[position];
      if (field === undefined || field.property !== name) field = this.#find(name, position, index);
      if (field.place >= 0) this.#values[field.place] = field.type.tagged ? tagged[name] : value;
      if (field.fixed !== undefined) requireFixed([index, name], value, field);
    }
  }

  #find(name: string, position: number, index: number): Field {
    const field = this.#byProperty.get(name);
    if (field) return (this.#inOrder[position] = field);
    const known = [...this.#byProperty.keys()];
    const near = closest(name, known);
    const remedy = near === undefined ? `Its columns are ${known.join(', ')}.` : `Did you mean ${near}?`;
    return refuse([index, name], 'is no column of the table', remedy);
  }
}

/** Pieces of rows, as one COPY takes them. */
export async function* enclosed(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield HEADER;
  yield* pieces;
  yield TRAILER;
}

function refuseValue(path: [number, string], value: unknown, type: ColumnType): never {
  return refuse(path, `is ${shown(value)}, where its column is ${type.name},`, `It takes ${type.takes}.`);
}

function requireFixed(path: [number, string], value: unknown, { type, fixed }: Field): void {
  if (!type.fits(value)) refuseValue(path, value, type);
  const text = types.isDate(value) ? instantText(value) : String(value);
  if (text === fixed) return;
  refuse(path, `is ${shown(text)}, in a partition of which all rows have ${shown(fixed)},`, 'Leave it out.');
}

function shown(value: unknown): string {
  const text = typeof value === 'bigint' ? `${value}n` : (JSON.stringify(value) ?? typeof value);
  return `${types.isDate(value) ? 'the Date ' : ''}${text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text}`;
}
