// Acts of people and processes on the in-memory ledger: registration, cancelling, invalidation, partitions.
import { FlowStoneError } from '../../flowstone.errors.js';
import type { Act, AssetPartitions, Ledger, Transactional } from '../ledger.port.js';
import type { AssetRegistration, PoolRegistration, ProcessRegistration } from '../registrations.js';
import { names } from './memory-rows.js';
import type { MemoryState } from './memory-state.js';

export function refuseTransaction({ manager }: Transactional): void {
  if (!manager) return;
  throw new FlowStoneError(
    'FLOWSTONE_NOT_A_LEDGER_TRANSACTION',
    'The ledger is in memory: it has no transaction to join. Leave `manager` out, or configure a database.',
  );
}

export function register(
  state: MemoryState,
  process: ProcessRegistration,
  assets: readonly AssetRegistration[],
  pools: readonly PoolRegistration[],
): void {
  refuseChangedPartitioning(state, assets);
  for (const pool of pools) state.pools.bound(pool);
  for (const asset of assets) {
    const former = asset.formerly.find((key) => state.definitions.has(key));
    if (former !== undefined && !state.definitions.has(asset.key)) rename(state, former, asset.key);
    let known = state.definitions.get(asset.key);
    if (!known) state.definitions.set(asset.key, (known = new Map()));
    if (!known.has(asset.hash)) known.set(asset.hash, { ...asset, first: known.size, at: new Date(state.clock()) });
  }
  state.processes.set(process.id, {
    ...process,
    enteredAt: new Date(state.clock()),
    leaseUntil: state.clock() + process.lease,
    outdated: false,
    resources: state.processes.get(process.id)?.resources ?? new Map(),
    assets: new Map(assets.map((asset) => [asset.key, asset])),
  });
  if (!process.worker) return;
  state.tellsAttempts = process.tellsAttempts === true;
  for (const other of state.processes.values()) {
    if (assets.some(({ key, hash }) => other.assets.get(key)?.hash !== hash)) other.outdated = true;
  }
}

function refuseChangedPartitioning(state: MemoryState, assets: readonly AssetRegistration[]): void {
  const changed = assets.filter(({ key, partitioned }) =>
    [...(state.definitions.get(key)?.values() ?? [])].some((known) => known.partitioned !== partitioned),
  );
  if (changed.length === 0) return;
  const keys = changed.map(({ key }) => key);
  throw new FlowStoneError(
    'FLOWSTONE_LEDGER_PARTITIONING_CHANGED',
    `Partitioned became unpartitioned, or the reverse: ${keys.join(', ')}. What is recorded cannot be read so: give the asset a new name.`,
    { context: { assets: keys } },
  );
}

/** Only definitions and heads are kept by key here: a process that renames starts with an empty memory anyway. */
function rename(state: MemoryState, former: string, key: string): void {
  state.definitions.set(key, state.definitions.get(former)!);
  state.definitions.delete(former);
  const heads = state.heads.get(former);
  if (heads) state.heads.set(key, heads);
  state.heads.delete(former);
  for (const row of state.rows.values()) if (row.asset === former) row.asset = key;
}

/** Whatever is to be cancelled is so at once. */
const STOPPED = { running: [], ended: false, rings: [], more: false };

export async function cancelRun(
  state: MemoryState,
  id: number,
  act: Act & { grace: number },
): ReturnType<Ledger['cancelRun']> {
  const run = state.runs.get(id);
  if (!run || run.completedAt !== null) return { ...STOPPED, accepted: false };
  run.cancelRequested ??= { by: act.actor, reason: act.reason, at: new Date(state.clock()) };
  state.tell('run.cancel_requested', { run: id, actor: act.actor, detail: { reason: act.reason } });
  if (run.status === 'planning') {
    run.status = 'cancelled';
    run.completedAt = new Date(state.clock());
    state.tell('run.ended', { run: id, detail: { status: 'cancelled' } });
    return { ...STOPPED, accepted: true, ended: true };
  }
  const running = run.rows.map((row) => state.rows.get(row)!).filter((row) => row.status === 'running');
  for (const row of running) {
    row.cancelRequested = true;
    state.setTimer({ kind: 'cancel', owner: row.id, epoch: row.epoch, firesAt: state.clock() + act.grace });
  }
  const ended = state.cancelPending(run).length > 0 || state.endRunIfDone(run);
  const asked = running.map(({ id: row, epoch }) => ({ id: row, epoch }));
  return { ...STOPPED, accepted: true, running: asked, ended, rings: state.readyPools() };
}

