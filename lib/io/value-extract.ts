// A small JSON extract of any value, for people: bounded in depth, width and length whatever the value is. What is read of
// a value for it stands with the managers.
import { types } from 'node:util';
import type { JsonObject, JsonValue } from '../ledger/records.js';
import { isRecord } from './tagged-json.js';

/** Levels of objects and arrays. */
const DEPTH = 6;
/** Elements of an array, properties of an object below a row. */
const WIDTH = 50;
/** Cells of a row. */
const COLUMNS = 200;
/** Characters of a string, and bytes. */
const LENGTH = 1000;
const BYTES = 32;
/** Characters of all. */
const ALL = 100_000;

/** Takes parts of one value after the other, and notes whether anything had to be left out. */
export class ValueExtract {
  /** Whether all was taken as it is. */
  complete = true;
  #left = ALL;

  /** Rows until there is no more room. */
  rows(rows: readonly Readonly<Record<string, unknown>>[]): JsonObject[] {
    const taken: JsonObject[] = [];
    for (const row of rows) {
      if (this.#left <= 0) {
        this.complete = false;
        break;
      }
      taken.push(this.#object(row, 1, COLUMNS));
    }
    return taken;
  }

  /** bigint and Date as text, bytes as their number and the first of them; `…` where something was left out. */
  value(value: unknown, depth = 0): JsonValue {
    if (this.#left <= 0) return this.#cut('…');
    if (typeof value === 'string') return this.text(value, LENGTH);
    if (typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value)))
      return this.#take(value, 8);
    if (value === null || value === undefined) return this.#take(null, 4);
    if (typeof value === 'bigint' || typeof value === 'number') return this.text(String(value), LENGTH);
    if (types.isDate(value)) return this.text(Number.isNaN(value.getTime()) ? 'no date' : value.toISOString(), LENGTH);
    if (types.isUint8Array(value)) return this.text(`${value.length} bytes: ${this.hex(value, BYTES)}`, LENGTH);
    if (Array.isArray(value)) return this.#array(value, depth);
    if (isRecord(value)) return this.#object(value, depth, WIDTH);
    // What no manager stores, but an external asset may load.
    return this.#cut(Object.prototype.toString.call(value));
  }

  /** The first `length` characters. */
  text(text: string, length: number): string {
    const most = Math.max(0, Math.min(length, this.#left));
    const taken = text.length <= most ? text : this.#cut(`${text.slice(0, most)}…`);
    return this.#take(taken, taken.length);
  }

  /** The first `length` bytes. */
  hex(bytes: Uint8Array, length: number): string {
    const start = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, length)).toString('hex');
    return bytes.length <= length ? start : this.#cut(`${start}…`);
  }

  #array(values: readonly unknown[], depth: number): JsonValue {
    if (depth >= DEPTH && values.length > 0) return this.#cut('[…]');
    const taken = values.slice(0, WIDTH).map((value) => this.value(value, depth + 1));
    if (values.length > WIDTH) taken.push(this.#cut(`… ${values.length - WIDTH} more`));
    return taken;
  }

  #object(properties: Readonly<Record<string, unknown>>, depth: number, width: number): JsonObject {
    const names = Object.keys(properties);
    if (depth >= DEPTH && names.length > 0) return { '…': this.#cut(`${names.length} more`) };
    const entries = names
      .slice(0, width)
      .map((name): [string, JsonValue] => [this.text(name, LENGTH), this.value(properties[name], depth + 1)]);
    if (names.length > width) entries.push(['…', this.#cut(`${names.length - width} more`)]);
    return Object.fromEntries(entries);
  }

  #take<T>(value: T, characters: number): T {
    this.#left -= characters;
    return value;
  }

  #cut<T>(value: T): T {
    this.complete = false;
    return value;
  }
}
