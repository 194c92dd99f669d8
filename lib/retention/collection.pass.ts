// One pass of the collector: values first, then the records that are left of them, runs and events. Small steps, each a
// transaction of its own, with a rest between; a pass that is cut anywhere leaves nothing but work for the next one.
// A value goes in three steps: condemned in the ledger, deleted by its manager, recorded as gone.
import { setTimeout as pause } from 'node:timers/promises';
import type {
  AttemptName,
  CollectionLedger,
  CondemnedValue,
  ValueOwner,
  VersionPolicies,
} from '../ledger/collection.port.js';
import type { IoManager, StoredAttempt } from '../io/io-manager.port.js';
import type { ValueRecord } from '../ledger/records.js';
import type { IoRegistry } from '../io/io.registry.js';
import { crashPoint } from '../runs/crash-points.js';
import type { Retention } from './retention.options.js';

/** Rows that one step looks at: some milliseconds of the database. */
const STEP = 500;
/** Runs whose rows are removed together. */
const RUNS = 100;
/** Values deleted at the same time. */
const DELETIONS = 16;
/** Longest rest between two steps, ms. */
const LONGEST_REST = 1000;
/** Time between two renewals of the turn, ms. */
const RENEW_EVERY = 10_000;

/** How much a pass removed. */
export interface Collected {
  /** Values of superseded or deleted versions. */
  readonly values: number;
  /** Attempts that never committed, of which something was left. */
  readonly orphans: number;
  readonly runs: number;
  readonly materializations: number;
  readonly events: number;
}

export const NOTHING_COLLECTED: Collected = { values: 0, orphans: 0, runs: 0, materializations: 0, events: 0 };

export interface CollectionNews {
  /** Values could not be deleted, this one among them; the next pass tries again. */
  notDeleted(count: number, example: ValueOwner, error: unknown): void;
  /** An I/O manager could not say what it keeps: its orphans stay until the next search. */
  notListed(manager: string, error: unknown): void;
}

/** Has the manager of a value delete it; what is not there is deleted. */
export type DeleteValue = (value: ValueOwner & { readonly value: ValueRecord }) => Promise<void>;

export interface PassOptions {
  readonly namespace: string;
  readonly retention: Retention;
  readonly policies: VersionPolicies;
  /** By the ledger's clock. Ages count back from here. */
  readonly startedAt: Date;
  readonly signal: AbortSignal;
  readonly deleteValue: DeleteValue;
  /** False: the turn is another process's now. */
  keepTurn(): Promise<boolean>;
  readonly news: CollectionNews;
}

export class CollectionPass {
  readonly #collected = { ...NOTHING_COLLECTED };
  #failures = 0;
  #failure: { readonly value: ValueOwner; readonly error: unknown } | undefined;
  #ended = false;
  #stepStarted = performance.now();
  #renewed = performance.now();

  constructor(
    private readonly ledger: CollectionLedger,
    private readonly io: IoRegistry,
    private readonly options: PassOptions,
  ) {}

  /** Whether the pass was cut short: the application closes, or the turn was lost. */
  get ended(): boolean {
    return this.#ended;
  }

  /** @param sweep whether to look for values that no record will ever point at */
  async run(sweep: boolean): Promise<Collected> {
    const { runs, events } = this.options.retention;
    // From before the search for orphans: what an attempt leaves that ends amid it is found by its record, at the next.
    const endedRuns = runs === null ? undefined : this.#ago(runs);
    await this.#condemn();
    for (const collection of await this.ledger.freeCollections()) await this.#deleteValues(collection);
    if (sweep) await this.#sweepOrphans();
    if (endedRuns) {
      await this.#removeRuns(endedRuns);
      await this.#removeKeys();
    }
    if (events !== null) await this.#removeEvents(this.#ago(events));
    this.#tellFailures();
    return this.#collected;
  }

  /** Deletes what a collection condemned, if no attempt can read it any more, and records that. */
  async deleteCollection(collection: number): Promise<void> {
    if ((await this.ledger.freeCollections()).includes(collection)) await this.#deleteValues(collection);
    this.#tellFailures();
  }

  async #condemn(): Promise<void> {
    for (let judged = 1; judged > 0 && (await this.#next());) {
      judged = await this.ledger.condemn(this.options.policies, STEP);
    }
    crashPoint('after-condemn');
  }

