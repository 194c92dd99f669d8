// Work in memory: what is claimed, how attempts begin and end, timers, and the work of lost processes.
import { NOTHING_TAKEN, type LostMaterialization, type TakenBack } from '../registrations.js';
import type { ErrorRecord } from '../records.js';
import type { Ledger } from '../ledger.port.js';
import type { Beat, Claim, ClaimRequest, DueDeadline, Outcome, Settled, Verdict } from '../work.js';
import { plannerLost, RESCUE_CAP, workerLost } from '../transitions.js';
import { MemoryBatches } from './memory-batches.js';
import type { Row } from './memory-rows.js';
import type { MemoryState } from './memory-state.js';

export function claim(
  state: MemoryState,
  request: ClaimRequest,
  onlyRun?: number,
): Pick<Beat, 'claims' | 'again' | 'outdated'> {
  const assets = new Set(request.assets);
  const claims: Claim[] = [];
  const batches = new MemoryBatches(request.batchSizes, () => state.nextBatch());
  let places = 0;
  let again: number | null = null;
  // A process that was given up must not get work that nobody would rescue.
  const process = state.processes.get(request.process);
  const outdated = process?.outdated === true;
  if (!process || outdated) return { claims, again, outdated };
  for (const row of state.ready()) {
    if (places >= request.limit && !batches.anyOpen) break;
    if (!assets.has(row.asset) || (onlyRun !== undefined && row.run !== onlyRun)) continue;
    const run = state.runs.get(row.run!)!;
    const joins = batches.isOpenFor(row);
    if (!joins && (places >= request.limit || run.places >= (run.maxConcurrency ?? Infinity))) continue;
    const full = row.places.filter((place) => place?.isOpen === false);
    if (!joins && full.length > 0) {
      const due = Math.max(...full.map((place) => place!.facts().tokenDue ?? 0));
      if (due > 0) again = Math.min(again ?? due, due);
      continue;
    }
    const head = state.head(row.asset, row.partition);
    if (head.active !== null && head.active !== row.id) {
      state.waitFor(row, state.rows.get(head.active)!);
      continue;
    }
    if (!joins) places++;
    row.batch = batches.enter(row);
    head.active = row.id;
    state.setReady(row, false);
    state.move(row, 'running');
    row.epoch++;
    row.process = request.process;
    claims.push(state.claimOf(row, run));
  }
  return { claims, again, outdated };
}

export function start(
  state: MemoryState,
  attempts: readonly { id: number; epoch: number; timeout: number | null }[],
): ReadonlySet<number> {
  const held = new Set<number>();
  for (const { id, epoch, timeout } of attempts) {
    const row = attempt(state, id, epoch);
    if (!row) continue;
    held.add(id);
    row.startedAt = new Date(state.clock());
    if (timeout === null) continue;
    row.deadline = state.clock() + timeout;
    state.setTimer({ kind: 'timeout', owner: id, epoch, firesAt: row.deadline });
  }
  return held;
}

export function settle(state: MemoryState, outcomes: readonly Outcome[]): Settled {
  const verdicts: Verdict[] = [];
  const endedRuns: number[] = [];
  for (const outcome of outcomes) {
    const row = attempt(state, outcome.id, outcome.epoch);
    const expired = outcome.kind === 'success' && row?.deadline != null && row.deadline <= state.clock();
    verdicts.push(!row ? 'fenced' : expired ? 'expired' : 'committed');
    if (row && !expired) endedRuns.push(...apply(state, row, outcome));
  }
  return { verdicts, endedRuns, released: !state.ready()[Symbol.iterator]().next().done };
}

function apply(state: MemoryState, row: Row, outcome: Outcome): number[] {
  switch (outcome.kind) {
    case 'success': {
      const { value, format = null, schema = null } = outcome;
      const { dataVersion, codeVersion, inputs, upstreams, consumed, metadata, startedAt } = outcome;
      Object.assign(row, {
        value: value && { ...value, format, schema },
        dataVersion,
        codeVersion,
        inputs,
        upstreams,
        edges: consumed,
        metadata,
        startedAt,
      });
      const head = state.head(row.asset, row.partition);
      state.moveHead(head, row.id);
      row.attempts++;
      return state.end(row, 'success');
    }
    case 'skipped':
      row.skipped = { reason: outcome.reason, joined: outcome.joined };
      return state.end(row, 'skipped');
    case 'failed':
      row.attempts++;
      row.startedAt = outcome.startedAt;
      if (outcome.combination) Object.assign(row, outcome.combination);
      return state.end(row, 'failed', outcome.error);
    case 'cancelled':
      return state.end(row, 'cancelled');
    case 'handed_back':
      return state.handBack(row);
    case 'repinned':
      row.repins++;
      return outcome.delay === null ? state.handBack(row) : later(state, row, outcome.delay);
    case 'retry':
      if (row.cancelRequested) return state.end(row, 'cancelled');
      if (outcome.infrastructure) row.rescues++;
      else row.attempts++;
      row.error = outcome.error;
      state.tellEnded(row, 'materialization.retrying', outcome.error);
      later(state, row, outcome.delay);
      state.tell('materialization.retrying', {
        run: row.run,
        materialization: row.id,
        asset: row.asset,
        partition: row.partition,
      });
      return [];
  }
}

