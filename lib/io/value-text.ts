// Values as text and back, for managers of an application's own: any text that holds JSON will do.
import type { ValueColumn } from '../ledger/records.js';
import { encodeDocument, type DataVersion } from './data-version.js';
import { parseTagged, stringifyTagged } from './tagged-json.js';

/** A value in memory as text, and what `store` tells of it. */
export interface ValueText extends DataVersion {
  /** JSON; bigint, Date and bytes as tagged strings. */
  readonly text: string;
  /** Of rows. */
  readonly schema?: readonly ValueColumn[];
}

/** Any value but rows from an async iterable. Throws `FLOWSTONE_IO_VALUE_UNSUPPORTED` for what would not come back as it was. */
export function valueToText(value: unknown): ValueText {
  const { tagged, ...told } = encodeDocument(value);
  return { text: stringifyTagged(tagged), ...told };
}

/** The value of such a text, or a row of `RowEncoder`. Throws a SyntaxError for what is none; nothing becomes code. */
export function valueFromText(text: string): unknown {
  return parseTagged(text);
}
