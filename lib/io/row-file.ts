// The file that loaded rows come from, for who reads it by other means than ours (lib/duckdb).
import type { JsonValue } from '../ledger/records.js';
import type { ByteSource } from './formats/format.port.js';
import type { ValuePlace } from './io-failures.js';

/** A stored value of rows, as the manager that loaded it knows it. */
interface RowFileParts {
  readonly place: ValuePlace;
  /** By the name that the option `format` of an asset takes. */
  readonly format: string;
  readonly source: ByteSource;
  /** As the format told when it wrote the value. */
  readonly detail: JsonValue | undefined;
  /** Only these columns are wanted; undefined: all. */
  readonly columns: readonly string[] | undefined;
  /** Where the bytes are a file of this machine. Only `source` checks what is in it. */
  readonly localPath: string | undefined;
}

/** What `originOf` says of rows in a blob. */
export class RowFile {
  constructor(readonly parts: RowFileParts) {}
}
