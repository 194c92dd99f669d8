// The formats that need no package: what every manager that keeps values as blobs takes.
import { types } from 'node:util';
import { BYTES_FORMAT, JSON_FORMAT, TEXT_FORMAT } from './document.formats.js';
import { JSON_LINES_FORMAT } from './json-lines.format.js';

export const PLAIN_FORMATS = {
  json: JSON_FORMAT,
  jsonl: JSON_LINES_FORMAT,
  text: TEXT_FORMAT,
  bytes: BYTES_FORMAT,
} as const;

/** How a value is written. */
export type FileFormat = keyof typeof PLAIN_FORMATS;

/** What an asset may say for a manager that keeps values as blobs. */
export interface BlobValueOptions {
  /**
   * `json` (one document; bigint, Date and bytes tagged), `jsonl` (one row a line), `text` (a string as UTF-8) or
   * `bytes`. Default: `bytes` for a Uint8Array, else `json`. Rows from an async iterable are always `jsonl`.
   */
  readonly format?: FileFormat;
  /** Default: none. */
  readonly compression?: 'gzip';
}

/** The plain format of a value for which the asset names none. */
export function plainFormatFor(value: unknown): FileFormat {
  return types.isUint8Array(value) ? 'bytes' : 'json';
}
