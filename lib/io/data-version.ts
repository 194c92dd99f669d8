// The data version of a value by its canonical form, whatever manager, format or compression stores it.
import { createHash } from 'node:crypto';
import { types } from 'node:util';
import canonicalize from 'canonicalize';
import type { ValueColumn } from '../ledger/records.js';
import { RowEncoder } from './row-encoder.js';
import { isRecord, toTaggedJson } from './tagged-json.js';

/** What identifies a value, and how many rows it has (null: it is not rows). */
export interface DataVersion {
  readonly hash: string;
  readonly rows: number | null;
}

/** Whether a value is rows that come one by one. */
export function isRowStream(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}

/** Whether a value is rows in memory: an array of plain objects, possibly empty. */
export function isRowArray(value: unknown): value is readonly Readonly<Record<string, unknown>>[] {
  // `every` would pass over the holes of a sparse array.
  return Array.isArray(value) && value.findIndex((row) => !isRecord(row)) === -1;
}

/**
 * SHA-256 (hex) of the canonical value: of rows as `RowEncoder` says, of bytes as they are, of all else its
 * tagged JSON by RFC 8785. Rows that come from an async iterable are for `RowEncoder`, as they are stored.
 * Throws `FLOWSTONE_IO_VALUE_UNSUPPORTED` for what cannot be stored.
 */
export function dataVersionOf(value: unknown): DataVersion {
  if (types.isUint8Array(value)) return { hash: sha256(value), rows: null };
  const { hash, rows } = encodeDocument(value);
  return { hash, rows };
}

/** A value in memory as one document of tagged JSON, and what is known of it. */
export interface EncodedDocument extends DataVersion {
  readonly tagged: unknown;
  /** Of rows. */
  readonly schema?: readonly ValueColumn[];
}

/** Encodes a value in memory. Throws as `dataVersionOf` does. */
export function encodeDocument(value: unknown): EncodedDocument {
  if (!isRowArray(value)) {
    const tagged = toTaggedJson(value);
    const hash = types.isUint8Array(value) ? sha256(value) : sha256(canonicalize(tagged)!);
    return { tagged, hash, rows: null };
  }
  const encoder = new RowEncoder();
  const tagged = value.map((row) => encoder.add(row));
  return { tagged, hash: encoder.digest(), rows: encoder.rows, schema: encoder.schema };
}

function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
