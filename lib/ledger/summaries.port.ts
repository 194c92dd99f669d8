// What a ledger keeps so that the status of a large asset need not read every head: a summary that planning makes, and
// notes of the heads that changed since, written in the transactions that change them.
import type { HeadRecord } from './records.js';
import type { KeptSummary, LaneName, LaneRange, WholeChunk } from './summary.records.js';

/** Which columns of sums are asked for; see KeptChunk. */
export interface SummaryQuery {
  readonly asset: string;
  readonly versions: boolean;
  readonly inputs: boolean;
}

/** Heads that changed, and the notes that say so. */
export interface HeadChanges {
  readonly notes: readonly number[];
  readonly heads: readonly HeadRecord[];
}

export interface SummaryLedger {
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
  /** Parts of columns, by range, then by column; undefined where the summary is no longer of this version. */
  lanes(
    asset: string,
    version: number,
    names: readonly LaneName[],
    ranges: readonly LaneRange[],
  ): Promise<readonly (readonly Uint8Array[])[] | undefined>;
  /**
   * At most so many notes after one (0: from the first on), by number, and their heads as they are now; undefined where it
   * is no longer of this version. One that is committed later may have a smaller number.
   */
  changes(asset: string, version: number, after: number, limit: number): Promise<HeadChanges | undefined>;
  /**
   * Writes chunks, which may be gone through again, and forgets the notes that are in them; with `anew` all other chunks go. False, and nothing is written,
   * where the summary is no longer of this version.
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
