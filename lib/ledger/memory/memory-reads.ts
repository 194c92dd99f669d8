// Reads of the in-memory ledger: records are copied out, so that no caller holds a live row.
import type { AssetPartitions, HeadPage, Ledger, Page, PageRequest, StartFacts, WaitFacts } from '../ledger.port.js';
import type { CurrentDefinition } from '../registrations.js';
import type { PlanRows } from '../work.js';
import type {
  ConsumedInput,
  EventRecord,
  HeadRecord,
  MaterializationRecord,
  RemovedInput,
  RunRecord,
} from '../records.js';
import type { Row, RunRow } from './memory-rows.js';
import type { MemoryState } from './memory-state.js';

export function runRecord({
  planningEpoch: _,
  planner: _p,
  planningsLost: _l,
  rows: _r,
  counts,
  ...run
}: RunRow): RunRecord {
  return { ...run, counts: { ...counts } };
}

export function materializationRecord(row: Row): MaterializationRecord {
  const { id, run, asset, partition, status, forced, epoch, attempts, process, waitingFor, skipped, error } = row;
  const { codeVersion, dataVersion, value, valueRemoved, metadata, createdAt, startedAt, completedAt } = row;
  return {
    ...{ id, run, asset, partition, status, forced, epoch, attempts, process, waitingFor, skipped, error },
    ...{ codeVersion, dataVersion, value, valueRemoved, metadata, createdAt, startedAt, completedAt },
  };
}

export function currentDefinitions(state: MemoryState): CurrentDefinition[] {
  const workers = [...state.processes.values()].filter((process) => process.worker);
  return [...state.definitions].map(([key, known]) => {
    const live = new Set(workers.map((process) => process.assets.get(key)?.hash));
    const all = [...known.values()].sort((a, b) => b.first - a.first);
    const current = all.find(({ hash }) => live.has(hash));
    const { hash, definition } = current ?? all[0]!;
    return { key, hash, definition, live: current !== undefined };
  });
}

export function dynamicPartitions(state: MemoryState, name: string): string[] {
  return [...(state.dynamic.get(name) ?? [])].filter(([, { retired }]) => !retired).map(([key]) => key);
}

export function heads(state: MemoryState, { asset, partitions }: AssetPartitions): Map<string, HeadRecord> {
  const known = state.heads.get(asset);
  const found = new Map<string, HeadRecord>();
  for (const partition of partitions === 'all' ? (known?.keys() ?? []) : partitions) {
    const head = known?.get(partition);
    if (head) found.set(partition, state.headRecord(partition, head));
  }
  return found;
}

export function headsFrom(state: MemoryState, asset: string, partition: string, limit: number): HeadPage {
  const keys = [...(state.heads.get(asset)?.keys() ?? [])].filter((key) => key >= partition).sort();
  return { heads: heads(state, { asset, partitions: keys.slice(0, limit) }), next: keys[limit] ?? null };
}

export function consumed(state: MemoryState, ids: readonly number[]): Map<number, (ConsumedInput | RemovedInput)[]> {
  return new Map(
    ids.map((id) => {
      const edges = state.rows.get(id)?.edges ?? [];
      return [
        id,
        edges.map((upstream) => {
          const row = state.rows.get(upstream);
          if (!row) return { materialization: upstream, removed: 'by retention' };
          return {
            materialization: upstream,
            asset: row.asset,
            partition: row.partition,
            dataVersion: row.dataVersion!,
          };
        }),
      ];
    }),
  );
}

export function runs(state: MemoryState, filter: Parameters<Ledger['runs']>[0], page: PageRequest): Page<RunRecord> {
  const found = [...state.runs.values()].filter(
    (run) =>
      (!filter.status || filter.status.includes(run.status)) &&
      (!filter.asset || run.rows.some((id) => state.rows.get(id)!.asset === filter.asset)),
  );
  return pageOf(found, page, runRecord);
}

export function materializations(
  state: MemoryState,
  filter: Parameters<Ledger['materializations']>[0],
  page: PageRequest,
): Page<MaterializationRecord> {
  const found = [...state.rows.values()].filter(
    (row) =>
      (!filter.ids || filter.ids.includes(row.id)) &&
      (filter.run === undefined || row.run === filter.run) &&
      (filter.asset === undefined || row.asset === filter.asset) &&
      (filter.partition === undefined || row.partition === filter.partition) &&
      (!filter.status || filter.status.includes(row.status)),
  );
  return pageOf(found, page, materializationRecord);
}

export function events(
  state: MemoryState,
  filter: Parameters<Ledger['events']>[0],
  page: PageRequest,
): Page<EventRecord> {
  const found = state.events.filter(
    (event) =>
      (filter.run === undefined || event.run === filter.run) &&
      (filter.asset === undefined || event.asset === filter.asset),
  );
  return pageOf(found, page, (event) => event);
}

