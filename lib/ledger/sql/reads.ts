// Reads of the ledger, as records of the port. Nothing here writes or locks.
import { dimensionValue } from '../../partitions/partition-dimensions.js';
import type { AssetPartitions, HeadPage, Ledger, Page, PageRequest, WaitFacts } from '../ledger.port.js';
import type { PlanRows } from '../work.js';
import type {
  ConsumedInput,
  EventRecord,
  HeadRecord,
  JsonValue,
  MaterializationRecord,
  MaterializationStatus,
  RemovedInput,
  RunRecord,
} from '../records.js';
import type { AssetNumbers } from './asset-numbers.js';
import type { Database } from './database.js';
import { readLeftovers } from './leftovers.js';
import type { KeyedAsset } from './plan-lanes.js';
import {
  eventRecord,
  headRecord,
  materializationRecord,
  removedRunRow,
  runRecord,
  type EventRow,
  type HeadRow,
  type MaterializationRow,
  type RunRow,
} from './rows.js';
import type { Statement } from './statement.js';
import {
  CONSUMED,
  DYNAMIC_PARTITIONS,
  eventsWhere,
  HEADS_AT,
  HEADS_FROM,
  HEADS_OF,
  materializationsWhere,
  pageKey,
  PROGRESS,
  runsWhere,
  START_FACTS,
  WAIT_FACTS,
  WAITING_IN,
} from './statements/reading.js';
import { REMOVED_RUN } from './statements/removing.js';
import { KEYED_ASSETS, RUN_KEY } from './statements/requesting.js';
import { storable } from './values.js';

/** What hinders a materialization, or would. */
interface HindranceRow {
  readonly holder: number | null;
  readonly holder_run: number | null;
  readonly holder_retry_at: Date | null;
  readonly pool: string;
  /** Null where nothing bounds the pool. */
  readonly used: number | null;
  readonly capacity: number | null;
  readonly due: number | null;
  readonly key: string | null;
  readonly key_used: number | null;
  readonly key_capacity: number | null;
  readonly key_due: number | null;
  readonly now: Date;
}

interface WaitRow extends HindranceRow {
  readonly asset: string;
  readonly status: MaterializationStatus;
  readonly run_id: number;
  readonly max_concurrency: number | null;
  readonly running: number;
  readonly open: number;
  readonly first: number | null;
  readonly retry_at: Date | null;
}

/** Of what waits in a run, so many of each kind are looked at. */
const MOST_WAITING = 20;

type Condition = readonly [sql: string, ...values: unknown[]];

export class Reads {
  constructor(
    readonly database: Database,
    readonly namespace: number,
    readonly assets: AssetNumbers,
  ) {}

  async dynamicPartitions(name: string): Promise<readonly string[]> {
    const rows = await this.database.rows<{ key: string }>(DYNAMIC_PARTITIONS, [this.namespace, name]);
    return rows.map(({ key }) => key);
  }

