// Giving work to processes: claims, the beginning of user code, timers.
import type { Ledger } from '../ledger.port.js';
import type { Claim, ClaimRequest } from '../work.js';
import type { AssetNumbers } from './asset-numbers.js';
import type { Database, Sql } from './database.js';
import { claimRecords, type ClaimColumns } from './rows.js';
import { CLAIM_RUN, DESCRIBE_HELD, HAS_READY, HELD, START } from './statements/claiming.js';
import { DUE_DEADLINES, FIRE_RETRIES, NEXT_TIMER } from './statements/timing.js';

interface DueRow {
  readonly kind: 'timeout' | 'cancel';
  readonly id: number;
  readonly epoch: number;
  readonly run_id: number;
  readonly asset_id: number;
  readonly attempts: number;
  readonly partition: string;
}

/** Assets that are claimed in batches, and the size of each. */
interface Batched {
  readonly assets: readonly number[];
  readonly sizes: readonly number[];
}

/** Timers handled per call. */
const TIMER_BATCH = 1000;
/** More are looked for after that, once the deadlines told may have been settled: until then the same are found, ms. */
const SETTLING = 100;

export class Claims {
  // What this ledger has told its callers they hold, by id the newest epoch: after a claim whose answer was lost, what
  // the database says a process holds beyond this was claimed without anyone knowing.
  readonly #told = new Map<string, Map<number, number>>();
  readonly #inDoubt = new Set<string>();
  // A process asks with the same map in every beat.
  readonly #batched = new WeakMap<ReadonlyMap<string, number>, Batched>();
  #inFlight = 0;
  /** The recovery under way. */
  #recovering: Promise<unknown> | undefined;

  constructor(
    readonly database: Database,
    readonly namespace: number,
    readonly assets: AssetNumbers,
  ) {}

  /** Whether the process may hold what it does not know of, since an answer was lost. */
  isInDoubt(process: string): boolean {
    return this.#inDoubt.has(process);
  }

