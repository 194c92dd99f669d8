// What of a run did not succeed, read as a plan: page after page, so that a run of a million holds nothing up for long.
import type { PlanRows } from '../work.js';
import type { AssetNumbers } from './asset-numbers.js';
import type { Database } from './database.js';
import { EDGES_OF, LEFTOVERS } from './statements/reading.js';
import { numbers } from './values.js';

/** Rows of a run, or edges, that one statement looks at. */
const ROWS_AT_ONCE = 5000;

interface Page {
  /** The id after which there may be more; null: there is none. */
  readonly last: number | null;
  readonly rows: readonly Row[];
}

interface Row {
  readonly id: number;
  readonly head: number;
  readonly asset: number;
  readonly forced: boolean;
  readonly priority: number;
  readonly partition: string;
}

interface Edge {
  readonly downstream: number;
  readonly upstream: number;
  readonly ordering: boolean;
}

/** See Ledger.leftovers: each row counts as it stands when its page is read. */
export async function readLeftovers(
  database: Database,
  namespace: number,
  assets: AssetNumbers,
  run: number,
): Promise<PlanRows> {
  const left = new Leftovers();
  for (let after: number | null = 0; after !== null;) {
    const [page]: Page[] = await database.rows<Page>(LEFTOVERS, [namespace, run, after, ROWS_AT_ONCE]);
    left.add(page!.rows);
    for await (const edges of edgesOf(database, page!.rows)) left.connect(edges);
    after = page!.last;
  }
  return left.plan(await assets.keys(database, left.assets));
}

/** What these rows depend on, in their order. */
async function* edgesOf(database: Database, rows: readonly Row[]): AsyncGenerator<readonly Edge[]> {
  let ids = rows.map(({ id }) => id);
  let upstream = 0;
  while (ids.length > 0) {
    const edges = await database.rows<Edge>(EDGES_OF, [numbers(ids), upstream, ROWS_AT_ONCE]);
    yield edges;
    if (edges.length < ROWS_AT_ONCE) return;
    const last = edges.at(-1)!;
    ids = ids.slice(ids.indexOf(last.downstream));
    upstream = last.upstream;
  }
}

/** By column, since a million rows are many objects. */
class Leftovers {
  readonly #ids: number[] = [];
  readonly #heads: number[] = [];
  readonly #assets: number[] = [];
  readonly #forced: boolean[] = [];
  readonly #priorities: number[] = [];
  readonly #partitions: string[] = [];
  readonly #starts: number[] = [];
  readonly #upstreams: number[] = [];
  readonly #ordering: boolean[] = [];

  get assets(): ReadonlySet<number> {
    return new Set(this.#assets);
  }

  /** In plan order, which is that of their ids: what they depend on was added before. */
  add(rows: readonly Row[]): void {
    for (const { id, head, asset, forced, priority, partition } of rows) {
      this.#ids.push(id);
      this.#heads.push(head);
      this.#assets.push(asset);
      this.#forced.push(forced);
      this.#priorities.push(priority);
      this.#partitions.push(partition);
    }
  }

  /** In the order of the rows that were added. Upstreams that were not have succeeded, so that nothing waits for them. */
  connect(edges: readonly Edge[]): void {
    for (const { downstream, upstream, ordering } of edges) {
      const needed = this.#indexOf(upstream);
      if (needed === undefined) continue;
      const index = this.#indexOf(downstream)!;
      while (this.#starts.length <= index) this.#starts.push(this.#upstreams.length);
      this.#upstreams.push(needed);
      this.#ordering.push(ordering);
    }
  }

  plan(keyOf: (asset: number) => string): PlanRows {
    while (this.#starts.length <= this.#ids.length) this.#starts.push(this.#upstreams.length);
    return {
      size: this.#ids.length,
      assetAt: (index) => keyOf(this.#assets[index]!),
      partitionAt: (index) => this.#partitions[index]!,
      headAt: (index) => this.#heads[index]!,
      forcedAt: (index) => this.#forced[index]!,
      priorityAt: (index) => this.#priorities[index]!,
      hasBlocked: false,
      isBlockedAt: () => false,
      blockedAt: () => undefined,
      edges: {
        starts: Int32Array.from(this.#starts),
        upstreams: Int32Array.from(this.#upstreams),
        ordering: Uint8Array.from(this.#ordering, Number),
      },
    };
  }

  /** By bisection: ids ascend. */
  #indexOf(id: number): number | undefined {
    let from = 0;
    let to = this.#ids.length;
    while (from < to) {
      const middle = (from + to) >> 1;
      if (this.#ids[middle]! < id) from = middle + 1;
      else to = middle;
    }
    return this.#ids[from] === id ? from : undefined;
  }
}