/** Back to pending, ready after a delay; what was asked to stop ends instead. Returns runs that ended by it. */
function later(state: MemoryState, row: Row, delay: number): number[] {
  if (row.cancelRequested) return state.end(row, 'cancelled');
  state.giveBack(row, false);
  state.setTimer({ kind: 'retry', owner: row.id, epoch: row.epoch, firesAt: state.clock() + delay });
  return [];
}

/** The row, if it is running at this epoch: the fence. */
function attempt(state: MemoryState, id: number, epoch: number): Row | undefined {
  const row = state.rows.get(id);
  return row?.status === 'running' && row.epoch === epoch ? row : undefined;
}

export function fireTimers(state: MemoryState): Awaited<ReturnType<Ledger['fireTimers']>> {
  const now = state.clock();
  const due: DueDeadline[] = [];
  const rings = new Set<string>();
  let next: number | null = null;
  for (const [name, timer] of [...state.timers]) {
    if (timer.firesAt > now) next = Math.min(next ?? timer.firesAt, timer.firesAt);
    const row = state.rows.get(timer.owner);
    if (timer.firesAt > now || !row) continue;
    if (timer.kind === 'retry') {
      state.timers.delete(name);
      state.setReady(row, true);
      rings.add(state.poolOf(row.asset));
    } else {
      due.push({
        kind: timer.kind,
        id: row.id,
        epoch: timer.epoch,
        run: row.run!,
        asset: row.asset,
        partition: row.partition,
        attempt: row.attempts + 1,
      });
    }
  }
  return { rings: [...rings], due, next: next === null ? null : new Date(next) };
}

export function heldBy(state: MemoryState, process: string): Row[] {
  return [...state.rows.values()].filter((row) => row.status === 'running' && row.process === process);
}

export function rescue(state: MemoryState): TakenBack {
  const lost = [...state.processes.values()].filter(({ leaseUntil }) => leaseUntil <= state.clock());
  if (lost.length === 0) return NOTHING_TAKEN;
  const ids = lost.map(({ id }) => id);
  const error = workerLost(ids);
  const failed: LostMaterialization[] = [];
  let count = 0;
  const endedRuns: number[] = [];
  const toPlan = new Set<string>();
  for (const process of lost) {
    for (const row of heldBy(state, process.id)) {
      count++;
      endedRuns.push(...rescueRow(state, row, error));
      if (row.status === 'failed') failed.push(lostMaterialization(state, row, error.message));
    }
    for (const run of state.runs.values()) {
      if (run.status !== 'planning' || run.planner !== process.id) continue;
      run.planner = null;
      if (++run.planningsLost > RESCUE_CAP) {
        state.failPlanning(run, plannerLost(ids));
        endedRuns.push(run.id);
        continue;
      }
      for (const { asset } of run.request.targets) toPlan.add(state.poolOf(asset));
    }
    state.processes.delete(process.id);
  }
  return { count, endedRuns, rings: [...new Set([...state.readyPools(), ...toPlan])], failed };
}

function rescueRow(state: MemoryState, row: Row, error: ErrorRecord): number[] {
  row.rescues++;
  row.epoch++;
  state.tell('materialization.rescued', {
    run: row.run,
    materialization: row.id,
    asset: row.asset,
    partition: row.partition,
  });
  if (row.rescues <= RESCUE_CAP) {
    if (!row.cancelRequested) state.tellEnded(row, 'materialization.rescued');
    return state.handBack(row);
  }
  return state.end(row, 'failed', error);
}

function lostMaterialization(state: MemoryState, row: Row, message: string): LostMaterialization {
  const { asset, partition, attempts } = row;
  return {
    ...{ run: row.run!, asset, attempt: attempts + 1, message },
    partition: state.isPartitioned(asset) ? partition : undefined,
  };
}
