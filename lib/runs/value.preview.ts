// A look at a value, for people: its beginning as a small JSON extract, bounded whatever its size. How it is found stands in
// value.reader.ts.
import { types } from 'node:util';
import { isRowArray } from '../io/data-version.js';
import type { MostOfValue, ValueBeginning } from '../io/io-manager.port.js';
import { ValueExtract } from '../io/value-extract.js';
import type { DescribedValue, JsonObject, JsonValue } from '../ledger/records.js';

/** Rows of a preview that asks for no number. */
export const PREVIEW_ROWS = 20;
/** Bytes that are read of what is no rows. */
const READ_BYTES = 64 * 1024;
const TEXT_LENGTH = 10_000;
const BYTES_LENGTH = 256;

/** A value as people look at it. Cells and properties: bigint and Date as text, bytes as their number and the first. */
export type ValueExtracted =
  | { readonly kind: 'rows'; readonly rows: readonly JsonObject[] }
  | { readonly kind: 'document'; readonly document: JsonValue }
  | { readonly kind: 'text'; readonly text: string }
  /** In hex. */
  | { readonly kind: 'bytes'; readonly bytes: string };

/** A look at a value. */
export type ValuePreview = ValueExtracted & {
  /** Whether nothing was left out. */
  readonly complete: boolean;
  readonly materialization: number;
  /** What is recorded of the value: size, number of rows, columns. Null: of an external asset. */
  readonly value: DescribedValue | null;
};

/** What a preview shows, as one value. */
export function previewJson(preview: ValueExtracted): JsonValue {
  switch (preview.kind) {
    case 'rows':
      return preview.rows;
    case 'document':
      return preview.document;
    case 'text':
      return preview.text;
    case 'bytes':
      return preview.bytes;
  }
}

export const mostOfPreview = (rows: number): MostOfValue => ({ rows, bytes: READ_BYTES });

/** The extract of what was read of a value. @param rows how many are wanted */
export function extractOf(
  { value, complete }: ValueBeginning,
  rows: number,
): ValueExtracted & Pick<ValuePreview, 'complete'> {
  const extract = new ValueExtract();
  const extracted = extractedBy(extract, value, rows);
  const cut = isRowArray(value) && value.length > rows;
  return { ...extracted, complete: complete && extract.complete && !cut };
}

function extractedBy(extract: ValueExtract, value: unknown, rows: number): ValueExtracted {
  if (typeof value === 'string') return { kind: 'text', text: extract.text(value, TEXT_LENGTH) };
  if (types.isUint8Array(value)) return { kind: 'bytes', bytes: extract.hex(value, BYTES_LENGTH) };
  if (isRowArray(value)) return { kind: 'rows', rows: extract.rows(value.slice(0, rows)) };
  return { kind: 'document', document: extract.value(value) };
}
