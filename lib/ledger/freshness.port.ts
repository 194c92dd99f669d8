// The part of the ledger's port by which it is kept what is overdue, so that each is told once.

/** A partition that should have been computed by now. */
export interface OverduePartition {
  readonly asset: string;
  readonly partition: string;
  /** By when. */
  readonly due: Date;
}

export interface FreshnessLedger {
  /** When each of these assets was registered first, of those that were. */
  registered(assets: readonly string[]): Promise<ReadonlyMap<string, Date>>;
  /** What is known to be overdue, that first which was due first. */
  overdue(): Promise<readonly OverduePartition[]>;
  /**
   * Some are overdue, some are not any more: `asset.overdue` and `asset.on_time` for each of which that is news. Any number
   * of processes may tell the same.
   */
  tell(overdue: readonly OverduePartition[], onTime: readonly Omit<OverduePartition, 'due'>[]): Promise<void>;
}
