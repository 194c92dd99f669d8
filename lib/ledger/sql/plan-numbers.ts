// What the rows of a large plan refer to: assets by number, numbers of their own, and their heads, made where they are
// missing. All of it stands ahead of the plan's transaction or comes beside it; the rows themselves: plan-copy.ts.
import { setImmediate as breath } from 'node:timers/promises';
import { FlowStoneError } from '../../flowstone.errors.js';
import type { PlanRows } from '../ledger.port.js';
import type { AssetNumbers } from './asset-numbers.js';
import type { Database } from './database.js';
import { isDuplicate } from './failures.js';
import { type Batch, batchesOf } from './plan-batches.js';
import type { PlanAssets } from './plan-lanes.js';
import { type HeadKey, headsText } from './plan-text.js';
import { COPY_HEADS } from './statements/copying.js';
import { MAKE_HEADS, NUMBER_ROWS } from './statements/requesting.js';

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

/** Rows of a batch that have no head yet, and numbers for heads of theirs. */
interface Headless {
  readonly rows: readonly number[];
  readonly numbers: readonly number[];
}

/** The first number alone stands for those that follow it without a gap. */
interface NumbersRow {
  readonly ids: readonly number[];
  readonly heads: readonly number[] | null;
}

/** Which asset each row is of. */
export async function numberAssets(
  database: Database,
  plan: PlanRows,
  assetNumbers: AssetNumbers,
): Promise<PlanAssets> {
  const byRow = new Int32Array(plan.size);
  const distinct = new Set<number>();
  for (const { from, to } of batchesOf(plan)) {
    const keys = new Set<string>();
    for (let i = from; i < to; i++) keys.add(plan.assetAt(i));
    const numberOf = await assetNumbers.require(database, keys);
    for (const key of keys) distinct.add(numberOf(key));
    for (let i = from; i < to; i++) byRow[i] = numberOf(plan.assetAt(i));
    await breath();
  }
  return { byRow, distinct: [...distinct] };
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
      const making = before.then(() => this.#number(batch));
      const numbered = making.then(() => undefined);
      const headed = making.then((made) => this.#makeHeads(made));
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

  async #number({ from, to }: Batch): Promise<Headless> {
    if (this.#stopped) throw new Error('the plan is not wanted any more');
    const rows: number[] = [];
    for (let i = from; i < to; i++) {
      this.heads[i] = this.plan.headAt?.(i) ?? NONE;
      if (this.heads[i] === NONE) rows.push(i);
    }
    const [row] = await this.database.rows<NumbersRow>(NUMBER_ROWS, [to - from, rows.length]);
    listed(row!.ids, to - from).forEach((id, at) => (this.ids[from + at] = id));
    return { rows, numbers: listed(row!.heads ?? [], rows.length) };
  }

  async #makeHeads({ rows, numbers }: Headless): Promise<void> {
    if (rows.length === 0) return;
    const keys = rows.map((i) => ({ asset: this.assets.byRow[i]!, partition: this.plan.partitionAt(i) }));
    const made = (await this.#copyHeads(keys, numbers)) ?? (await this.#findHeads(keys));
    rows.forEach((i, at) => (this.heads[i] = made[at]!));
  }

  /** Heads under these numbers, since the planner has found none; undefined where one is there or made meanwhile. */
  async #copyHeads(keys: readonly HeadKey[], numbers: readonly number[]): Promise<readonly number[] | undefined> {
    try {
      await this.database.transaction((sql) => sql.copy(COPY_HEADS, headsText(keys, numbers)));
      return numbers;
    } catch (error) {
      if (isDuplicate(error)) return undefined;
      throw error;
    }
  }

  async #findHeads(keys: readonly HeadKey[]): Promise<readonly number[]> {
    const rows = [keys.map(({ asset }) => asset), keys.map(({ partition }) => partition)];
    for (let look = 1; look <= MOST_LOOKS; look++) {
      const [row] = await this.database.rows<{ heads: number[] }>(MAKE_HEADS, rows);
      if (!row!.heads.includes(NONE)) return row!.heads;
    }
    throw new FlowStoneError('FLOWSTONE_LEDGER_UNAVAILABLE', 'The heads of a plan cannot be found. Plan it again.');
  }
}

function listed(numbers: readonly number[], count: number): readonly number[] {
  return numbers.length === count ? numbers : Array.from({ length: count }, (_, at) => numbers[0]! + at);
}
