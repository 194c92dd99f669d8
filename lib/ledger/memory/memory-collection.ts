// Retention on the in-memory ledger. There is no index: each step looks at all there is, which a memory can afford.
import type {
  AttemptName,
  CollectionLedger,
  CollectionTurn,
  CondemnedValue,
  RemovalStep,
  RunProgressMark,
  ValueOwner,
  VersionPolicies,
} from '../collection.port.js';
import type { VersionPolicy } from '../records.js';
import { isTerminal } from '../transitions.js';
import { located, type Row } from './memory-rows.js';
import type { MemoryState } from './memory-state.js';

export class MemoryCollection implements CollectionLedger {
  readonly #state: MemoryState;
  #turn: { collector: string | null; at: number; orphansAt: number };

  constructor(state: MemoryState) {
    this.#state = state;
    this.#turn = { collector: null, at: state.clock(), orphansAt: state.clock() };
  }

  async takeTurn(
    process: string,
    { lease, now }: { readonly lease: number; readonly now: boolean },
  ): Promise<CollectionTurn | undefined> {
    const time = this.#state.clock();
    const { at, collector, orphansAt } = this.#turn;
    if (at > time && !(now && collector === null)) return undefined;
    this.#turn = { collector: process, at: time + lease, orphansAt };
    return { startedAt: new Date(time), orphansDue: orphansAt <= time };
  }

