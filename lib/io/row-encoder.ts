// One pass over rows that yields the JSON line of each and the data version of all. Nothing is kept but counts,
// digests and up to 32 KB of text for each column.
import { createHash, type Hash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { isRecord, refuse, requireName, tagString, toTaggedJson } from './tagged-json.js';

const FLUSH_LENGTH = 32 * 1024;
// What JSON must escape, surrogates (may be half a pair) and `$` (may look like a tag): all others need no look.
const NEEDS_CARE = /["\\\u0000-\u001f\ud800-\udfff]|^\$/;

/**
 * Encodes rows in the order given. The data version is SHA-256 over the number of rows and, sorted by name, the
 * name and digest of each column; a column's digest is over its cells as canonical tagged JSON, one a line, where
 * a line `~n` stands for n nulls before a cell. So absent, undefined and null cells are one and the same, wherever a
 * column first appears, and a column of nothing else does not count.
 */
export class RowEncoder {
  private readonly columns = new Map<string, ColumnDigest>();
  /** The columns of the row before, by position: rows usually have the same ones in the same order. */
  private readonly inOrder: ColumnDigest[] = [];
  private count = 0;

  /** Number of rows encoded. */
  get rows(): number {
    return this.count;
  }

  /** The row as one line of tagged JSON, without the line feed. Throws `FLOWSTONE_IO_VALUE_UNSUPPORTED`. */
  encode(row: unknown): string {
    const index = this.count;
    if (!isRecord(row)) refuse([index], 'is no plain object, and rows', 'Yield an object for each row.');
    const names = Object.keys(row);
    let line = '';
    for (let position = 0; position < names.length; position++) {
      const name = names[position]!;
      const value = row[name];
      if (value === undefined) continue;
      let column = this.inOrder[position];
      if (column === undefined || column.name !== name) column = this.findColumn(name, position);
      const text = value === null ? 'null' : column.add(index, value);
      line += line === '' ? column.label + text : ',' + column.label + text;
    }
    this.count = index + 1;
    return `{${line}}`;
  }

  /** The data version (hex) of all rows encoded; ends the encoding. */
  digest(): string {
    const digest = createHash('sha256').update(`rows ${this.count}\n`);
    const columns = [...this.columns.values()].filter((column) => column.filled);
    columns.sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const column of columns) digest.update(`${column.label}${column.digest()}\n`);
    return digest.digest('hex');
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

class ColumnDigest {
  readonly label: string;
  private next = 0;
  private text = '';
  private hash: Hash | undefined;

  constructor(readonly name: string) {
    this.label = `${JSON.stringify(name)}:`;
  }

  get filled(): boolean {
    return this.next > 0;
  }

  /** Adds a cell that is not null; returns it as tagged JSON. */
  add(row: number, value: {}): string {
    if (row > this.next) this.text += `~${row - this.next}\n`;
    this.next = row + 1;
    const json = typeof value === 'object' ? this.addObject(row, value) : this.addScalar(row, value);
    if (this.text.length >= FLUSH_LENGTH) this.flush();
    return json;
  }

  digest(): string {
    this.flush();
    return this.hash!.digest('hex');
  }

  private addScalar(row: number, value: unknown): string {
    let json: string;
    if (typeof value === 'string') {
      json = NEEDS_CARE.test(value) ? JSON.stringify(tagString(value, [row, this.name])) : '"' + value + '"';
    } else if (typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value))) {
      json = '' + value;
    } else {
      json = JSON.stringify(toTaggedJson(value, [row, this.name]));
    }
    this.text += json + '\n';
    return json;
  }

  // Stored with its properties in their order, hashed with them sorted.
  private addObject(row: number, value: object): string {
    const tagged = toTaggedJson(value, [row, this.name]);
    const json = JSON.stringify(tagged);
    this.text += (typeof tagged === 'string' ? json : canonicalize(tagged)) + '\n';
    return json;
  }

  private flush(): void {
    this.hash ??= createHash('sha256');
    this.hash.update(this.text);
    this.text = '';
  }
}
