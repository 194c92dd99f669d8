// What processes tell the ledger of themselves and of what they declare, and what it answers.
import type { Dimensions } from '../partitions/partition-dimensions.js';
import type { JsonObject } from './records.js';

/** A process of the application that uses the ledger, for as long as its lease is renewed. */
export interface ProcessRegistration {
  /** Unique per start (boot id). */
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  /** Whether it executes materializations. */
  readonly worker: boolean;
  /** Milliseconds without a renewal after which its work is given to others. */
  readonly lease: number;
  /** Of a worker: whether attempts are told to the outside from now on (AttemptNotice); the one that entered last decides. */
  readonly tellsAttempts?: boolean;
}

/** What a renewal of a lease brings back. */
export interface Renewal {
  /** False: the lease was given up, its work may be running elsewhere; abort all and register anew. */
  readonly alive: boolean;
  /** The attempts that the ledger says this process holds. */
  readonly held: readonly { readonly id: number; readonly epoch: number }[];
  /** Those of them whose run was cancelled. */
  readonly cancelled: readonly { readonly id: number; readonly epoch: number }[];
  /** Other processes listen to what is recorded (EventNews). */
  readonly listened: boolean;
}

/** What was taken from processes that left or were lost. */
export interface TakenBack {
  /** How many materializations. */
  readonly count: number;
  /** Runs that ended with it. */
  readonly endedRuns: readonly number[];
  /** Pools in which there is something to do now, or to plan. */
  readonly rings: readonly string[];
  /** Those that failed, since workers were lost with them too often. */
  readonly failed: readonly LostMaterialization[];
}

export const NOTHING_TAKEN: TakenBack = { count: 0, endedRuns: [], rings: [], failed: [] };

/** A materialization that is given up with FLOWSTONE_WORKER_LOST. */
export interface LostMaterialization {
  readonly run: number;
  readonly asset: string;
  /** Undefined: of an asset without partitions. */
  readonly partition: string | undefined;
  /** That was lost; 1 for the first, which losing workers does not change. */
  readonly attempt: number;
  /** Of the error. */
  readonly message: string;
}

/** An asset as one process declares it. */
export interface AssetRegistration {
  readonly key: string;
  readonly formerly: readonly string[];
  /** Hash of all that is declared. */
  readonly hash: string;
  readonly partitioned: boolean;
  /** Upstream asset keys, sorted and joined by commas (planning: declaredUpstreams). */
  readonly upstreams: string;
  /** The pool it runs in. */
  readonly pool: string;
  /** The dimensions of its partition keys; absent: none. */
  readonly dimensions?: Dimensions;
  /** The declaration as data, for processes that do not have the class. */
  readonly definition: JsonObject;
}

/** What bounds how much of something runs, over all processes; null: nothing does. */
export interface PoolBounds {
  /** Materializations that run at once. */
  readonly concurrency: number | null;
  /** How many may be claimed in each `period` (ms), by a bucket of `count` tokens. */
  readonly rate: { readonly count: number; readonly period: number } | null;
}

/** What bounds a pool, and each key of it besides. */
export interface PoolRegistration extends PoolBounds {
  readonly name: string;
  /**
   * The key of a materialization is what its partition has in `dimension` when it is planned; one that has none is not
   * bounded by this. Other numbers hold at once, another dimension for what is planned from then on. Absent: no bounds.
   */
  readonly perKey?: PoolBounds & { readonly dimension: string };
}

/** The definition of an asset that counts now (semantics, Planning and running 15). */
export interface CurrentDefinition {
  readonly key: string;
  readonly hash: string;
  readonly definition: JsonObject;
  /** Whether a live process with workers declares it. */
  readonly live: boolean;
}
