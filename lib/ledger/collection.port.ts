// The part of the ledger's port by which retention works: what may be removed, and that it was.
// Every operation is bounded by its limit and guards itself, so that two collectors at once do no harm.
import type { ValueRecord, VersionPolicy } from './records.js';

/** The policy of each asset. */
export interface VersionPolicies {
  readonly byAsset: ReadonlyMap<string, VersionPolicy>;
  /** Of assets that say nothing themselves. */
  readonly otherwise: VersionPolicy;
}

/** One process's turn to collect. */
export interface CollectionTurn {
  /** The ledger's time at which it began: what happened later is not judged by age. */
  readonly startedAt: Date;
  /** Whether it is time to look for values that no record will ever point at. */
  readonly orphansDue: boolean;
}

/** An attempt, which is what a stored value is named after. */
export interface AttemptName {
  readonly materialization: number;
  readonly epoch: number;
}

/** Whose value it is. */
export interface ValueOwner {
  readonly asset: string;
  /** Undefined for an unpartitioned asset. */
  readonly partition: string | undefined;
}

/** A value to be deleted. */
export interface CondemnedValue extends ValueOwner {
  readonly materialization: number;
  /** Null: it stored none. */
  readonly value: ValueRecord | null;
}

/** How far a removal of some runs has come. */
export interface RunProgressMark {
  /** Its materializations are being removed; those of the runs before it were. */
  readonly run: number;
  readonly after: number;
}

/** What one step removed, and where the next begins; null: nothing is left. */
export interface RemovalStep<Next> {
  readonly removed: number;
  readonly next: Next | null;
}

export interface CollectionLedger {
  // -- turns ------------------------------------------------------------------------------------------------------
  /** Takes the turn for `lease` ms if one is due, or with `now` if nobody has it. */
  takeTurn(
    process: string,
    options: { readonly lease: number; readonly now: boolean },
  ): Promise<CollectionTurn | undefined>;
  /** False: another process has the turn. */
  keepTurn(process: string, lease: number): Promise<boolean>;
  /** The next turn is due in `every` ms; orphans in so many, if they were looked for. */
  endTurn(process: string, next: { readonly every: number; readonly orphans: number | null }): Promise<void>;

  // -- values of superseded versions ------------------------------------------------------------------------------
  /**
   * Judges superseded versions that are due by their policy, and condemns those that are not kept: together with the
   * attempts that run now, which may have pinned them. Returns how many were judged; 0: no more are due.
   */
  condemn(policies: VersionPolicies, limit: number): Promise<number>;
  /** Collections of which no attempt runs any more: no attempt can read their values, or ever commit to have read them. */
  freeCollections(): Promise<readonly number[]>;
  /** Condemned values of a collection by ascending materialization. */
  condemned(collection: number, after: number, limit: number): Promise<readonly CondemnedValue[]>;
  /** Records that their values were deleted. */
  markGone(materializations: readonly number[]): Promise<void>;
  /** Forgets a collection of which nothing is left. */
  closeCollection(collection: number): Promise<void>;

  // -- records ----------------------------------------------------------------------------------------------------
  /** Runs that ended before `before`, but those of which a retry is open; by ascending id. */
  expiredRuns(
    before: Date,
    after: number,
    limit: number,
  ): Promise<{ readonly runs: readonly number[]; readonly next: number | null }>;
  /** Removes materializations of expired runs; what is referenced or keeps its value stays (see docs/retention.md). */
  removeMaterializations(
    runs: readonly number[],
    from: RunProgressMark | null,
    limit: number,
  ): Promise<RemovalStep<RunProgressMark>>;
  /** Removes events of expired runs, about `limit` at a time; returns how many, fewer than that at the end. */
  removeRunEvents(runs: readonly number[], limit: number): Promise<number>;
  /** Removes the rows of ended runs. Their run keys stay, and what became of them. */
  removeRuns(runs: readonly number[]): Promise<number>;
  /**
   * Judges records that outlived their run (or never had one, and were superseded before `before`): removes those whose
   * value is gone and which no head consumed.
   */
  removeRecords(before: Date, limit: number): Promise<{ readonly judged: number; readonly removed: number }>;
  /**
   * Removes what is counted for keys of pools (and for keys of a former dimension) of which no run is left, looking at
   * those after an id: nothing of them runs, and their rate is full, so that a key that comes back begins as it was.
   * What is being planned for at the moment stays.
   */
  removeKeys(after: number, limit: number): Promise<RemovalStep<number>>;
  /** Removes events older than `before`, looking at those after an id. */
  removeEvents(before: Date, after: number, limit: number): Promise<RemovalStep<number>>;

  // -- orphans ----------------------------------------------------------------------------------------------------
  /** Those that can never commit any more and whose value no record points at. Who is not known here is not among them. */
  unreachable(attempts: readonly AttemptName[]): Promise<readonly (AttemptName & ValueOwner)[]>;
}