export function pageOf<R extends { readonly id: number }, T>(
  ascending: readonly R[],
  page: PageRequest,
  record: (row: R) => T,
): Page<T> {
  const older = ascending.filter(({ id }) => page.before === undefined || id < page.before).sort((a, b) => b.id - a.id);
  const items = older.slice(0, page.limit);
  return { items: items.map(record), next: older.length > page.limit ? items.at(-1)!.id : null };
}

export function leftovers(state: MemoryState, id: number): PlanRows {
  const left = (state.runs.get(id)?.rows ?? [])
    .map((row) => state.rows.get(row)!)
    .filter(({ status }) => status !== 'success' && status !== 'skipped');
  const indexOf = new Map(left.map((row, index) => [row.id, index]));
  const starts = new Int32Array(left.length + 1);
  const upstreams: number[] = [];
  left.forEach((row, index) => {
    for (const upstream of row.edges) {
      const at = indexOf.get(upstream);
      if (at !== undefined) upstreams.push(at);
    }
    starts[index + 1] = upstreams.length;
  });
  return {
    size: left.length,
    assetAt: (index) => left[index]!.asset,
    partitionAt: (index) => left[index]!.partition,
    forcedAt: (index) => left[index]!.forced,
    priorityAt: (index) => left[index]!.priority,
    hasBlocked: false,
    isBlockedAt: () => false,
    blockedAt: () => undefined,
    edges: { starts, upstreams: Int32Array.from(upstreams) },
  };
}

export async function progressOf(
  state: MemoryState,
  id: number,
  executed: readonly string[],
): ReturnType<Ledger['progressOf']> {
  const rows = (state.runs.get(id)?.rows ?? []).map((row) => state.rows.get(row)!);
  const pending = rows.filter(({ status }) => status === 'pending');
  const ready = pending.filter((row) => row.ready);
  const going =
    ready.some(({ asset }) => executed.includes(asset)) || pending.some((row) => state.timers.has(`${row.id}:retry`));
  if (going) return { going, ready: false, waitsFor: [] };
  const holders = pending.flatMap(({ waitingFor }) => waitingFor ?? []);
  const waitsFor = new Set(holders.flatMap((holder) => state.rows.get(holder)?.run ?? []));
  return { going, ready: ready.length > 0, waitsFor: [...waitsFor] };
}

/** Of what waits in a run, so many are looked at. */
const MOST_WAITING = 60;

export function waitingIn(state: MemoryState, id: number): readonly number[] {
  const rows = (state.runs.get(id)?.rows ?? []).map((row) => state.rows.get(row)!);
  const seen = new Set<string>();
  const waiting = rows.filter((row) => {
    if (row.status !== 'pending') return false;
    if (row.waitingFor !== null || state.timers.has(`${row.id}:retry`)) return true;
    const place = JSON.stringify([row.asset, row.places[1]?.name ?? null]);
    return row.ready && !seen.has(place) && seen.add(place);
  });
  return waiting.slice(0, MOST_WAITING).map((row) => row.id);
}

export function startFacts(
  state: MemoryState,
  of: readonly { readonly asset: string; readonly partition: string }[],
): readonly StartFacts[] {
  const known = of.filter(({ asset }) => state.definitions.has(asset));
  return known.map(({ asset, partition }) => {
    const [pool, key] = state.placesOf(asset, partition);
    return {
      ...{ asset, partition, now: new Date(state.clock()) },
      holder: holderFacts(state, state.heads.get(asset)?.get(partition)?.active ?? null),
      pool: pool.facts(),
      key: key?.facts() ?? null,
    };
  });
}

function holderFacts(state: MemoryState, id: number | null): WaitFacts['holder'] {
  if (id === null) return null;
  const retry = state.timers.get(`${id}:retry`);
  return { id, run: state.rows.get(id)?.run ?? null, retryAt: retry ? new Date(retry.firesAt) : null };
}

export async function waitFacts(state: MemoryState, id: number): ReturnType<Ledger['waitFacts']> {
  const row = state.rows.get(id);
  const run = row?.run == null ? undefined : state.runs.get(row.run);
  const [pool, key] = row?.places ?? [];
  if (!row || !run || !pool) return undefined;
  const pending = row.status === 'pending' ? row.edges.map((edge) => state.rows.get(edge)!) : [];
  const open = pending.filter(({ status }) => status !== 'success' && status !== 'skipped');
  const retry = state.timers.get(`${id}:retry`);
  return {
    ...{ asset: row.asset, status: row.status, now: new Date(state.clock()) },
    run: {
      id: run.id,
      concurrency: run.maxConcurrency,
      running: run.maxConcurrency === null ? run.counts.running : run.places,
    },
    holder: holderFacts(state, row.waitingFor),
    upstreams: {
      open: open.length,
      first: open.length === 0 ? null : Math.min(...open.map((upstream) => upstream.id)),
    },
    retryAt: retry ? new Date(retry.firesAt) : null,
    pool: pool.facts(),
    key: key?.facts() ?? null,
  };
}
