// What managers ask of a place for bytes: files below a folder, objects in a bucket. Paths stand in blob-path.ts, what is
// in the bytes in ../formats; a manager puts the two together.
import type { ValuePlace } from '../io-failures.js';

/**
 * Keeps bytes under paths `<namespace>/<asset>/<partition>/<name>`. A path out of the ledger is checked, not believed.
 * What cannot be done is `FLOWSTONE_IO_FAILED`, in words about the value that `place` names.
 */
export interface BlobStore {
  /** A blob that is at `path`, whole and durable, once it is committed, and until then nowhere to be seen. */
  create(place: ValuePlace, path: string): Promise<PendingBlob>;

  /** The blob at `path`. Throws `FLOWSTONE_IO_VALUE_NOT_FOUND`. */
  open(place: ValuePlace, path: string): Promise<OpenBlob>;

  exists(place: ValuePlace, path: string): Promise<boolean>;

  /** Deleting what is not there succeeds. */
  delete(place: ValuePlace, path: string): Promise<void>;

  /** Names (the last step of their paths) of all blobs of a namespace, pending ones included. */
  names(namespace: string): AsyncIterable<string>;

  /** Removes those blobs in a folder whose names `which` accepts and that are from before `before`; says whether any was. */
  discard(place: ValuePlace, folder: string, which: (name: string) => boolean, before: Date): Promise<boolean>;

  /** Called once before the first blob. */
  start?(): Promise<void>;

  /** Called once after the last blob. */
  stop?(): Promise<void>;
}

/** Bytes on their way to a blob. Writes must not overlap. */
export interface ByteSink {
  write(bytes: Uint8Array): Promise<void>;
}

/** A blob being written. Either `commit` or `discard` ends it. */
export interface PendingBlob extends ByteSink {
  /** Bytes written. */
  readonly size: number;
  /** CRC-32 of the bytes written. */
  readonly checksum: number;
  /** Once this resolves, the blob outlives a crash. Rejects with the reason of `signal` when that aborts before. */
  commit(signal: AbortSignal): Promise<void>;
  /** Removes what was written. Never throws: it follows an error that matters more. */
  discard(): Promise<void>;
}

/** A blob being read. */
export interface OpenBlob {
  readonly size: number;
  /** The bytes from `start` up to `end`, fewer where the blob ends before. */
  read(start: number, end: number): Promise<Buffer>;
  /** All bytes from the start, in pieces. */
  pieces(): AsyncIterable<Buffer>;
  close(): Promise<void>;
}
