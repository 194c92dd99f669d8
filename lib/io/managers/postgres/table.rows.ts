// Rows as COPY takes them: checked against the columns of a table, hashed and encoded in one pass, and spooled. What a row
// may hold beside that stands in row-encoder.ts; what each type takes in column.types.ts.
import { closest } from '../../../graph/did-you-mean.js';
import { RowEncoder } from '../../row-encoder.js';
import { Spool } from '../../spool.js';
import { refuse } from '../../tagged-json.js';
import type { ColumnType } from './column.types.js';
import type { FixedColumn } from './table.partition.js';
import { keepsOrder, type Table } from './table.preparation.js';
import { copyField } from './text-formats.js';

/** Characters of rows that make a piece: some 100 KB. */
const PIECE_LENGTH = 128 * 1024;
const NULL = '\\N';
const SHOWN = 60;

/** What a property of rows fills. */
interface Field {
  readonly property: string;
  readonly type: ColumnType;
  /** Its place in the line; -1: it is in none, and has to be the same as that of the partition. */
  readonly place: number;
  /** The text that the partition fixes for it. */
  readonly fixed: string | undefined;
}

export class TableRows {
  readonly spool = new Spool();
  readonly #hash = new RowEncoder();
  readonly #fields: readonly Field[];
  readonly #byProperty: ReadonlyMap<string, Field>;
  /** Of the row before, by position: rows usually have the same properties in the same order. */
  readonly #inOrder: (Field | undefined)[] = [];
  /** A line in which nothing is said. */
  readonly #empty: readonly string[];
  readonly #head: string;
  readonly #numbered: boolean;
  /** Whether any column takes tagged JSON. */
  readonly #tagging: boolean;
  readonly #required: readonly Field[];
  #piece = '';

  /** The columns, in the order of a line. */
  readonly columns: readonly string[];

  constructor(table: Table, fixed: readonly FixedColumn[]) {
    const texts = new Map(fixed.map(({ name, text }) => [name, text]));
    const own = table.columns.filter(({ name }) => !texts.has(name));
    const place = new Map(own.map(({ name }, index) => [name, index]));
    this.#numbered = keepsOrder(table);
    this.columns = [...texts.keys(), ...(this.#numbered ? [table.order[0]!.name] : []), ...place.keys()];
    const fields = table.columns.map(({ property, name, type }) => {
      return { property, type, place: place.get(name) ?? -1, fixed: texts.get(name) };
    });
    // Rows may carry what the partition says of them, whether or not that is a column of theirs.
    const carried = fixed
      .filter(({ name }) => !table.columns.some((column) => column.name === name))
      .map(({ name, type, text }) => ({ property: name, type, place: -1, fixed: text }));
    this.#fields = [...fields, ...carried];
    this.#byProperty = new Map(this.#fields.map((field) => [field.property, field]));
    this.#required = fields.filter(({ place: at }, index) => at >= 0 && !table.columns[index]!.nullable);
    this.#tagging = fields.some(({ type }) => type.tagged);
    this.#empty = own.map(() => NULL);
    this.#head = fixed.map(({ text }) => `${copyField(text)}\t`).join('');
  }

  get count(): number {
    return this.#hash.rows;
  }

  /**
   * Takes a row; rows that make a piece are written, which is to be waited for before the next row.
   * @throws FlowStoneError FLOWSTONE_IO_VALUE_UNSUPPORTED naming row and column
   */
  add(row: unknown): Promise<void> | undefined {
    const index = this.#hash.rows;
    const tagged = this.#hash.add(row, this.#tagging);
    const cells = this.#empty.slice();
    const values = row as Readonly<Record<string, unknown>>;
    const names = Object.keys(values);
    for (let position = 0; position < names.length; position++) {
      const name = names[position]!;
      const value = values[name];
      if (value === undefined || value === null) continue;
      let field = this.#inOrder[position];
      if (field === undefined || field.property !== name) field = this.#find(name, position, index);
      const text = field.type.write(field.type.tagged ? tagged[name] : value);
      if (text === undefined) refuseValue([index, name], value, field);
      if (field.fixed !== undefined) requireFixed([index, name], text, field);
      else cells[field.place] = field.type.escapes ? copyField(text) : text;
    }
    for (const { place, property } of this.#required) {
      if (cells[place] === NULL)
        refuse([index, property], 'is null or left out, and its column takes no nulls,', 'Give it a value.');
    }
    this.#piece += this.#head;
    if (this.#numbered) this.#piece += `${index}\t`;
    this.#piece += `${cells.join('\t')}\n`;
    return this.#piece.length >= PIECE_LENGTH ? this.#flush() : undefined;
  }

  /** Writes what is left; the data version (hex) of all rows. */
  async end(): Promise<string> {
    const hash = this.#hash.digest();
    if (this.#piece !== '') await this.#flush();
    return hash;
  }

  #flush(): Promise<void> {
    const piece = Buffer.from(this.#piece);
    this.#piece = '';
    return this.spool.write(piece);
  }

  #find(name: string, position: number, index: number): Field {
    const field = this.#byProperty.get(name);
    if (field) return (this.#inOrder[position] = field);
    const known = this.#fields.map(({ property }) => property);
    const near = closest(name, known);
    const remedy = near === undefined ? `Its columns are ${known.join(', ')}.` : `Did you mean ${near}?`;
    return refuse([index, name], 'is no column of the table', remedy);
  }
}

function refuseValue(path: [number, string], value: unknown, { type }: Field): never {
  return refuse(path, `is ${shown(value)}, and its column of type ${type.name}`, `It takes ${type.takes}.`);
}

function requireFixed(path: [number, string], text: string, { fixed }: Field): void {
  if (text === fixed) return;
  refuse(path, `is ${shown(text)}, in a partition of which all rows have ${shown(fixed)},`, 'Leave it out.');
}

function shown(value: unknown): string {
  const text = typeof value === 'bigint' ? `${value}n` : (JSON.stringify(value) ?? typeof value);
  return `${value instanceof Date ? 'the Date ' : ''}${text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text}`;
}
