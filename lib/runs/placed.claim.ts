// Claims on their way to being examined: of which partition each is, and what it wants.
import type { Claim } from '../ledger/work.js';
import type { AssetView, DependencyView } from './asset.view.js';

/** A claim and which partition of its asset it is of; -1: of none that exists. */
export interface PlacedClaim {
  readonly claim: Claim;
  readonly view: AssetView;
  readonly ordinal: number;
}

export interface Wanting extends PlacedClaim {
  readonly wants: readonly Want[];
}

/** A dependency of a claim with the upstream partitions that its mapping names now. */
export interface Want {
  readonly of: DependencyView;
  /** Without those that only have to be there and are known to be. */
  readonly partitions: readonly string[];
  /** Partitions that the mapping names and that do not exist. */
  readonly absent: readonly string[];
}
