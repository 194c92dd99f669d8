// What is kept of a large asset instead of reading each of its heads. What the bytes mean is known to planning alone
// (planning/summary-chunk.ts); the ledger keeps them, and notes which heads changed since they were written.

/** What the heads of some neighbouring partitions amount to. */
export interface KeptChunk {
  /** Which: chunks are numbered as their partitions follow each other. */
  readonly chunk: number;
  /** Of what kinds heads there are, as JSON. */
  readonly classes: readonly unknown[];
  /** Of what kind is which. */
  readonly runs: Uint8Array;
  /** Of their data versions; empty where they were not asked for. */
  readonly versionSums: Uint8Array;
  /** Of what they consumed; empty where they were not asked for. */
  readonly inputSums: Uint8Array;
}

/** The four columns in which there are four bytes for each head. */
export const LANE_NAMES = ['versions_0', 'versions_1', 'inputs_0', 'inputs_1'] as const;
export type LaneName = (typeof LANE_NAMES)[number];

/** A chunk with all that is kept of it. */
export interface WholeChunk extends KeptChunk {
  readonly lanes: Readonly<Record<LaneName, Uint8Array>>;
}

/** All that is read at once of an asset. */
export interface KeptSummary {
  /** Which partition has which place: what the writer said. Empty: nothing is kept yet. */
  readonly layout: string;
  /** Counts how often it was written: what is read later is of the same only where this is still so. */
  readonly version: number;
  /** Of how many heads it was noted that they changed; one may have been noted several times. */
  readonly changed: number;
  readonly chunks: readonly KeptChunk[];
}

/** Bytes of one column of one chunk. */
export interface LaneRange {
  readonly chunk: number;
  readonly from: number;
  readonly length: number;
}
