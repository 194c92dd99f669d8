// What FlowStone asks of whatever stores and loads values. The registry and the managers stand beside it.
import type { JsonValue, ValueColumn } from '../ledger/records.js';
import type { ValueSql } from '../ledger/value-database.port.js';
import type { PartitionScheme } from '../partitions/partition-scheme.js';
import type { PartitionWindow } from '../partitions/partition-set.js';

/**
 * Which attempt a value belongs to. A manager makes the location a pure function of it, so that a location is
 * never reused and an orphan can be told from its name. Keys may hold any string, `/` and `..` included.
 */
export interface ValueAddress {
  readonly namespace: string;
  readonly asset: string;
  /** The canonical partition key; undefined for an unpartitioned asset (the empty string is a key). */
  readonly partition: string | undefined;
  readonly materialization: number;
  readonly epoch: number;
  /** What `@Asset` says for this manager. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** A partition, beside its key. */
export interface PartitionSlice {
  /** Of a partition of time. */
  readonly window?: PartitionWindow | undefined;
  /** The part of the key in each dimension of a scheme of several. */
  readonly dimensions?: Readonly<Record<string, string>> | undefined;
  /** How the asset is partitioned. */
  readonly scheme?: PartitionScheme | undefined;
}

/** Of an asset that is declared, what its manager may have to know. */
export interface AssetPlace {
  /** Undefined: it has no partitions. */
  readonly scheme: PartitionScheme | undefined;
}

/** A value about to be stored. When `signal` aborts, `store` asks for no more rows, rejects with its reason and leaves no value behind. */
export interface StoreContext extends ValueAddress {
  readonly signal: AbortSignal;
  /** What the partition is a slice of; nothing for an unpartitioned asset, or where only the key is known. */
  slice?(): PartitionSlice;
  /** Keys that the asset had before. */
  readonly formerly?: readonly string[];
  /**
   * Asks the ledger whether this attempt may still commit. Who replaces what others read, where the ledger cannot join,
   * asks while it holds the lock on that: an attempt that has lost its lease must not undo the work of its successor.
   */
  holds?(): Promise<boolean>;
}

/** Where a value went and what it is; recorded with the materialization. */
export interface StoredValue {
  /** What `load` needs to find it again. */
  readonly location: JsonValue;
  /** Bytes as stored. */
  readonly size: number;
  /** SHA-256 (hex) of the canonical value, see data-version.ts; null makes every materialization a new version. */
  readonly hash: string | null;
  /** Number of rows; null where the value is not rows. */
  readonly rows: number | null;
  /** How it is encoded, for people: `json`, `parquet`. */
  readonly format?: string;
  /** The columns of rows, where they are known; the first 200 are recorded. */
  readonly schema?: readonly ValueColumn[];
  /**
   * Of a small document in the ledger's own database: itself as JSON. It is written with its record and those of others, in
   * `value_documents` as part 0 of its attempt.
   */
  readonly document?: string;
}

/** A value that is written only with its record, in one transaction of the ledger's own database: both, or neither. */
export interface UnwrittenValue {
  /**
   * Writes the value, in the transaction that commits its record, and tells what it is. May be called again, where that is
   * repeated. Throws a FlowStoneError for what is wrong with the value or its storage; the reason of the signal that `store`
   * was given, an outage, and what is to be repeated, as it is.
   */
  write(sql: ValueSql): Promise<StoredValue>;
  /** Called once, when the attempt is over, whatever became of it. Never throws. */
  release(): Promise<void>;
}

/** `kept`: each stored value stays until deleted. `head`: storing replaces the partition's previous value. */
export type VersionsOf = 'kept' | 'head';

/** An attempt of which something is stored. */
export interface StoredAttempt extends Pick<ValueAddress, 'materialization' | 'epoch'> {
  /** Where that is, for a manager that cannot tell it from an address; `discard` is given it again. */
  readonly where?: JsonValue;
}

/** A stored value to load, look at or delete. */
export interface LoadContext {
  readonly namespace: string;
  readonly asset: string;
  readonly partition: string | undefined;
  readonly location: JsonValue;
  readonly options: Readonly<Record<string, unknown>>;
  /** Only these columns of rows are wanted; a manager that cannot read less narrows what it read. */
  readonly columns?: readonly string[];
  /**
   * Called before `FLOWSTONE_IO_VALUE_MOVED` is thrown, also amid rows: a value that is kept only while it is the newest
   * has been replaced. Whoever reads may have code between that catches the error.
   */
  readonly moved?: () => void;
}

/** How much of a value is wanted at most. */
export interface MostOfValue {
  /** Of rows. */
  readonly rows: number;
  /** About so many, of what is no rows. */
  readonly bytes: number;
}

/** What comes first in a value: rows as an array, a text or bytes cut off, of a document what is whole. */
export interface ValueBeginning {
  readonly value: unknown;
  /** Whether that is all of it. */
  readonly complete: boolean;
}

/**
 * Stores and loads values. A location that holds nothing is `FLOWSTONE_IO_VALUE_NOT_FOUND`, anything else that
 * goes wrong `FLOWSTONE_IO_FAILED` or another error; an error thrown by the rows being stored passes unchanged.
 * `runIoConformance` of nestjs-flowstone/testing checks an implementation.
 */
export interface IoManager {
  /** Of all values; or by what an asset says, and by where a value lies. */
  readonly versions:
    | VersionsOf
    | {
        ofOptions(options: Readonly<Record<string, unknown>>): VersionsOf;
        ofLocation(location: JsonValue): VersionsOf;
      };

