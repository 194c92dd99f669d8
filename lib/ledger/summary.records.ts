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

/** Bytes of one column of one chunk of a summary, as long as that is of this version. */
export interface LaneRange {
  readonly asset: string;
  readonly version: number;
  readonly chunk: number;
  readonly lane: LaneName;
  readonly from: number;
  readonly length: number;
}

/** Which columns of sums are asked for; see KeptChunk. */
export interface SummaryQuery {
  readonly asset: string;
  readonly versions: boolean;
  readonly inputs: boolean;
}

/** Heads that changed, and the notes that say so. */
export interface HeadChanges<Head> {
  readonly notes: readonly number[];
  readonly heads: readonly Head[];
}

/** Summaries of large assets, with heads as whoever reads them sees them. */
export interface SummaryStore<Head> {
  /**
   * From now on changes of the heads of an asset are noted, for good. Whether all of them are: false while a transaction
   * that began before may still change some without a note.
   */
  watch(asset: string): Promise<boolean>;
  /** Assets that are watched. */
  watched(): Promise<readonly string[]>;
  /** Watches an asset no longer, and keeps nothing of it. */
  forget(asset: string): Promise<void>;
  /** What is kept of assets, of one moment; undefined for those that are not watched. */
  kept(queries: readonly SummaryQuery[]): Promise<readonly (KeptSummary | undefined)[]>;
  /** Parts of columns, each of its own; undefined where one of the summaries is no longer of its version. */
  lanes(ranges: readonly LaneRange[]): Promise<readonly Uint8Array[] | undefined>;
  /**
   * At most so many notes after one (0: from the first on), by number, and their heads as they are now; undefined where it
   * is no longer of this version. One that is committed later may have a smaller number.
   */
  changes(asset: string, version: number, after: number, limit: number): Promise<HeadChanges<Head> | undefined>;
  /**
   * Writes chunks, which may be gone through again, and forgets the notes that are in them; with `anew` all other chunks go.
   * False, and nothing is written, where the summary is no longer of this version.
   */
  keep(
    asset: string,
    written: {
      readonly version: number;
      readonly layout: string;
      readonly anew: boolean;
      readonly chunks: Iterable<WholeChunk>;
      readonly notes: readonly number[];
    },
  ): Promise<boolean>;
}