  async keepTurn(process: string, lease: number): Promise<boolean> {
    if (this.#turn.collector !== process) return false;
    this.#turn.at = this.#state.clock() + lease;
    return true;
  }

  async endTurn(process: string, { every, orphans }: { every: number; orphans: number | null }): Promise<void> {
    if (this.#turn.collector !== process) return;
    const time = this.#state.clock();
    const orphansAt = orphans === null ? this.#turn.orphansAt : time + orphans;
    this.#turn = { collector: null, at: time + every, orphansAt };
  }

  async condemn(policies: VersionPolicies, limit: number): Promise<number> {
    const time = this.#state.clock();
    const newer = new Map<string, number>();
    const ids: number[] = [];
    // Newest first, so that the n-th of a head is met as such.
    const kept = [...this.#state.superseded].filter(([, { collection, gone }]) => collection === null && !gone);
    for (const [id, { at }] of kept.toReversed()) {
      const { asset, partition } = this.#state.rows.get(id)!;
      const head = JSON.stringify([asset, partition]);
      const before = newer.get(head) ?? 1;
      newer.set(head, before + 1);
      const policy = policies.byAsset.get(asset) ?? policies.otherwise;
      if (!keeps(policy, before, time - at)) ids.push(id);
    }
    const condemned = ids.slice(-limit);
    this.#state.condemn(condemned);
    return condemned.length;
  }

  async freeCollections(): Promise<readonly number[]> {
    const holds = ({ id, epoch }: { id: number; epoch: number | null }): boolean => {
      const row = this.#state.rows.get(id);
      if (!row) return false;
      return epoch === null ? !isTerminal(row.status) : row.status === 'running' && row.epoch === epoch;
    };
    return [...this.#state.collections].flatMap(([id, holders]) => (holders.some(holds) ? [] : [id]));
  }

  async condemned(collection: number, after: number, limit: number): Promise<readonly CondemnedValue[]> {
    const ids = this.#of(collection).filter((id) => id > after);
    return ids
      .sort((a, b) => a - b)
      .slice(0, limit)
      .map((materialization) => {
        const row = this.#state.rows.get(materialization)!;
        return { materialization, ...this.#owner(row), value: located(row.value) };
      });
  }

  async markGone(materializations: readonly number[]): Promise<void> {
    for (const id of materializations) {
      const version = this.#state.superseded.get(id);
      if (version && version.collection !== null) Object.assign(version, { collection: null, gone: true });
    }
  }

  async closeCollection(collection: number): Promise<void> {
    if (this.#of(collection).length === 0) this.#state.collections.delete(collection);
  }

  async expiredRuns(before: Date, after: number, limit: number): ReturnType<CollectionLedger['expiredRuns']> {
    const all = [...this.#state.runs.values()];
    const retried = new Set(all.flatMap((run) => (run.completedAt === null ? [run.retryOf] : [])));
    const runs = all
      .filter(({ id, completedAt }) => id > after && completedAt !== null && completedAt <= before && !retried.has(id))
      .map(({ id }) => id);
    return { runs: runs.slice(0, limit), next: runs.length > limit ? runs[limit - 1]! : null };
  }

  async removeMaterializations(
    runs: readonly number[],
    from: RunProgressMark | null,
    limit: number,
  ): Promise<RemovalStep<RunProgressMark>> {
    const consumed = this.#consumedByHeads();
    const left = from ? runs.slice(runs.indexOf(from.run)) : runs;
    const page = left
      .flatMap((id) => (this.#state.runs.get(id)?.rows ?? []).map((row) => ({ run: id, after: row })))
      .filter(({ run, after }) => run !== from?.run || after > from.after)
      .slice(0, limit);
    const removable = page.filter(({ after: id }) => {
      const { status } = this.#state.rows.get(id)!;
      if (status !== 'success') return isTerminal(status);
      return this.#state.superseded.get(id)?.gone === true && !consumed.has(id);
    });
    this.#state.removeRows(removable.map(({ after }) => after));
    for (const { after: id } of page) this.#state.logs.delete(id);
    return { removed: removable.length, next: page.length === limit ? page.at(-1)! : null };
  }

  async removeRunEvents(runs: readonly number[], limit: number): Promise<number> {
    return this.#state.removeEvents(({ run }) => run !== null && runs.includes(run), limit);
  }

  async removeRuns(runs: readonly number[]): Promise<number> {
    return runs.filter((id) => this.#state.removeRun(id)).length;
  }

  async removeRecords(before: Date, limit: number): Promise<{ judged: number; removed: number }> {
    const consumed = this.#consumedByHeads();
    const due = [...this.#state.superseded].flatMap(([id, { gone, at }]) => {
      const { run } = this.#state.rows.get(id)!;
      const bound = run === null ? at >= before.getTime() : this.#state.runs.has(run);
      return gone && !bound && !consumed.has(id) ? [id] : [];
    });
    const removed = due.slice(0, limit);
    this.#state.removeRows(removed);
    return { judged: removed.length, removed: removed.length };
  }

  async removeKeys(): Promise<RemovalStep<number>> {
    return { removed: this.#state.removeKeys(), next: null };
  }

  async removeEvents(before: Date, _after: number, limit: number): Promise<RemovalStep<number>> {
    const removed = this.#state.removeEvents(({ at }) => at <= before, limit);
    return { removed, next: removed === limit ? 0 : null };
  }

  async unreachable(attempts: readonly AttemptName[]): Promise<readonly (AttemptName & ValueOwner)[]> {
    return attempts.flatMap((attempt) => {
      const row = this.#state.rows.get(attempt.materialization);
      if (!row || attempt.epoch > row.epoch) return [];
      const ended = row.status === 'pending' || (isTerminal(row.status) && row.status !== 'success');
      const gone = this.#state.superseded.get(row.id)?.gone === true;
      return attempt.epoch < row.epoch || ended || gone ? [{ ...attempt, ...this.#owner(row) }] : [];
    });
  }

  #of(collection: number): number[] {
    return [...this.#state.superseded].flatMap(([id, version]) => (version.collection === collection ? [id] : []));
  }

  #owner({ asset, partition }: Row): ValueOwner {
    return { asset, partition: this.#state.isPartitioned(asset) ? partition : undefined };
  }

  /** What heads directly consumed. */
  #consumedByHeads(): ReadonlySet<number> {
    const consumed = new Set<number>();
    for (const heads of this.#state.heads.values()) {
      for (const { materialization } of heads.values()) {
        for (const id of (materialization !== null && this.#state.rows.get(materialization)?.edges) || [])
          consumed.add(id);
      }
    }
    return consumed;
  }
}

function keeps(policy: VersionPolicy, newer: number, age: number): boolean {
  if (policy === 'all') return true;
  return 'keep' in policy ? newer < policy.keep : age < policy.age;
}
