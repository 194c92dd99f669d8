// The formats that every manager of values as blobs takes.
import { types } from 'node:util';
import { BYTES_FORMAT, JSON_FORMAT, TEXT_FORMAT } from './document.formats.js';
import { JSON_LINES_FORMAT } from './json-lines.format.js';
import { PARQUET_FORMAT } from './parquet/parquet.format.js';
import type { ParquetValueOptions } from './parquet/parquet.schema.js';

export const BLOB_FORMATS = {
  json: JSON_FORMAT,
  jsonl: JSON_LINES_FORMAT,
  text: TEXT_FORMAT,
  bytes: BYTES_FORMAT,
  parquet: PARQUET_FORMAT,
} as const;

/** How a value is written. */
export type FileFormat = keyof typeof BLOB_FORMATS;

/** What an asset may say for a manager that keeps values as blobs. */
export type BlobValueOptions =
  | {
      /**
       * `json` (one document; bigint, Date and bytes tagged), `jsonl` (one row a line), `text` (a string as UTF-8) or
       * `bytes`. Default: `bytes` for a Uint8Array, else `json`. Rows from an async iterable are `jsonl` then.
       */
      readonly format?: Exclude<FileFormat, 'parquet'>;
      /** Default: none. */
      readonly compression?: 'gzip';
    }
  | ({ readonly format: 'parquet' } & ParquetValueOptions);

/** The format of a value for which the asset names none. */
export function blobFormatFor(value: unknown): FileFormat {
  return types.isUint8Array(value) ? 'bytes' : 'json';
}
