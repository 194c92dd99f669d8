// The port of the ledger for lineage: which versions came of which, what differs between runs, how long assets take.
// Provenance is what successes consumed; edges that only order, or of what did not succeed, are none.
import type { EventRecord, MaterializationStatus } from './records.js';

/** How far provenance is followed, and which way. */
export interface Walk {
  readonly direction: 'upstream' | 'downstream';
  /** Steps at most, from 1. */
  readonly depth: number;
  /** Versions at most, the first included. */
  readonly most: number;
  /** Downstream: only consumers that were completed by then. */
  readonly at: Date | null;
}

/** A version that was met, `depth` steps away at the nearest. */
export interface TracedVersion {
  readonly materialization: number;
  readonly depth: number;
  readonly asset: string;
  /** `''` for an unpartitioned asset. */
  readonly partition: string;
  readonly dataVersion: string;
  readonly codeVersion: string | null;
  /** Content hash of its value, where its I/O manager gave one. */
  readonly hash: string | null;
  readonly completedAt: Date;
  /** Null for a version reported of an external asset. */
  readonly run: number | null;
}

/** A consumed version whose record retention removed: provenance ends there. */
export interface TracedRemoval extends Pick<TracedVersion, 'materialization' | 'depth'> {
  readonly removed: 'by retention';
}

/** That a version was consumed by another. */
export interface TracedEdge {
  readonly upstream: number;
  readonly downstream: number;
}

/** What a walk met: each version once, the nearest first, and the edges that were followed. */
export interface Trace {
  readonly versions: readonly (TracedVersion | TracedRemoval)[];
  /** Between versions that were met, at most EDGES_PER_VERSION for each that may be met. */
  readonly edges: readonly TracedEdge[];
  /** There is more within the depth than was allowed. */
  readonly truncated: boolean;
}

/** A head that consumed a version. */
export interface HeadConsumer {
  /** The version consumed. */
  readonly consumed: number;
  readonly materialization: number;
  readonly asset: string;
  readonly partition: string;
}

/** One materialization, as it is compared. */
export interface ComparedMaterialization {
  readonly id: number;
  readonly status: MaterializationStatus;
  readonly dataVersion: string | null;
  readonly codeVersion: string | null;
  /** Fingerprint of what it consumed; null: it did not succeed. */
  readonly inputs: string | null;
  /** ms from the beginning of execute() until it was committed; null: it did not run, or has not ended. */
  readonly duration: number | null;
}

/** What two runs did with one (asset, partition). Null: that run had nothing of it. */
export interface RunDifference {
  readonly asset: string;
  readonly partition: string;
  readonly a: ComparedMaterialization | null;
  readonly b: ComparedMaterialization | null;
}

/** Two runs side by side. */
export interface RunComparison {
  readonly same: number;
  readonly differing: number;
  readonly onlyA: number;
  readonly onlyB: number;
  /** The first of them, in the order of run A, then what only B has in the order of B. */
  readonly differences: readonly RunDifference[];
}

/** Durations differ where one is at least so many times the other, */
export const DURATION_FACTOR = 2;
/** and the two are at least so far apart, ms. */
export const DURATION_APART = 1000;

/** Edges that a walk returns at most, for each version that it may meet. */
export const EDGES_PER_VERSION = 10;

export interface LineageLedger {
  /** The version that was the head of a partition at a moment: the newest success that was completed by then. */
  versionAt(asset: string, partition: string, at: Date): Promise<number | undefined>;
  /** Recorded provenance of a version, which is a success. */
  trace(from: number, walk: Walk): Promise<Trace>;
  /** Heads that consumed one of these versions, by version and then by consumer. */
  headConsumers(materializations: readonly number[]): Promise<readonly HeadConsumer[]>;
  /**
   * How long these assets took, ms: of each `most` successes at most, its heads first, those of the last partitions (by
   * key) before others, then former versions of those whose values are kept. Versions reported are none. Assets without
   * any are absent.
   */
  durations(assets: readonly string[], most: number): Promise<ReadonlyMap<string, readonly number[]>>;
  /** What differs between two runs: status, versions, inputs, and how long it took (DURATION_FACTOR, DURATION_APART). */
  compareRuns(a: number, b: number, most: number): Promise<RunComparison>;
  /**
   * What happened to a materialization, and to its partition as such (invalidated, deleted, reported) since it was made;
   * oldest first, so many at most.
   */
  eventsOf(materialization: number, most: number): Promise<readonly EventRecord[]>;
}
