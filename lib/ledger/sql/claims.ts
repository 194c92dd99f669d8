// Giving work to processes: claims, the beginning of user code, timers.
import type { Claim, ClaimRequest, DueDeadline } from '../ledger.port.js';
import type { AssetNumbers } from './asset-numbers.js';
import type { Database, Sql } from './database.js';
import { claimRecord, type ClaimRow } from './rows.js';
import { CLAIM, CLAIM_THESE, CLAIMED, HAS_READY, HELD, START } from './statements/claiming.js';
import { DUE_DEADLINES, FIRE_RETRIES, NEXT_TIMER } from './statements/timing.js';

interface Taken {
  readonly id: number;
  readonly taken: boolean;
  readonly candidates: number;
}

interface DueRow {
  readonly kind: 'timeout' | 'cancel';
  readonly id: number;
  readonly epoch: number;
  readonly run_id: number;
  readonly asset_id: number;
  readonly attempts: number;
  readonly partition: string;
}

/** Timers handled per call; what is left is due at once in the next. */
const TIMER_BATCH = 1000;

export class Claims {
  // What this ledger has told its callers they hold: after a claim whose answer was lost, what the database says a
  // process holds beyond this was claimed without anyone knowing.
  readonly #told = new Map<string, Set<string>>();
  readonly #inDoubt = new Set<string>();
  #inFlight = 0;
  #recovering: Promise<unknown> = Promise.resolve();

  constructor(
    readonly database: Database,
    readonly namespace: number,
    readonly assets: AssetNumbers,
  ) {}

  /** See Ledger.claim. */
  async claim(request: ClaimRequest): Promise<readonly Claim[]> {
    const { process } = request;
    if (request.limit <= 0) return [];
    const assets = await this.assets.known(this.database, request.assets);
    // Alone, since what another call is just claiming is not told yet.
    if (this.#inDoubt.has(process) && this.#inFlight === 0) {
      const recovery = this.#recording(process, () => this.#recover(process));
      this.#recovering = recovery.catch(() => undefined);
      return recovery;
    }
    return this.recording(process, async () => {
      const ids: number[] = [];
      // Repeated while rows that only began to wait used up the limit.
      for (;;) {
        const limit = request.limit - ids.length;
        const found = await this.database.rows<Taken>(CLAIM, [process, this.namespace, assets, limit]);
        const taken = found.filter((row) => row.taken);
        ids.push(...taken.map(({ id }) => id));
        const mayBeMore = found.length > taken.length && (found[0]?.candidates ?? 0) >= limit;
        if (!mayBeMore || ids.length >= request.limit) break;
      }
      return this.describe(this.database, ids);
    });
  }

  /** Claims some rows which the caller's transaction has just inserted. */
  async claimIn(sql: Sql, process: string, ids: readonly number[]): Promise<readonly Claim[]> {
    if (ids.length === 0) return [];
    const found = await sql.rows<Taken>(CLAIM_THESE, [process, this.namespace, ids]);
    return this.describe(
      sql,
      found.filter((row) => row.taken).map(({ id }) => id),
    );
  }

  /** What a worker needs of its claims. */
  async describe(sql: Sql, ids: readonly number[]): Promise<readonly Claim[]> {
    if (ids.length === 0) return [];
    const rows = await sql.rows<ClaimRow>(CLAIMED, [ids]);
    const keyOf = await this.assets.keys(
      sql,
      rows.map((row) => row.asset_id),
    );
    return rows.map((row) => claimRecord(row, keyOf(row.asset_id)));
  }

  /** Remembers what `fn` claims for a process, and that it may have claimed when its answer was lost. */
  async recording(process: string, fn: () => Promise<readonly Claim[]>): Promise<readonly Claim[]> {
    await this.#recovering;
    return this.#recording(process, fn);
  }

  async #recording(process: string, fn: () => Promise<readonly Claim[]>): Promise<readonly Claim[]> {
    this.#inFlight++;
    try {
      const claims = await fn();
      const told = this.#told.get(process) ?? new Set();
      this.#told.set(process, told);
      for (const { id, epoch } of claims) told.add(`${id}:${epoch}`);
      return claims;
    } catch (error) {
      this.#inDoubt.add(process);
      throw error;
    } finally {
      this.#inFlight--;
    }
  }

  /** Attempts that are over need not be remembered. */
  forget(attempts: readonly { readonly id: number; readonly epoch: number }[]): void {
    for (const told of this.#told.values()) for (const { id, epoch } of attempts) told.delete(`${id}:${epoch}`);
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
  async fireTimers(): Promise<{ released: number; due: readonly DueDeadline[]; next: Date | null }> {
    const batch = [this.namespace, TIMER_BATCH];
    const [fired] = await this.database.rows<{ released: number }>(FIRE_RETRIES, batch);
    const due = await this.database.rows<DueRow>(DUE_DEADLINES, batch);
    const [{ next } = { next: null }] = await this.database.rows<{ next: Date | null }>(NEXT_TIMER, [this.namespace]);
    const keyOf = await this.assets.keys(
      this.database,
      due.map((row) => row.asset_id),
    );
    return {
      released: fired!.released,
      next,
      due: due.map(({ run_id: run, asset_id, attempts, kind, id, epoch, partition }) => ({
        ...{ kind, id, epoch, run, partition },
        asset: keyOf(asset_id),
        attempt: attempts + 1,
      })),
    };
  }

  /** After a lost answer: what the process holds without knowing it. */
  async #recover(process: string): Promise<readonly Claim[]> {
    const told = this.#told.get(process) ?? new Set();
    const held = await this.database.rows<{ id: number; epoch: number }>(HELD, [this.namespace, [process]]);
    const unknown = held.filter(({ id, epoch }) => !told.has(`${id}:${epoch}`));
    const claims = await this.describe(
      this.database,
      unknown.map(({ id }) => id),
    );
    this.#inDoubt.delete(process);
    return claims;
  }
}
