// What managers ask of a place for bytes: files below a folder, objects in a bucket. Paths stand in blob-path.ts, what is
// in the bytes in ../formats; a manager puts the two together.
import type { ValuePlace } from '../io-failures.js';

/**
 * Keeps bytes under paths: steps of safe characters with `/` between them, the namespace first (blob-path.ts). A path out of the ledger is checked, not believed.
 * What cannot be done is `FLOWSTONE_IO_FAILED`, in words about the value that `place` names.
 */
export interface BlobStore {
  /**
   * A blob that is at `path`, whole and durable, once it is committed, and until then nowhere to be seen. When `signal`
   * aborts before, writing and committing reject with its reason.
   */
  create(place: ValuePlace, path: string, signal: AbortSignal): Promise<PendingBlob>;

  /**
   * The blob at `path`, which has `size` bytes. It, or the first read, throws `FLOWSTONE_IO_VALUE_NOT_FOUND` where nothing
   * is, and `FLOWSTONE_IO_VALUE_CORRUPT` where it has another size.
   */
  open(place: ValuePlace, path: string, size: number): Promise<OpenBlob>;

  /** Throws what `open` and reading would, without reading. */
  require(place: ValuePlace, path: string, size: number): Promise<void>;

  /** The file that the blob at `path` is, where blobs are files of this machine. Whether it is there, `open` finds out. */
  fileOf?(place: ValuePlace, path: string): string;

  exists(place: ValuePlace, path: string): Promise<boolean>;

  /** Deleting what is not there succeeds. */
  delete(place: ValuePlace, path: string): Promise<void>;

  /** Paths of all blobs of a namespace, and of pending ones: the last step of each begins as that of its blob does. */
  paths(namespace: string): AsyncIterable<string>;

  /** Removes what is at a path, pending or not, if it is from before `before`; says whether there was anything. */
  discard(place: ValuePlace, path: string, before: Date): Promise<boolean>;

  /** Called once before the first blob. */
  start?(): Promise<void>;

  /** Called once after the last blob. */
  stop?(): Promise<void>;
}

/** Bytes on their way to a blob. Writes must not overlap; the bytes may be used for others once they are written. */
export interface ByteSink {
  write(bytes: Uint8Array): Promise<void>;
}

/** A blob being written. Either `commit` or `discard` ends it. */
export interface PendingBlob extends ByteSink {
  /** Bytes written. */
  readonly size: number;
  /** CRC-32 of the bytes written. */
  readonly checksum: number;
  /** Once this resolves, the blob outlives a crash. */
  commit(): Promise<void>;
  /** Removes what was written. Never throws: it follows an error that matters more. */
  discard(): Promise<void>;
}

/** A blob being read. */
export interface OpenBlob {
  /** The bytes from `start` up to `end`, fewer where the blob ends before. */
  read(start: number, end: number): Promise<Buffer>;
  /** All bytes from the start, in pieces. */
  pieces(): AsyncIterable<Buffer>;
  close(): Promise<void>;
}
