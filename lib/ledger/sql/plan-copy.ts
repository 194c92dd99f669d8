// Large plans on their way into the ledger: by COPY, in one transaction, with little of it in memory at a time.
// What their rows look like there stands in plan-text.ts.
import { FlowStoneError } from '../../flowstone.errors.js';
import type { PlanRows } from '../ledger.port.js';
import type { AssetNumbers } from './asset-numbers.js';
import type { Database, Sql, Transaction } from './database.js';
import { isDuplicate } from './failures.js';
import { ROWS_AT_ONCE, type PlanStart } from './plan-rows.js';
import { addKeysAhead, PlanLanes, type PlanPlace } from './plan-lanes.js';
import { edgesText, type HeadKey, headsText, type Numbers, RowsText } from './plan-text.js';
import { COPY_EDGES, COPY_HEADS, COPY_READY, COPY_ROWS } from './statements/copying.js';
import { MAKE_HEADS, NUMBER_ROWS, TELL_BLOCKED } from './statements/requesting.js';

/** How often a head may be found neither there nor ours to make. Each time, somebody's transaction has ended. */
const MOST_LOOKS = 100;
/** In place of the number of a head that is not there. */
const NONE = 0;

/**
 * Numbers for the rows of a plan, ascending, and their heads, made where they are missing: in many short transactions
 * ahead of the plan's own. A head without a value says nothing, so that it does not matter if the plan never follows.
 */
export async function numberRows(
  database: Database,
  namespace: number,
  plan: PlanRows,
  assetNumbers: AssetNumbers,
): Promise<Numbers> {
  const ids = new Float64Array(plan.size);
  const heads = new Float64Array(plan.size);
  const assets = new Int32Array(plan.size);
  const distinct = new Set<number>();
  for (const [from, to] of batches(plan.size)) {
    const keys = new Set<string>();
    const headless: number[] = [];
    for (let i = from; i < to; i++) {
      keys.add(plan.assetAt(i));
      heads[i] = plan.headAt?.(i) ?? NONE;
      if (heads[i] === NONE) headless.push(i);
    }
    const numberOf = await assetNumbers.require(database, keys);
    for (const key of keys) distinct.add(numberOf(key));
    for (let i = from; i < to; i++) assets[i] = numberOf(plan.assetAt(i));
    const [row] = await database.rows<NumberedRows>(NUMBER_ROWS, [to - from, headless.length]);
    eachNumber(row!.ids, to - from, (id, at) => (ids[from + at] = id));
    if (headless.length === 0) continue;
    const missing = headless.map((i) => ({ asset: assets[i]!, partition: plan.partitionAt(i) }));
    const made = (await copyHeads(database, missing, row!.heads!)) ?? (await makeHeads(database, missing));
    headless.forEach((i, at) => (heads[i] = made[at]!));
  }
  const numbers = { ids, heads, assets, distinct: [...distinct] };
  await addKeysAhead(database, namespace, plan, numbers, batches(plan.size));
  return numbers;
}

/** The first number alone stands for those that follow it without a gap. */
interface NumberedRows {
  readonly ids: readonly number[];
  readonly heads: readonly number[] | null;
}

function eachNumber(numbers: readonly number[], count: number, visit: (number: number, at: number) => void): void {
  const [first = 0] = numbers;
  const listed = numbers.length === count;
  for (let at = 0; at < count; at++) visit(listed ? numbers[at]! : first + at, at);
}

/** Heads under these numbers, since the planner has found none; undefined where one is there or made meanwhile. */
async function copyHeads(
  database: Database,
  keys: readonly HeadKey[],
  numbers: readonly number[],
): Promise<number[] | undefined> {
  const ids: number[] = [];
  eachNumber(numbers, keys.length, (id) => ids.push(id));
  try {
    await database.transaction((sql) => sql.copy(COPY_HEADS, headsText(keys, ids)));
    return ids;
  } catch (error) {
    if (isDuplicate(error)) return undefined;
    throw error;
  }
}

async function makeHeads(sql: Sql, keys: readonly HeadKey[]): Promise<readonly number[]> {
  const rows = [keys.map(({ asset }) => asset), keys.map(({ partition }) => partition)];
  for (let look = 1; look <= MOST_LOOKS; look++) {
    const [row] = await sql.rows<{ heads: number[] }>(MAKE_HEADS, rows);
    if (!row!.heads.includes(NONE)) return row!.heads;
  }
  throw new FlowStoneError('FLOWSTONE_LEDGER_UNAVAILABLE', 'The heads of a plan cannot be found. Plan it again.');
}

/**
 * Copies the rows with lanes, those that can begin, and edges.
 * @param between is awaited between statements, and throws where it is all in vain
 */
export async function copyRows(
  sql: Transaction,
  place: PlanPlace,
  plan: PlanRows,
  start: PlanStart,
  numbers: Numbers,
  between: () => Promise<void>,
): Promise<void> {
  const lanes = await PlanLanes.make(sql, place, numbers.distinct);
  for (const [from, to] of batches(plan.size)) {
    await between();
    await lanes.makeFor(sql, plan, numbers.assets, from, to);
    const text = new RowsText(place, plan, start, numbers, lanes);
    await sql.copy(COPY_ROWS, text.rows(from, to));
    if (text.ready.length > 0) await sql.copy(COPY_READY, text.ready);
    if (plan.edges.starts[to]! > plan.edges.starts[from]!) {
      await sql.copy(COPY_EDGES, edgesText(plan, numbers.ids, from, to));
    }
  }
  if (start.counts.failed === 0) return;
  for (const [from, to] of batches(plan.size)) {
    await sql.rows(TELL_BLOCKED, [place.namespace, place.run, numbers.ids[from], numbers.ids[to - 1]]);
  }
}

/** Ranges that are worked on without a pause, from .. to (exclusive). */
function* batches(size: number): Generator<[number, number]> {
  for (let from = 0; from < size; from += ROWS_AT_ONCE) yield [from, Math.min(from + ROWS_AT_ONCE, size)];
}
