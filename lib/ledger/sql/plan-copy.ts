// Large plans on their way into the ledger: by COPY, in one transaction, with little of it in memory at a time.
import { FlowStoneError } from '../../flowstone.errors.js';
import type { PlanRows } from '../ledger.port.js';
import type { AssetNumbers } from './asset-numbers.js';
import type { Database, Sql, Transaction } from './database.js';
import { isDuplicate } from './failures.js';
import { FAILED, PENDING, ROWS_AT_ONCE, STATUSES, type PlanStart } from './plan-rows.js';
import { addKeysAhead, PlanLanes, type PlanPlace } from './plan-lanes.js';
import { COPY_EDGES, COPY_HEADS, COPY_READY, COPY_ROWS } from './statements/copying.js';
import { MAKE_HEADS, NUMBER_ROWS, TELL_BLOCKED } from './statements/requesting.js';
import { json } from './values.js';

/** Characters of edges that go in one statement. */
const EDGES_AT_ONCE = 1_000_000;
/** How often a head may be found neither there nor ours to make. Each time, somebody's transaction has ended. */
const MOST_LOOKS = 100;
/** In place of the number of a head that is not there. */
const NONE = 0;

/** What the rows of a plan refer to, by index. */
export interface Numbers {
  readonly ids: Float64Array;
  readonly heads: Float64Array;
  readonly assets: Int32Array;
}

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
  for (const [from, to] of batches(plan.size)) {
    const indices = Array.from({ length: to - from }, (_, offset) => from + offset);
    const keys = indices.map((i) => plan.assetAt(i));
    assets.set(keys.map(await assetNumbers.require(database, keys)), from);
    const rows: HeadKeys = [[...assets.subarray(from, to)], indices.map((i) => plan.partitionAt(i))];
    const [row] = await database.rows<NumberedRows>(NUMBER_ROWS, rows);
    ids.set(row!.ids, from);
    heads.set((await copyHeads(database, rows, row!)) ?? (await makeHeads(database, rows)), from);
  }
  await addKeysAhead(database, namespace, plan, assets, batches(plan.size));
  return { ids, heads, assets };
}

type HeadKeys = [assets: number[], partitions: string[]];

interface NumberedRows {
  readonly ids: readonly number[];
  readonly heads: readonly number[];
  readonly made: readonly number[] | null;
}

/** The heads, once those that are missing were copied; undefined where somebody else has made one meanwhile. */
async function copyHeads(
  database: Database,
  [assets, partitions]: HeadKeys,
  { heads, made }: NumberedRows,
): Promise<number[] | undefined> {
  let rows = '';
  let next = 0;
  const all = heads.map((head, i) => {
    if (head !== NONE) return head;
    const id = made![next++]!;
    rows += `${id}\t${assets[i]!}\t${escaped(partitions[i]!)}\n`;
    return id;
  });
  if (rows === '') return all;
  try {
    await database.transaction((sql) => sql.copy(COPY_HEADS, Buffer.from(rows)));
    return all;
  } catch (error) {
    if (isDuplicate(error)) return undefined;
    throw error;
  }
}

async function makeHeads(sql: Sql, rows: HeadKeys): Promise<number[]> {
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
  const lanes = await PlanLanes.make(sql, place, [...new Set(numbers.assets)]);
  for (const [from, to] of batches(plan.size)) {
    await between();
    await lanes.makeFor(sql, plan, numbers.assets, from, to);
    const { rows, ready } = encodeRows(place, plan, start, numbers, lanes, from, to);
    await sql.copy(COPY_ROWS, Buffer.from(rows));
    if (ready !== '') await sql.copy(COPY_READY, Buffer.from(ready));
    for (const edges of encodeEdges(plan, numbers.ids, from, to)) await sql.copy(COPY_EDGES, Buffer.from(edges));
  }
  if (start.counts.failed === 0) return;
  for (const [from, to] of batches(plan.size)) {
    await sql.rows(TELL_BLOCKED, [place.namespace, place.run, numbers.ids[from], numbers.ids[to - 1]]);
  }
}

function encodeRows(
  { namespace, run }: PlanPlace,
  plan: PlanRows,
  { statuses }: PlanStart,
  { ids, heads, assets }: Numbers,
  lanes: PlanLanes,
  from: number,
  to: number,
): { rows: string; ready: string } {
  let rows = '';
  let ready = '';
  const { starts } = plan.edges;
  for (let i = from; i < to; i++) {
    const [id, asset, status] = [ids[i]!, assets[i]!, statuses[i]!];
    const lane = lanes.of(asset, plan, i);
    const priority = plan.priorityAt(i);
    const blockers = starts[i + 1]! - starts[i]!;
    const forced = plan.forcedAt(i) ? 't' : 'f';
    const error = status === FAILED ? escaped(json(plan.blockedAt(i))) : '\\N';
    // `now` is the beginning of the transaction, as in created_at.
    const completed = status === PENDING ? '\\N' : 'now';
    rows += `${id}\t${namespace}\t${run}\t${lane}\t${priority}\t${asset}\t${heads[i]!}\t${forced}\t${blockers}\t${STATUSES[status]!}\t${error}\t${completed}\n`;
    if (status === PENDING && blockers === 0) ready += `${lane}\t${-priority}\t${id}\t${asset}\n`;
  }
  return { rows, ready };
}

function* encodeEdges(plan: PlanRows, ids: Float64Array, from: number, to: number): Generator<string> {
  const { starts, upstreams, ordering } = plan.edges;
  let edges = '';
  for (let i = from; i < to; i++) {
    for (let edge = starts[i]!; edge < starts[i + 1]!; edge++) {
      edges += `${ids[i]!}\t${ids[upstreams[edge]!]!}\t${ordering?.[edge] === 1 ? 't' : 'f'}\n`;
      if (edges.length < EDGES_AT_ONCE) continue;
      yield edges;
      edges = '';
    }
  }
  if (edges !== '') yield edges;
}

/** For a column in the text format of COPY. */
function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\t', '\\t').replaceAll('\n', '\\n').replaceAll('\r', '\\r');
}

/** Ranges that are worked on without a pause, from .. to (exclusive). */
function* batches(size: number): Generator<[number, number]> {
  for (let from = 0; from < size; from += ROWS_AT_ONCE) yield [from, Math.min(from + ROWS_AT_ONCE, size)];
}