  async #deleteValues(collection: number): Promise<void> {
    let after = 0;
    for (let more = true; more && (await this.#next());) {
      const values = await this.ledger.condemned(collection, after, STEP);
      const gone: number[] = [];
      for (let start = 0; start < values.length; start += DELETIONS) {
        const some = values.slice(start, start + DELETIONS);
        const deleted = await Promise.all(some.map((value) => this.#delete(value)));
        gone.push(...some.filter((_, index) => deleted[index]).map(({ materialization }) => materialization));
      }
      crashPoint('after-delete');
      await this.ledger.markGone(gone);
      more = values.length === STEP;
      after = values.at(-1)?.materialization ?? after;
    }
    await this.ledger.closeCollection(collection);
  }

  /** Whether nothing is left of it. A manager that keeps the newest value only leaves what has taken its place. */
  async #delete({ asset, partition, value }: CondemnedValue): Promise<boolean> {
    if (value?.io == null) return true;
    try {
      await this.options.deleteValue({ asset, partition, value });
      this.#collected.values++;
      return true;
    } catch (error) {
      this.#failed({ asset, partition }, error);
      return false;
    }
  }

  async #sweepOrphans(): Promise<void> {
    for (const [name, manager] of this.io.all) {
      if (!manager.list || !manager.discard) continue;
      for await (const batch of this.#listed(name, manager.list(this.options.namespace))) {
        if (!(await this.#next())) return;
        await this.#discardUnreachable(manager, batch);
      }
    }
  }

  /** In steps. What a manager cannot list is told, and keeps nothing else from being collected. */
  async *#listed(name: string, attempts: AsyncIterable<StoredAttempt>): AsyncGenerator<readonly StoredAttempt[]> {
    let batch: StoredAttempt[] = [];
    try {
      for await (const attempt of attempts) {
        if (batch.push(attempt) < STEP) continue;
        yield batch;
        batch = [];
      }
    } catch (error) {
      this.options.news.notListed(name, error);
    }
    if (batch.length > 0) yield batch;
  }

  async #discardUnreachable(manager: IoManager, attempts: readonly StoredAttempt[]): Promise<void> {
    const { namespace, retention } = this.options;
    const before = this.#ago(retention.orphans!);
    const nameOf = ({ materialization, epoch }: AttemptName) => `${materialization}-${epoch}`;
    const orphans = new Map((await this.ledger.unreachable(attempts)).map((orphan) => [nameOf(orphan), orphan]));
    const discarded = new Set<string>();
    for (const attempt of attempts) {
      const name = nameOf(attempt);
      const orphan = orphans.get(name);
      if (!orphan) continue;
      try {
        if (await manager.discard!({ namespace, ...orphan, ...attempt }, before)) discarded.add(name);
      } catch (error) {
        this.#failed(orphan, error);
      }
    }
    this.#collected.orphans += discarded.size;
  }

  async #removeRuns(before: Date): Promise<void> {
    for (let after: number | null = 0; after !== null && (await this.#next());) {
      const {
        runs,
        next,
      }: Awaited<ReturnType<CollectionLedger['expiredRuns']>> = //
        await this.ledger.expiredRuns(before, after, RUNS);
      after = next;
      if (runs.length > 0 && !(await this.#removeContents(runs))) return;
      crashPoint('before-run-removal');
      if (runs.length > 0) this.#collected.runs += await this.ledger.removeRuns(runs);
    }
    for (let judged = 1; judged > 0 && (await this.#next());) {
      const step = await this.ledger.removeRecords(before, STEP);
      judged = step.judged;
      this.#collected.materializations += step.removed;
    }
  }

  /** False: cut short, the runs must stay. */
  async #removeContents(runs: readonly number[]): Promise<boolean> {
    type From = Parameters<CollectionLedger['removeMaterializations']>[1];
    for (let from: From | undefined = null; from !== undefined;) {
      if (!(await this.#next())) return false;
      const {
        removed,
        next,
      }: { removed: number; next: From } = //
        await this.ledger.removeMaterializations(runs, from, STEP);
      this.#collected.materializations += removed;
      from = next ?? undefined;
    }
    for (let removed = STEP; removed >= STEP;) {
      if (!(await this.#next())) return false;
      removed = await this.ledger.removeRunEvents(runs, STEP);
      this.#collected.events += removed;
    }
    return true;
  }

  async #removeKeys(): Promise<void> {
    for (let after: number | null = 0; after !== null && (await this.#next());) {
      const step: { next: number | null } = await this.ledger.removeKeys(after, STEP);
      after = step.next;
    }
  }

  async #removeEvents(before: Date): Promise<void> {
    for (let after: number | null = 0; after !== null && (await this.#next());) {
      const step: { removed: number; next: number | null } = await this.ledger.removeEvents(before, after, STEP);
      after = step.next;
      this.#collected.events += step.removed;
    }
  }

  #failed(value: ValueOwner, error: unknown): void {
    this.#failures++;
    this.#failure ??= { value, error };
  }

  #tellFailures(): void {
    if (this.#failure) this.options.news.notDeleted(this.#failures, this.#failure.value, this.#failure.error);
  }

  #ago(milliseconds: number): Date {
    return new Date(this.options.startedAt.getTime() - milliseconds);
  }

  /** Before each step: rests as long as the last one took, so that others come first; false: no more steps. */
  async #next(): Promise<boolean> {
    const { signal } = this.options;
    if (this.#ended) return false;
    const took = performance.now() - this.#stepStarted;
    await pause(Math.min(took, LONGEST_REST), undefined, { signal }).catch(() => undefined);
    if (performance.now() - this.#renewed > RENEW_EVERY) {
      this.#renewed = performance.now();
      this.#ended = !(await this.options.keepTurn());
    }
    this.#ended ||= signal.aborted;
    this.#stepStarted = performance.now();
    return !this.#ended;
  }
}