export function invalidate(state: MemoryState, targets: readonly AssetPartitions[], act: Act & Transactional): number {
  refuseTransaction(act);
  let count = 0;
  for (const { asset, partitions } of targets) {
    for (const [partition, head] of state.heads.get(asset) ?? []) {
      if (head.materialization === null || !names(partitions, partition)) continue;
      head.invalidated = true;
      count++;
      state.tell('asset.invalidated', { asset, partition, actor: act.actor, detail: { reason: act.reason } });
    }
  }
  return count;
}

export async function deleteHeads(
  state: MemoryState,
  targets: readonly AssetPartitions[],
  act: Act,
): ReturnType<Ledger['deleteHeads']> {
  const chosen = targets.flatMap(({ asset, partitions }) =>
    [...(state.heads.get(asset) ?? [])]
      .filter(([partition]) => names(partitions, partition))
      .map(([partition, head]) => ({ asset, partition, head })),
  );
  const busy = chosen.find(({ head }) => head.active !== null);
  if (busy) {
    throw new FlowStoneError(
      'FLOWSTONE_ASSET_BUSY',
      `${busy.asset}[${busy.partition}] is being materialized by materialization ${busy.head.active}. Wait for it or cancel its run, then delete.`,
      { context: { asset: busy.asset, partition: busy.partition, materialization: busy.head.active } },
    );
  }
  const deleted = chosen.filter(({ head }) => head.materialization !== null);
  for (const { asset, partition, head } of deleted) {
    state.moveHead(head, null);
    state.tell('asset.deleted', { asset, partition, actor: act.actor, detail: { reason: act.reason } });
  }
  const heads = deleted.map(({ asset, partition }) => ({ asset, partition }));
  return { heads, collection: state.condemn(keptVersions(state, chosen)) };
}

/** Superseded versions of heads whose values are kept. */
function keptVersions(
  state: MemoryState,
  heads: readonly { readonly asset: string; readonly partition: string }[],
): number[] {
  const places = new Set(heads.map(({ asset, partition }) => JSON.stringify([asset, partition])));
  return [...state.superseded].flatMap(([id, { collection, gone }]) => {
    const { asset, partition } = state.rows.get(id)!;
    return collection === null && !gone && places.has(JSON.stringify([asset, partition])) ? [id] : [];
  });
}

export function reportVersion(
  state: MemoryState,
  report: Parameters<Ledger['reportVersion']>[0],
  act: Act & Transactional,
): number {
  refuseTransaction(act);
  const { asset, partition, dataVersion, metadata } = report;
  const now = new Date(state.clock());
  const row = state.insertRow({
    id: state.nextId(),
    run: null,
    asset,
    partition,
    forced: false,
    priority: 0,
    status: 'success',
    dataVersion,
    metadata,
    startedAt: now,
    completedAt: now,
  });
  const head = state.head(asset, partition);
  state.moveHead(head, row.id);
  state.tell('asset.version_reported', {
    asset,
    partition,
    materialization: row.id,
    actor: act.actor,
    detail: { dataVersion },
  });
  return row.id;
}

export function addPartitions(
  state: MemoryState,
  name: string,
  keys: readonly string[],
  act: Act & Transactional,
): string[] {
  refuseTransaction(act);
  let known = state.dynamic.get(name);
  if (!known) state.dynamic.set(name, (known = new Map()));
  const added = [...new Set(keys)].filter((key) => known.get(key)?.retired ?? true);
  for (const key of added) known.set(key, { retired: false });
  if (added.length > 0) state.tell('partitions.added', { actor: act.actor, detail: { name, keys: added } });
  return added;
}

export function removePartitions(
  state: MemoryState,
  name: string,
  keys: readonly string[],
  act: Act & Transactional,
): string[] {
  refuseTransaction(act);
  const known = state.dynamic.get(name);
  const removed = [...new Set(keys)].filter((key) => known?.get(key)?.retired === false);
  for (const key of removed) known!.set(key, { retired: true });
  if (removed.length > 0) state.tell('partitions.removed', { actor: act.actor, detail: { name, keys: removed } });
  return removed;
}
