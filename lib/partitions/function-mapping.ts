// The resolved mapping of functions that users wrote: keys in, keys out.
// How such a mapping is written is in mapping-spec.ts.
import { FlowStoneError } from '../flowstone.errors.js';
import { canonicalKey } from './canonical-key.js';
import type { Cardinality, FunctionMapping, PartitionInfo } from './mapping-spec.js';
import type { PartitionKeyInput } from './partition-key.js';
import type { PartitionScheme } from './partition-scheme.js';
import type { PartitionSet } from './partition-set.type.js';
import { capMissing, type ResolvedMapping, type Visit } from './resolved-mapping.js';

/** A scheme and its partitions at one moment. */
export interface ResolvedScheme {
  readonly scheme: PartitionScheme | undefined;
  readonly set: PartitionSet;
}

/** The most downstream partitions an inverse is worked out for. */
const MOST_INVERTED = 1_000_000;

/** Asks the user's functions. */
export class AskedMapping implements ResolvedMapping {
  readonly cardinality: Cardinality;
  #inverse: ReadonlyMap<number, readonly number[]> | undefined;

  constructor(
    private readonly mapping: FunctionMapping,
    private readonly down: ResolvedScheme,
    private readonly up: ResolvedScheme,
    private readonly allowMissing: boolean,
  ) {
    this.cardinality = mapping.cardinality;
  }

  upstreamOf(down: number, visit: Visit): void {
    visitOrdinals(
      this.#upstreamKeys(down).map((key) => this.up.set.ordinalOf(key)),
      visit,
    );
  }

  downstreamOf(up: number, visit: Visit): void {
    const { downstream } = this.mapping;
    if (downstream) {
      const keys = askKeys(downstream, 'downstream', this.up, up, this.down);
      visitOrdinals(
        keys.map((key) => this.down.set.ordinalOf(key)),
        visit,
      );
      return;
    }
    this.#inverse ??= this.#invert();
    visitOrdinals(this.#inverse.get(up) ?? [], visit);
  }

  missingOf(down: number): readonly string[] {
    if (this.allowMissing) return [];
    return capMissing(this.#upstreamKeys(down).filter((key) => this.up.set.ordinalOf(key) < 0));
  }

  #upstreamKeys(down: number): readonly string[] {
    return askKeys(this.mapping.upstream, 'upstream', this.down, down, this.up);
  }

  #invert(): ReadonlyMap<number, readonly number[]> {
    const { size } = this.down.set;
    if (size > MOST_INVERTED) {
      throw new FlowStoneError(
        'FLOWSTONE_PARTITION_TOO_MANY',
        `a mapping without 'downstream' would have to be asked for ${size} partitions; write its 'downstream' function`,
        { context: { size } },
      );
    }
    const inverse = new Map<number, number[]>();
    for (let down = 0; down < size; down++) {
      this.upstreamOf(down, (from, to) => {
        for (let up = from; up < to; up++) {
          const found = inverse.get(up);
          if (found) found.push(down);
          else inverse.set(up, [down]);
        }
      });
    }
    return inverse;
  }
}

function askKeys(
  ask: FunctionMapping['upstream'],
  name: 'upstream' | 'downstream',
  of: ResolvedScheme,
  ordinal: number,
  into: ResolvedScheme,
): string[] {
  const key = of.set.keyAt(ordinal);
  try {
    const answer = ask(key, partitionInfo(of.set, key, ordinal));
    // A text is iterable too, by its characters; it means one key.
    const isMany = typeof answer === 'object' && Symbol.iterator in answer;
    const inputs: readonly PartitionKeyInput[] = isMany ? [...answer] : [answer];
    return [...new Set(inputs.map((input) => canonicalKey(into.scheme, input)))];
  } catch (cause) {
    // It stands for a function that another process has.
    if (cause instanceof FlowStoneError && cause.code === 'FLOWSTONE_ASSET_CODE_ELSEWHERE') throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new FlowStoneError(
      'FLOWSTONE_PARTITION_MAPPING_FAILED',
      `the '${name}' function of a mapping failed for partition '${key}': ${reason}; correct the function`,
      { context: { partition: key, direction: name }, cause },
    );
  }
}

/** Windows and dimensions are worked out only where the function looks at them. */
function partitionInfo(set: PartitionSet, key: string, ordinal: number): PartitionInfo {
  return {
    key,
    get window() {
      return set.windowAt(ordinal);
    },
    get dimensions() {
      return set.dimensionsAt(ordinal);
    },
  };
}

/** Visits ordinals (-1: none) in ascending runs, each once. */
export function visitOrdinals(ordinals: readonly number[], visit: Visit): void {
  const sorted = ordinals.filter((ordinal) => ordinal >= 0).sort((left, right) => left - right);
  let from = -1;
  let to = -1;
  for (const ordinal of sorted) {
    if (ordinal < to) continue;
    if (ordinal > to) {
      if (from >= 0) visit(from, to);
      from = ordinal;
    }
    to = ordinal + 1;
  }
  if (from >= 0) visit(from, to);
}