  /** See Ledger.heads: two statements however many queries. */
  async heads(queries: readonly AssetPartitions[]): Promise<readonly ReadonlyMap<string, HeadRecord>[]> {
    await this.assets.known(
      this.database,
      queries.map(({ asset }) => asset),
    );
    const whole = new Map<number, Map<string, HeadRecord>>();
    const named = new Map<number, Map<string, HeadRecord>>();
    const assets: number[] = [];
    const partitions: string[] = [];
    const found: Map<string, HeadRecord>[] = [];
    for (const query of queries) {
      const [id] = await this.assets.known(this.database, [query.asset]);
      const group = query.partitions === 'all' ? whole : named;
      const heads = (id === undefined ? undefined : group.get(id)) ?? new Map<string, HeadRecord>();
      found.push(heads);
      if (id === undefined) continue;
      group.set(id, heads);
      if (query.partitions === 'all') continue;
      for (const key of query.partitions) {
        assets.push(id);
        partitions.push(key);
      }
    }
    const rows = [
      ...(whole.size > 0 ? await this.#headRows(HEADS_OF, [[...whole.keys()]], whole) : []),
      ...(assets.length > 0 ? await this.#headRows(HEADS_AT, [assets, partitions], named) : []),
    ];
    for (const { row, heads } of rows) heads.set(row.partition, headRecord(row));
    return queries.map((query, index) => only(found[index]!, query.partitions));
  }

  /** See Ledger.headsFrom. */
  async headsFrom(asset: string, partition: string, limit: number): Promise<HeadPage> {
    const [id] = await this.assets.known(this.database, [asset]);
    if (id === undefined) return { heads: new Map(), next: null };
    const rows = await this.database.rows<HeadRow>(HEADS_FROM, [id, partition, limit + 1]);
    const next = rows.length > limit ? rows.pop()!.partition : null;
    return { heads: new Map(rows.map((row) => [row.partition, headRecord(row)])), next };
  }

  async #headRows(
    statement: Statement,
    values: readonly unknown[],
    groups: ReadonlyMap<number, Map<string, HeadRecord>>,
  ): Promise<{ row: HeadRow; heads: Map<string, HeadRecord> }[]> {
    const rows = await this.database.rows<HeadRow>(statement, values);
    return rows.map((row) => ({ row, heads: groups.get(row.asset_id)! }));
  }

  async consumed(materializations: readonly number[]): ReturnType<Ledger['consumed']> {
    type Row = {
      downstream: number;
      upstream: number;
      asset_id: number | null;
      partition: string;
      data_version: string;
    };
    const rows = await this.database.rows<Row>(CONSUMED, [materializations]);
    const keyOf = await this.#keys(rows);
    const consumed = new Map<number, (ConsumedInput | RemovedInput)[]>(materializations.map((id) => [id, []]));
    for (const { downstream, upstream: materialization, asset_id, partition, data_version: dataVersion } of rows) {
      consumed
        .get(downstream)!
        .push(
          asset_id === null
            ? { materialization, removed: 'by retention' }
            : { materialization, asset: keyOf(asset_id), partition, dataVersion },
        );
    }
    return consumed;
  }

  async run(id: number): Promise<RunRecord | undefined> {
    const [run] = (await this.#runs([['r.id = ?', id]], { limit: 1 })).items;
    if (run) return run;
    const [key] = await this.database.rows<{ removed_run: JsonValue }>(REMOVED_RUN, [this.namespace, id]);
    return key && runRecord(removedRunRow(key.removed_run));
  }

  async runByKey(runKey: string): Promise<RunRecord | undefined> {
    const [key] = await this.database.rows<{ run_id: number }>(RUN_KEY, [this.namespace, storable(runKey)]);
    return key && this.run(key.run_id);
  }

  async runs(filter: Parameters<Ledger['runs']>[0], page: PageRequest): Promise<Page<RunRecord>> {
    const conditions: Condition[] = [];
    if (filter.status) conditions.push(['r.status = ANY (?::text[])', filter.status]);
    if (filter.asset !== undefined) {
      const within = 'EXISTS (SELECT FROM fs.materializations m WHERE m.run_id = r.id AND m.asset_id = ?)';
      conditions.push([within, await this.#number(filter.asset)]);
    }
    return this.#runs(conditions, page);
  }

  async #runs(conditions: readonly Condition[], page: PageRequest): Promise<Page<RunRecord>> {
    const rows = await this.#list<RunRow>(runsWhere, 'r', conditions, page);
    return pageOf(rows, page, runRecord);
  }

  async materialization(id: number): Promise<MaterializationRecord | undefined> {
    return (await this.#materializations([['m.id = ?', id]], { limit: 1 })).items[0];
  }

  async materializations(
    filter: Parameters<Ledger['materializations']>[0],
    page: PageRequest,
  ): Promise<Page<MaterializationRecord>> {
    const conditions: Condition[] = [];
    if (filter.ids) conditions.push(['m.id = ANY (?::bigint[])', filter.ids]);
    if (filter.run !== undefined) conditions.push(['m.run_id = ?', filter.run]);
    if (filter.status) conditions.push(['m.status = ANY (?::text[])', filter.status]);
    const { partition, asset } = filter;
    const number = asset === undefined ? undefined : await this.#number(asset);
    if (number !== undefined && partition !== undefined) {
      // By its head, so that the history of one partition is read from an index.
      const head = 'SELECT h.id FROM fs.heads h WHERE h.asset_id = ? AND h.partition = ?';
      conditions.push([`m.head_id = ANY (ARRAY(${head}))`, number, partition]);
    } else if (number !== undefined) conditions.push(['m.asset_id = ?', number]);
    else if (partition !== undefined) conditions.push(['h.partition = ?', partition]);
    return this.#materializations(conditions, page);
  }

  async #materializations(conditions: readonly Condition[], page: PageRequest): Promise<Page<MaterializationRecord>> {
    const rows = await this.#list<MaterializationRow>(materializationsWhere, 'm', conditions, page);
    const keyOf = await this.#keys(rows);
    return pageOf(rows, page, (row) => materializationRecord(row, keyOf(row.asset_id)));
  }

  async events(filter: Parameters<Ledger['events']>[0], page: PageRequest): Promise<Page<EventRecord>> {
    const conditions: Condition[] = [['e.namespace = ?', this.namespace]];
    if (filter.run !== undefined) conditions.push(['e.run_id = ?', filter.run]);
    if (filter.asset !== undefined) conditions.push(['e.asset_id = ?', await this.#number(filter.asset)]);
    const rows = await this.database.rows<EventRow>(eventsWhere(conditions.map(([sql]) => sql)), [
      ...[page.limit + 1, page.before ?? Number.MAX_SAFE_INTEGER],
      ...conditions.flatMap(([, ...values]) => values),
    ]);
    const keyOf = await this.#keys(rows);
    return pageOf(rows, page, (row) => eventRecord(row, keyOf));
  }

  leftovers(run: number): Promise<PlanRows> {
    return readLeftovers(this.database, this.namespace, this.assets, run);
  }

  /** See Ledger.waitFacts. */
  async waitFacts(id: number): ReturnType<Ledger['waitFacts']> {
    const [row] = await this.database.rows<WaitRow>(WAIT_FACTS, [this.namespace, id]);
    if (!row) return undefined;
    const { run_id, max_concurrency: most, running, open, first, retry_at: retryAt } = row;
    return {
      ...{ asset: row.asset, status: row.status, retryAt },
      run: { id: run_id, concurrency: most, running },
      upstreams: { open, first },
      ...hindrances(row),
    };
  }

  /** See Ledger.waitingIn. */
  async waitingIn(run: number): Promise<readonly number[]> {
    const rows = await this.database.rows<{ id: number }>(WAITING_IN, [this.namespace, run, MOST_WAITING]);
    return rows.map(({ id }) => id);
  }

  /** See Ledger.startFacts. */
  async startFacts(of: Parameters<Ledger['startFacts']>[0]): ReturnType<Ledger['startFacts']> {
    type Row = HindranceRow & { readonly at: number };
    const assets = [...new Set(of.map(({ asset }) => asset))];
    const ids = await this.assets.known(this.database, assets);
    const nameOf = await this.assets.keys(this.database, ids);
    const numbers = new Map(ids.map((id) => [nameOf(id), id]));
    const known = of.filter(({ asset }) => numbers.has(asset));
    const keyed = await this.database.rows<KeyedAsset>(KEYED_ASSETS, [ids]);
    const dimensionOf = new Map(keyed.map((asset) => [asset.asset, asset]));
    const keyOf = ({ asset, partition }: (typeof of)[number]): string | null => {
      const { dimensions, dimension } = dimensionOf.get(numbers.get(asset)!) ?? {};
      return (dimensions && dimension && dimensionValue(dimensions, dimension, partition)) ?? null;
    };
    const rows = await this.database.rows<Row>(START_FACTS, [
      known.map(({ asset }) => numbers.get(asset)!),
      known.map(({ partition }) => partition),
      known.map(keyOf),
    ]);
    return rows.map((row) => ({ ...known[row.at]!, ...hindrances(row) }));
  }

  /** See Ledger.progressOf. */
  async progressOf(run: number, executed: readonly string[]): ReturnType<Ledger['progressOf']> {
    type Row = { going: boolean; ready: boolean; waits_for: number[] };
    const bits = await this.assets.bits(this.database, executed);
    const [row] = await this.database.rows<Row>(PROGRESS, [this.namespace, run, bits]);
    const { going, ready, waits_for: waitsFor } = row!;
    return { going, ready, waitsFor };
  }

  /** One more than the page, so that its end is known. */
  async #list<R extends object>(
    build: (conditions: readonly string[]) => Statement,
    alias: string,
    conditions: readonly Condition[],
    page: PageRequest,
  ): Promise<R[]> {
    const key = pageKey(
      alias,
      conditions.map(([sql]) => sql),
    );
    const before: readonly Condition[] = page.before === undefined ? [] : [[`${key} < ?`, page.before]];
    const all: readonly Condition[] = [[`${alias}.namespace = ?`, this.namespace], ...conditions, ...before];
    return this.database.rows<R>(build(all.map(([sql]) => sql)), [
      page.limit + 1,
      ...all.flatMap(([, ...values]) => values),
    ]);
  }

  /** The number of an asset; one that nothing has for an asset never registered. */
  async #number(asset: string): Promise<number> {
    return (await this.assets.known(this.database, [asset]))[0] ?? 0;
  }

  #keys(rows: readonly { readonly asset_id: number | null }[]): Promise<(id: number) => string> {
    return this.assets.keys(
      this.database,
      rows.map((row) => row.asset_id),
    );
  }
}

/** Queries of one asset share what was found; each gets what it named. */
function only(
  heads: ReadonlyMap<string, HeadRecord>,
  partitions: AssetPartitions['partitions'],
): ReadonlyMap<string, HeadRecord> {
  if (partitions === 'all' || partitions.length === heads.size) return heads;
  return new Map(partitions.flatMap((key) => (heads.has(key) ? [[key, heads.get(key)!] as const] : [])));
}

function pageOf<R extends { readonly id: number }, T>(
  rows: readonly R[],
  { limit }: PageRequest,
  record: (row: R) => T,
): Page<T> {
  const items = rows.slice(0, limit);
  return { items: items.map(record), next: rows.length > limit ? items.at(-1)!.id : null };
}

function hindrances(row: HindranceRow): Pick<WaitFacts, 'holder' | 'pool' | 'key' | 'now'> {
  const { holder: id, holder_run: run, holder_retry_at: retryAt, key, now } = row;
  return {
    now,
    holder: id === null ? null : { id, run, retryAt },
    pool: { name: row.pool, concurrency: row.capacity, running: row.used ?? 0, tokenDue: row.due },
    key:
      key === null ? null : { name: key, concurrency: row.key_capacity, running: row.key_used!, tokenDue: row.key_due },
  };
}
