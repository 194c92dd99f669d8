// The I/O manager that keeps values as files.
import { types } from 'node:util';
import { FileStore } from '../blobs/files/file.store.js';
import { BYTES_FORMAT, JSON_FORMAT, TEXT_FORMAT } from '../formats/document.formats.js';
import { JSON_LINES_FORMAT } from '../formats/json-lines.format.js';
import { BlobIoManager } from './blob.io-manager.js';

export const PLAIN_FORMATS = {
  json: JSON_FORMAT,
  jsonl: JSON_LINES_FORMAT,
  text: TEXT_FORMAT,
  bytes: BYTES_FORMAT,
} as const;

/** How a value is written. */
export type FileFormat = keyof typeof PLAIN_FORMATS;

/** What an asset may say for the `filesystem` manager. */
export interface FilesystemValueOptions {
  /**
   * `json` (one document; bigint, Date and bytes tagged), `jsonl` (one row a line), `text` (a string as UTF-8) or
   * `bytes`. Default: `bytes` for a Uint8Array, else `json`. Rows from an async iterable are always `jsonl`.
   */
  readonly format?: FileFormat;
  /** Default: none. */
  readonly compression?: 'gzip';
}

/** Keeps each value as a file of its own below `root`. Files are written under a temporary name, synced and renamed. */
export class FilesystemIoManager extends BlobIoManager {
  constructor({ root }: { readonly root: string }) {
    super({
      name: 'filesystem',
      store: new FileStore(root),
      formats: PLAIN_FORMATS,
      formatFor: plainFormatFor,
      rowFormat: 'jsonl',
    });
  }
}

/** The plain format of a value for which the asset names none. */
export function plainFormatFor(value: unknown): FileFormat {
  return types.isUint8Array(value) ? 'bytes' : 'json';
}
