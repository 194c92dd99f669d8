// The resolved mapping between sets with dimensions: each upstream dimension follows from one of the downstream, or from none.
// What happens within one dimension is in resolved-mapping.ts.
import type { Cardinality } from './mapping-spec.js';
import { ordinalIn, type ProductDimension } from './product-set.js';
import type { ResolvedMapping, Visit } from './resolved-mapping.js';

/** One upstream dimension: its mapping from the downstream dimension of this index, or from none. */
export interface Part {
  readonly mapping: ResolvedMapping;
  readonly from: number | undefined;
}

type Runs = (readonly [from: number, to: number])[];

/** Combines one mapping per upstream dimension. */
export class ProductMapping implements ResolvedMapping {
  /** `parts` are in the order of `up`. */
  constructor(
    readonly cardinality: Cardinality,
    private readonly down: readonly ProductDimension[],
    private readonly up: readonly ProductDimension[],
    private readonly parts: readonly Part[],
  ) {}

  upstreamOf(down: number, visit: Visit): void {
    const runs = this.parts.map(({ mapping, from }) => {
      const found: Runs = [];
      mapping.upstreamOf(this.#downIn(from, down), (first, end) => found.push([first, end]));
      return found;
    });
    visitProduct(this.up, runs, visit);
  }

  downstreamOf(up: number, visit: Visit): void {
    const runs: Runs[] = this.down.map(({ set }) => (set.size > 0 ? [[0, set.size]] : []));
    for (const [index, { mapping, from }] of this.parts.entries()) {
      const found: Runs = [];
      mapping.downstreamOf(ordinalIn(this.up[index]!, up), (first, end) => found.push([first, end]));
      if (from !== undefined) runs[from] = intersect(runs[from]!, found);
      else if (found.length === 0) return;
    }
    visitProduct(this.down, runs, visit);
  }

  missingOf(down: number): readonly string[] {
    return this.parts.flatMap(({ mapping, from }, index) => {
      const { name } = this.up[index]!;
      const missing = mapping.missingOf(this.#downIn(from, down));
      return name === '' ? missing : missing.map((key) => `${name}: ${key}`);
    });
  }

  #downIn(from: number | undefined, down: number): number {
    return from === undefined ? 0 : ordinalIn(this.down[from]!, down);
  }
}

function intersect(left: Runs, right: Runs): Runs {
  const both: Runs = [];
  for (const [from, to] of left) {
    for (const [otherFrom, otherTo] of right) {
      const start = Math.max(from, otherFrom);
      const end = Math.min(to, otherTo);
      if (start < end) both.push([start, end]);
    }
  }
  return both;
}

/** Visits the combinations of runs, in runs as long as the order of dimensions allows. */
function visitProduct(dimensions: readonly ProductDimension[], runs: readonly Runs[], visit: Visit): void {
  if (runs.some((each) => each.length === 0)) return;
  if (dimensions.length === 0) {
    visit(0, 1);
    return;
  }
  // Dimensions at the end that are taken whole make one run with the dimension before them.
  let last = dimensions.length - 1;
  while (last > 0 && isWhole(runs[last]!, dimensions[last]!)) last--;
  const walk = (index: number, base: number): void => {
    const { stride } = dimensions[index]!;
    for (const [from, to] of runs[index]!) {
      if (index === last) visit(base + from * stride, base + to * stride);
      else for (let ordinal = from; ordinal < to; ordinal++) walk(index + 1, base + ordinal * stride);
    }
  };
  walk(0, 0);
}

function isWhole(runs: Runs, { set }: ProductDimension): boolean {
  return runs.length === 1 && runs[0]![0] === 0 && runs[0]![1] === set.size;
}