  /** Stores any supported value, or rows from an async iterable as they come. Durable once it resolves, unless it is still to be written. */
  store(context: StoreContext, value: unknown): Promise<StoredValue | UnwrittenValue>;

  /** The value as it was stored; what was stored from an async iterable comes back as `Rows`. */
  load(context: LoadContext): Promise<unknown>;

  /** Deleting what is not there succeeds. */
  delete(context: LoadContext): Promise<void>;

  /** Whether `load` would find something, for tools that want to know without loading it: FlowStone itself loads. */
  exists?(context: LoadContext): Promise<boolean>;

  /** Why a recorded value is known to be gone for good, undefined while it may be there. Costs nothing: no I/O. */
  lost?(location: JsonValue): string | undefined;

  /**
   * Every attempt of a namespace of which something is stored, finished or not: what retention looks for orphans in. An
   * attempt that left several things may be listed several times. With `discard`, or neither. May tidy up on its way what belongs to no attempt, such as an empty folder.
   */
  list?(namespace: string): AsyncIterable<StoredAttempt>;

  /**
   * Removes what `list` found of an attempt, if it is from before `before`, and says whether there was anything. Only
   * asked of attempts that can never commit any more and whose value no record points at.
   */
  discard?(orphan: Omit<ValueAddress, 'options'> & StoredAttempt, before: Date): Promise<boolean>;

  /**
   * The beginning of a value, for people to look at, without reading all of it. Without this the value is loaded, and of
   * `Rows` only the first are read. Throws as `load` does.
   */
  begin?(context: LoadContext, most: MostOfValue): Promise<ValueBeginning>;

  /**
   * What is wrong with an asset's options for this manager, one sentence each; asked at boot. `asset` is left out where it
   * is wrongly declared itself.
   */
  optionProblems?(options: Readonly<Record<string, unknown>>, asset?: AssetPlace): string[];

  /**
   * An asset's options as plain data, with what classes among them say: two processes have the same definition of the
   * asset where these are equal. Without this a class or function counts by the place where it stands, whatever it is.
   */
  plainOptions?(options: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>>;

  /** What of the storage an asset with these options has for itself, such as a table: boot refuses two that have the same. */
  occupies?(options: Readonly<Record<string, unknown>>): string | undefined;

  /** Called once before the first value. */
  open?(): Promise<void>;

  /** Called once after the last value. */
  close?(): Promise<void>;
}
