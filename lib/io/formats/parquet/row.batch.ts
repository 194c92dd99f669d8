// Rows on their way to columns: collected cell by cell, and taken in small batches.
import { didYouMean } from '../../../graph/did-you-mean.js';
import { refuse } from '../../tagged-json.js';
import { toCell, type Cell, type Cells } from './parquet.cells.js';
import type { Column } from './parquet.schema.js';

type Row = Readonly<Record<string, unknown>>;

/** So few that collecting and passing them on holds the event loop up for a millisecond or two. */
const BATCH_ROWS = 512;
const BATCH_SIZE = 512 * 1024;
/** Bytes that a cell takes whatever is in it. */
const SLOT = 8;

/** Takes rows in their order. */
export class RowBatch {
  /** Whether there are columns of JSON, whose cells are of the tagged rows. */
  readonly tagging: boolean;
  readonly #positions: ReadonlyMap<string, number>;
  /** Positions of the columns of the row before, by the position of their names: usually all rows are alike. */
  #order: (number | undefined)[] = [];
  #cells: Cell[][];
  #rows = 0;
  #size = 0;
  /** Index of the first row. */
  #first = 0;

  constructor(private readonly columns: readonly Column[]) {
    this.#positions = new Map(columns.map(({ name }, position) => [name, position]));
    this.tagging = columns.some(({ type }) => type === 'json');
    this.#cells = this.#empty();
  }

  get full(): boolean {
    return this.#rows >= BATCH_ROWS || this.#size >= BATCH_SIZE;
  }

  /**
   * Takes a row, and the same as `RowEncoder` tagged it if `tagging`. Throws `FLOWSTONE_IO_VALUE_UNSUPPORTED`, naming row
   * and column.
   */
  add(row: Row, tagged: Row): void {
    const names = Object.keys(row);
    for (let at = 0; at < names.length; at++) {
      const name = names[at]!;
      let position = this.#order[at];
      if (position === undefined || this.columns[position]!.name !== name) {
        position = this.#positions.get(name);
        this.#order[at] = position;
      }
      const value = row[name];
      if (value === undefined || value === null) continue;
      if (position === undefined) this.#refuseColumn(name);
      this.#put(position, this.columns[position]!.type === 'json' ? tagged[name] : value);
    }
    this.#rows++;
    this.#size += SLOT * this.columns.length;
  }

  /** The cells, by column, of all rows added since the last time, and about the bytes they take. Throws as `add` does. */
  take(): { readonly rows: number; readonly cells: readonly Cells[]; readonly size: number } {
    for (const [position, { name, nullable }] of this.columns.entries()) {
      const row = nullable ? this.#rows : this.#cells[position]!.indexOf(null);
      if (row < 0 || row >= this.#rows) continue;
      const remedy = 'Give it a value, or allow null.';
      refuse([this.#first + row, name], 'is null, but the column is not nullable,', remedy);
    }
    for (const cells of this.#cells) cells.length = this.#rows;
    const batch = { rows: this.#rows, cells: this.#cells, size: this.#size };
    this.#first += this.#rows;
    this.#cells = this.#empty();
    this.#rows = this.#size = 0;
    return batch;
  }

  #put(position: number, value: unknown): void {
    const cell = toCell(this.columns[position]!, value, this.#first + this.#rows);
    this.#cells[position]![this.#rows] = cell;
    this.#size += sizeOf(cell);
  }

  #refuseColumn(name: string): never {
    const columns = didYouMean(name, this.#positions.keys());
    const what = `is in no column of the schema${columns},`;
    return refuse([this.#first + this.#rows, name], what, 'Declare the column, or leave it out of the rows.');
  }

  #empty(): Cell[][] {
    // Not `new Array(length)`: arrays with holes, even filled ones, take several times as long to be passed to a thread.
    const nothing = Array.from({ length: BATCH_ROWS }, () => null);
    return this.columns.map(() => nothing.slice());
  }
}

/** About the bytes of a cell beside its slot. */
function sizeOf(cell: Cell): number {
  if (typeof cell === 'string' || cell instanceof Uint8Array) return cell.length;
  if (typeof cell !== 'object' || cell === null) return 0;
  let size = 0;
  for (const part of Object.values(cell)) size += SLOT + sizeOf(part);
  return size;
}
