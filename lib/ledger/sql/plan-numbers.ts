// What the rows of a large plan refer to: assets by number, numbers of their own, and their heads, made where they are
// missing. All of it stands ahead of the plan's transaction or comes beside it; the rows themselves: plan-copy.ts.
import { setImmediate as breath } from 'node:timers/promises';
import { FlowStoneError } from '../../flowstone.errors.js';
import type { PlanRows } from '../work.js';
import type { AssetNumbers } from './asset-numbers.js';
import type { Database } from './database.js';
import { isDuplicate } from './failures.js';
import { type Batch, batchesOf } from './plan-batches.js';
import type { PlanAssets } from './plan-lanes.js';
import { headsText } from './plan-text.js';
import type { Statement } from './statement.js';
import { COPY_HEADS } from './statements/copying.js';
import { MAKE_HEADS, NUMBER_HEADS, NUMBER_ROWS } from './statements/requesting.js';

/** How often a head may be found neither there nor ours to make. Each time, somebody's transaction has ended. */
const MOST_LOOKS = 100;
/** In place of the number of a head that is not there. */
const NONE = 0;

/** A batch whose numbers are being found. */
export interface NumberedBatch extends Batch {
  /** Resolves once its rows have numbers. */
  readonly numbered: Promise<void>;
  /** Resolves once its rows have heads, too. */
  readonly headed: Promise<void>;
}

/** Which asset each row is of. */
export async function numberAssets(
  database: Database,
  plan: PlanRows,
  assetNumbers: AssetNumbers,
): Promise<PlanAssets> {
  const byRow = new Int32Array(plan.size);
  const places = new Map<string, number>();
  for (const { from, to } of batchesOf(plan)) {
    let last: string | undefined;
    let place = 0;
    for (let i = from; i < to; i++) {
      const key = plan.assetAt(i);
      // Rows next to each other are mostly of one asset.
      if (key !== last) {
        last = key;
        if (!places.has(key)) places.set(key, places.size);
        place = places.get(key)!;
      }
      byRow[i] = place;
    }
    await breath();
  }
  const keys = [...places.keys()];
  const distinct = keys.map(await assetNumbers.require(database, keys));
  for (let i = 0; i < plan.size; i++) byRow[i] = distinct[byRow[i]!]!;
  return { byRow, distinct };
}

/**
 * Numbers for the rows of a plan, ascending, and their heads, made where they are missing: batch after batch, in short
 * transactions of their own. A head without a value says nothing, so that it does not matter if the plan never follows.
 */
export class PlanNumbers {
  /** By index. */
  readonly ids: Float64Array;
  readonly heads: Float64Array;
  readonly batches: readonly NumberedBatch[];
  #stopped = false;

  /** Begins at once. */
  constructor(
    private readonly database: Database,
    private readonly plan: PlanRows,
    readonly assets: PlanAssets,
  ) {
    this.ids = new Float64Array(plan.size);
    this.heads = new Float64Array(plan.size);
    let before = Promise.resolve();
    this.batches = batchesOf(plan).map((batch) => {
      const numbered = before.then(() => this.#number(batch));
      const headed = numbered.then(() => this.#giveHeads(batch));
      before = headed;
      // Who waits for them hears of a failure; nobody may.
      for (const step of [numbered, headed]) step.catch(() => undefined);
      return { ...batch, numbered, headed };
    });
  }

  /** Resolves once all rows have numbers and heads. */
  async complete(): Promise<void> {
    await this.batches.at(-1)?.headed;
  }

  /** Begins nothing more; resolves once what is under way has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.complete().catch(() => undefined);
  }

  async #number({ from, to }: Batch): Promise<void> {
    if (this.#stopped) throw new Error('the plan is not wanted any more');
    const ids = await this.#take(NUMBER_ROWS, to - from);
    this.ids.set(ids, from);
  }

  async #giveHeads({ from, to }: Batch): Promise<void> {
    const headless: number[] = [];
    for (let i = from; i < to; i++) {
      this.heads[i] = this.plan.headAt?.(i) ?? NONE;
      if (this.heads[i] === NONE) headless.push(i);
    }
    if (headless.length === 0) return;
    const made = (await this.#copyHeads(headless)) ?? (await this.#findHeads(headless));
    headless.forEach((i, at) => (this.heads[i] = made[at]!));
  }

  /** So many numbers. */
  async #take(statement: Statement, count: number): Promise<ArrayLike<number>> {
    const [row] = await this.database.rows<{ ids: number[] }>(statement, [count]);
    const { ids } = row!;
    // The first alone stands for those that follow it without a gap.
    return ids.length === count ? ids : Float64Array.from({ length: count }, (_, at) => ids[0]! + at);
  }

  /** Heads that the planner has not found; undefined where one is there or made meanwhile. */
  async #copyHeads(rows: readonly number[]): Promise<ArrayLike<number> | undefined> {
    const ids = await this.#take(NUMBER_HEADS, rows.length);
    try {
      const text = (): Iterable<string> => headsText(this.plan, this.assets, rows, ids);
      await this.database.transaction((sql) => sql.copy(COPY_HEADS, text()));
      return ids;
    } catch (error) {
      if (isDuplicate(error)) return undefined;
      throw error;
    }
  }

  async #findHeads(rows: readonly number[]): Promise<ArrayLike<number>> {
    const keys = [rows.map((i) => this.assets.byRow[i]!), rows.map((i) => this.plan.partitionAt(i))];
    for (let look = 1; look <= MOST_LOOKS; look++) {
      const [row] = await this.database.rows<{ heads: number[] }>(MAKE_HEADS, keys);
      if (!row!.heads.includes(NONE)) return row!.heads;
    }
    throw new FlowStoneError('FLOWSTONE_LEDGER_UNAVAILABLE', 'The heads of a plan cannot be found. Plan it again.');
  }
}
