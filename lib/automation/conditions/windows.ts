// Of assets of which very many partitions are in question, so many are looked at in one pass; the next ones in the next, until
// all have been. A look begins anew where another tick has come meanwhile: what it makes due are all of them.
import { OrdinalRanges } from '../../planning/ordinal-ranges.js';

/** Partitions of an asset that are looked at in one pass. */
const MOST_LOOKED_AT = 20_000;

interface Window {
  /** The first ordinal of the pass under way. */
  readonly from: number;
  /** The first ordinal of the next pass; 0: all have been looked at. */
  next: number;
  /** The tick that was the newest as the look began. */
  readonly tick: number | undefined;
}

export class Windows {
  readonly #windows = new Map<string, Window>();

  constructor(private readonly most = MOST_LOOKED_AT) {}

  /** Those of the partitions in question that are looked at in this pass. */
  take(asset: string, inQuestion: OrdinalRanges, tick: number | undefined): OrdinalRanges {
    const known = this.#windows.get(asset);
    const from = known?.tick === tick ? (known?.next ?? 0) : 0;
    const { starts, ends } = inQuestion;
    const pairs: number[] = [];
    let left = this.most;
    let next = 0;
    for (let range = 0; range < starts.length; range++) {
      const start = Math.max(starts[range]!, from);
      const end = Math.min(ends[range]!, start + left);
      if (end > start) {
        pairs.push(start, end);
        left -= end - start;
      }
      if (end < ends[range]! && end >= start) {
        next = end;
        break;
      }
    }
    this.#windows.set(asset, { from, next, tick });
    return OrdinalRanges.of(pairs);
  }

  /** The pass is to be made again: not all was requested in it that may be. */
  again(asset: string): void {
    const known = this.#windows.get(asset);
    if (known) known.next = known.from;
  }

  /** Whether there are partitions that were not looked at yet. */
  hasMore(asset: string): boolean {
    return (this.#windows.get(asset)?.next ?? 0) > 0;
  }

  /** Whether there are any of any asset. */
  get areOpen(): boolean {
    return [...this.#windows.values()].some(({ next }) => next > 0);
  }
}
