// What managers ask of a format: a value as bytes, and back. Where the bytes go stands in ../blobs.
import type { JsonValue, ValueColumn } from '../../ledger/records.js';
import type { ByteSink } from '../blobs/blob-store.port.js';
import type { DataVersion } from '../data-version.js';
import type { ValueBeginning } from '../io-manager.port.js';
import type { RowRange } from '../rows.js';

/** What an asset says for its manager and format. */
export type ValueOptions = Readonly<Record<string, unknown>>;

/** What a format tells of a value that it wrote. */
export interface Written extends DataVersion {
  /** What `readRows` needs beside the bytes. */
  readonly detail?: JsonValue;
  /** The columns of rows. */
  readonly schema?: readonly ValueColumn[];
}

/** The bytes of a stored value. */
export interface ByteSource {
  readonly size: number;
  /**
   * All bytes from the start, in pieces, opened anew each time. Read to the end, they were found to be the bytes that were
   * written, else `FLOWSTONE_IO_VALUE_CORRUPT` is thrown.
   */
  pieces(): AsyncIterable<Buffer>;
  /** Calls `use` with a way to read some bytes, which is closed after it. */
  randomly<T>(use: (read: (start: number, end: number) => Promise<Buffer>) => Promise<T>): Promise<T>;
}

/** What is wanted of rows. */
export interface WantedRows {
  /** Only these columns; undefined: all. */
  readonly columns: readonly string[] | undefined;
  readonly range: RowRange;
  /** As `write` told. */
  readonly detail: JsonValue | undefined;
}

interface AnyFormat {
  /** Of blobs, without a dot. */
  readonly extension: string;
  /** Whether it is written and read from start to end only, so that it may be compressed as a whole. */
  readonly sequential: boolean;

  /** npm packages it needs, optional peer dependencies of ours. */
  readonly packages?: readonly string[];

  /**
   * What is wrong with the options of an asset that are this format's own, by name, undefined being one that is left out;
   * other options are the manager's.
   */
  readonly options: Readonly<Record<string, (value: unknown) => string | undefined>>;

  /**
   * Writes a value. Throws `FLOWSTONE_IO_VALUE_UNSUPPORTED` for one that it cannot hold, and the reason of `signal` once
   * that is aborted while rows come.
   */
  write(value: unknown, sink: ByteSink, options: ValueOptions, signal: AbortSignal): Promise<Written>;

  /** Frees what is kept from value to value; called when a manager is closed, and others may go on. */
  release?(): Promise<void>;
}

/** Holds values in one piece. A SyntaxError of reading says that the bytes are not what was written. */
export interface DocumentFormat extends AnyFormat {
  read(source: ByteSource): Promise<unknown>;
  /** What of the value is in the first `bytes` bytes. */
  readBeginning(source: ByteSource, bytes: number): Promise<ValueBeginning>;
}

/** Holds rows, from an array of plain objects or an async iterable. A SyntaxError of reading means the same. */
export interface RowFormat extends AnyFormat {
  /** What is wanted of the rows, in their order, in batches. */
  readRows(source: ByteSource, wanted: WantedRows): AsyncIterable<readonly Readonly<Record<string, unknown>>[]>;
}

export type Format = DocumentFormat | RowFormat;
