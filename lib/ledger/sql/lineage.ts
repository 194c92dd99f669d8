// Lineage on the database, as records of the port. Nothing here writes or locks.
import { walked } from '../lineage-walk.js';
import {
  EDGES_PER_VERSION,
  type HeadConsumer,
  type LineageLedger,
  type RunComparison,
  type RunDifference,
  type Trace,
  type TracedRemoval,
  type TracedVersion,
  type Walk,
} from '../lineage.port.js';
import type { EventRecord } from '../records.js';
import type { AssetNumbers } from './asset-numbers.js';
import type { Database } from './database.js';
import { eventRecord, type EventRow } from './rows.js';
import {
  COMPARE_RUNS,
  DURATIONS,
  EVENTS_OF,
  HEAD_CONSUMERS,
  TRACED,
  VERSION_AT,
  WALK_DOWNSTREAM,
  WALK_UPSTREAM,
} from './statements/tracing.js';
import { numbers } from './values.js';

/** Up to so many steps a walk counts them (see WALK_UPSTREAM). */
const COUNTED_DEPTH = 16;

/** Edges by their two ends, the one that was met before first. */
interface Edges {
  readonly from: readonly number[];
  readonly next: readonly number[];
}

interface TracedRow {
  readonly id: number;
  readonly run_id: number | null;
  readonly asset_id: number;
  readonly partition: string;
  readonly data_version: string;
  readonly code_version: string | null;
  readonly hash: string | null;
  readonly completed_at: Date;
}

interface ComparisonRow {
  readonly counts: { readonly same?: number; readonly differing?: number; onlyA?: number; onlyB?: number } | null;
  readonly differences: readonly (Omit<RunDifference, 'asset'> & { readonly asset_id: number })[];
}

export class LineageReads implements LineageLedger {
  constructor(
    readonly database: Database,
    readonly namespace: number,
    readonly assets: AssetNumbers,
  ) {}

  async versionAt(asset: string, partition: string, at: Date): Promise<number | undefined> {
    const [id] = await this.assets.known(this.database, [asset]);
    if (id === undefined) return undefined;
    const [row] = await this.database.rows<{ id: number }>(VERSION_AT, [id, partition, at]);
    return row?.id;
  }

  async trace(from: number, walk: Walk): Promise<Trace> {
    const { from: ends, next: others } = await this.#edges(from, walk);
    const next = new Map<number, number[]>();
    ends.forEach((end, at) => {
      const known = next.get(end);
      if (known) known.push(others[at]!);
      else next.set(end, [others[at]!]);
    });
    const { depths, edges, truncated } = walked(from, walk, (id) => next.get(id) ?? []);
    return { versions: await this.#told(depths), edges, truncated };
  }

  /** One more than may be told of versions and edges, so that it shows where there are more. */
  async #edges(from: number, { direction, depth, most, at }: Walk): Promise<Edges> {
    const counted = depth <= COUNTED_DEPTH;
    const mostMet = counted ? (most + 1) * (depth + 1) : most + 1;
    const values = [from, depth, counted ? 1 : 0, mostMet, most * EDGES_PER_VERSION + 1];
    const [edges] = await (direction === 'upstream'
      ? this.database.rows<Edges>(WALK_UPSTREAM, values)
      : this.database.rows<Edges>(WALK_DOWNSTREAM, [...values, at]));
    return edges!;
  }

  async #told(depths: ReadonlyMap<number, number>): Promise<Trace['versions']> {
    const rows = await this.database.rows<TracedRow>(TRACED, [numbers([...depths.keys()])]);
    const keyOf = await this.#keys(rows);
    const told = new Map(rows.map((row) => [row.id, row]));
    return Array.from(depths, ([materialization, depth]): TracedVersion | TracedRemoval => {
      const row = told.get(materialization);
      if (!row) return { materialization, depth, removed: 'by retention' };
      return {
        materialization,
        depth,
        asset: keyOf(row.asset_id),
        partition: row.partition,
        dataVersion: row.data_version,
        codeVersion: row.code_version,
        hash: row.hash,
        completedAt: row.completed_at,
        run: row.run_id,
      };
    });
  }

  async headConsumers(materializations: readonly number[]): Promise<readonly HeadConsumer[]> {
    type Row = { consumed: number; id: number; asset_id: number; partition: string };
    const rows = await this.database.rows<Row>(HEAD_CONSUMERS, [materializations]);
    const keyOf = await this.#keys(rows);
    return rows.map(({ consumed, id, asset_id, partition }) => ({
      ...{ consumed, materialization: id, asset: keyOf(asset_id), partition },
    }));
  }

  async durations(assets: readonly string[], most: number): Promise<ReadonlyMap<string, readonly number[]>> {
    const ids = await this.assets.known(this.database, assets);
    const rows = await this.database.rows<{ asset_id: number; ms: number }>(DURATIONS, [ids, most]);
    const keyOf = await this.#keys(rows);
    const durations = new Map<string, number[]>();
    for (const { asset_id, ms } of rows) {
      const key = keyOf(asset_id);
      durations.set(key, [...(durations.get(key) ?? []), ms]);
    }
    return durations;
  }

  async compareRuns(a: number, b: number, most: number): Promise<RunComparison> {
    const [row] = await this.database.rows<ComparisonRow>(COMPARE_RUNS, [this.namespace, a, b, most]);
    const { counts, differences } = row!;
    const keyOf = await this.#keys(differences);
    return {
      ...{ same: 0, differing: 0, onlyA: 0, onlyB: 0, ...counts },
      differences: differences.map(({ asset_id, ...difference }) => ({ asset: keyOf(asset_id), ...difference })),
    };
  }

  async eventsOf(materialization: number, most: number): Promise<readonly EventRecord[]> {
    const rows = await this.database.rows<EventRow>(EVENTS_OF, [this.namespace, materialization, most]);
    const keyOf = await this.#keys(rows);
    return rows.map((row) => eventRecord(row, keyOf));
  }

  #keys(rows: readonly { readonly asset_id: number | null }[]): Promise<(id: number) => string> {
    return this.assets.keys(
      this.database,
      rows.map((row) => row.asset_id),
    );
  }
}