  /** What the process holds without knowing it, if an answer was lost before; alone, since what another call is just claiming is not told yet. */
  async recovered(process: string): Promise<readonly Claim[] | undefined> {
    if (!this.#inDoubt.has(process) || this.#inFlight > 0) return undefined;
    const recovery = this.#recording(process, () => this.#recover(process));
    const over = recovery.then(
      () => (this.#recovering = undefined),
      () => (this.#recovering = undefined),
    );
    this.#recovering = over;
    return recovery;
  }

  /** Claims what is ready of a run which the caller's transaction has just inserted. */
  async claimIn(sql: Sql, run: number, request: ClaimRequest): Promise<readonly Claim[]> {
    const { process, limit } = request;
    if (limit <= 0) return [];
    const assets = await this.assets.bits(sql, request.assets);
    const batched = await this.batched(sql, request);
    const values = [this.namespace, process, limit, assets, run, batched?.assets ?? null, batched?.sizes ?? null];
    const [row] = await sql.rows<{ claims: ClaimColumns | null }>(CLAIM_RUN, values);
    return this.records(sql, row!.claims);
  }

  /** Which assets are claimed in batches, by number, and of which size; undefined: none. Kept by map. */
  async batched(sql: Sql, { batchSizes }: ClaimRequest): Promise<Batched | undefined> {
    if (!batchSizes?.size) return undefined;
    const kept = this.#batched.get(batchSizes);
    if (kept) return kept;
    const numberOf = await this.assets.require(sql, batchSizes.keys());
    const batched = { assets: Array.from(batchSizes.keys(), numberOf), sizes: [...batchSizes.values()] };
    this.#batched.set(batchSizes, batched);
    return batched;
  }

  /** What a process needs of its claims: of those that are its own still. */
  async describe(sql: Sql, process: string, ids: readonly number[]): Promise<readonly Claim[]> {
    if (ids.length === 0) return [];
    const [row] = await sql.rows<{ claims: ClaimColumns | null }>(DESCRIBE_HELD, [process, ids]);
    return this.records(sql, row!.claims);
  }

  async records(sql: Sql, claims: ClaimColumns | null): Promise<readonly Claim[]> {
    return claims ? claimRecords(claims, await this.assets.keys(sql, claims.columns.asset_id)) : [];
  }

  /** Remembers what `fn` claims for a process, and that it may have claimed when its answer was lost. */
  async recording(process: string, fn: () => Promise<readonly Claim[]>): Promise<readonly Claim[]> {
    // Looked at again after each: another may have begun, and what is claimed beside one would be found by both.
    while (this.#recovering) await this.#recovering;
    return this.#recording(process, fn);
  }

  async #recording(process: string, fn: () => Promise<readonly Claim[]>): Promise<readonly Claim[]> {
    this.#inFlight++;
    try {
      const claims = await fn();
      const told = this.#told.get(process) ?? new Map<number, number>();
      this.#told.set(process, told);
      // Answers may come in another order than the claims were made in.
      for (const { id, epoch } of claims) told.set(id, Math.max(epoch, told.get(id) ?? 0));
      return claims;
    } catch (error) {
      this.#inDoubt.add(process);
      throw error;
    } finally {
      this.#inFlight--;
    }
  }

  /** An attempt that is over need not be remembered. */
  forget({ id, epoch }: { readonly id: number; readonly epoch: number }): void {
    for (const told of this.#told.values()) if (told.get(id) === epoch) told.delete(id);
  }

  /** See Ledger.recall. */
  recall(process: string, held: readonly { readonly id: number; readonly epoch: number }[]): void {
    const told = this.#told.get(process);
    if (held.some(({ id, epoch }) => told?.get(id) !== epoch)) this.#inDoubt.add(process);
  }

  /** A process that left holds nothing. */
  forgetProcess(process: string): void {
    this.#told.delete(process);
    this.#inDoubt.delete(process);
  }

  /** See Ledger.start. */
  async start(
    attempts: readonly { id: number; epoch: number; timeout: number | null }[],
  ): Promise<ReadonlySet<number>> {
    if (attempts.length === 0) return new Set();
    const begun = await this.database.rows<{ id: number }>(START, [
      this.namespace,
      attempts.map(({ id }) => id),
      attempts.map(({ epoch }) => epoch),
      attempts.map(({ timeout }) => timeout),
    ]);
    return new Set(begun.map(({ id }) => id));
  }

  /** See Ledger.hasReady. */
  async hasReady(assets: readonly string[]): Promise<boolean> {
    const ids = await this.assets.known(this.database, assets);
    const [row] = await this.database.rows<{ ready: boolean }>(HAS_READY, [this.namespace, ids]);
    return row!.ready;
  }

  /** See Ledger.fireTimers. */
  async fireTimers(): ReturnType<Ledger['fireTimers']> {
    const batch = [this.namespace, TIMER_BATCH];
    const [fired] = await this.database.rows<{ rings: readonly string[]; more: boolean }>(FIRE_RETRIES, batch);
    const due = await this.database.rows<DueRow>(DUE_DEADLINES, batch);
    const soon = fired!.more ? 0 : due.length === TIMER_BATCH ? SETTLING : null;
    const [later] = await this.database.rows<{ next: Date | null }>(NEXT_TIMER, [this.namespace, soon]);
    const keyOf = await this.assets.keys(
      this.database,
      due.map((row) => row.asset_id),
    );
    return {
      rings: fired!.rings,
      next: later!.next,
      due: due.map(({ run_id: run, asset_id, attempts, kind, id, epoch, partition }) => ({
        ...{ kind, id, epoch, run, partition },
        asset: keyOf(asset_id),
        attempt: attempts + 1,
      })),
    };
  }

  /** After a lost answer: what the process holds without knowing it. */
  async #recover(process: string): Promise<readonly Claim[]> {
    const told = this.#told.get(process) ?? new Map<number, number>();
    const held = await this.database.rows<{ id: number; epoch: number }>(HELD, [this.namespace, process]);
    const unknown = held.filter(({ id, epoch }) => told.get(id) !== epoch);
    // What it no longer holds, others have ended.
    const current = new Map(held.map(({ id, epoch }) => [id, epoch]));
    for (const [id, epoch] of told) if (current.get(id) !== epoch) told.delete(id);
    const claims = await this.describe(
      this.database,
      process,
      unknown.map(({ id }) => id),
    );
    this.#inDoubt.delete(process);
    return claims;
  }
}
