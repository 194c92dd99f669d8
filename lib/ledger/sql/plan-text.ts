// The rows of a large plan in the text format of COPY, some kilobytes at a time. What is sent where: plan-copy.ts.
import type { PlanRows } from '../ledger.port.js';
import type { Batch } from './plan-batches.js';
import type { PlanAssets, PlanLanes, PlanPlace } from './plan-lanes.js';
import { FAILED, PENDING, STATUSES, type PlanStart } from './plan-rows.js';
import { json } from './values.js';

/** Characters that go to the server at once; it works on them while the next are made. */
const SENT_AT_ONCE = 32_768;

/** What rows refer to, by index. */
export interface RowNumbers {
  readonly ids: Float64Array;
  readonly heads: Float64Array;
  readonly assets: PlanAssets;
}

/** Heads of these rows under these numbers, without a value. */
export function* headsText(
  plan: PlanRows,
  { byRow }: PlanAssets,
  rows: readonly number[],
  ids: ArrayLike<number>,
): Generator<string> {
  let text = '';
  for (let at = 0; at < rows.length; at++) {
    const row = rows[at]!;
    text += `${ids[at]!}\t${byRow[row]!}\t${escaped(plan.partitionAt(row))}\n`;
    if (text.length < SENT_AT_ONCE) continue;
    yield text;
    text = '';
  }
  if (text !== '') yield text;
}

/** What each row depends on. */
export function* edgesText(plan: PlanRows, ids: Float64Array, { from, to }: Batch): Generator<string> {
  const { starts, upstreams, ordering } = plan.edges;
  let text = '';
  for (let i = from; i < to; i++) {
    const downstream = `${ids[i]!}\t`;
    for (let edge = starts[i]!; edge < starts[i + 1]!; edge++) {
      text += downstream + ids[upstreams[edge]!]! + (ordering?.[edge] === 1 ? '\tt\n' : '\tf\n');
    }
    if (text.length < SENT_AT_ONCE) continue;
    yield text;
    text = '';
  }
  if (text !== '') yield text;
}

/** What a row has in common with many others: all but its number, its head and its error. */
interface Kind {
  readonly asset: number;
  readonly lane: number;
  readonly priority: number;
  readonly status: number;
  readonly blockers: number;
  readonly forced: boolean;
}

/** The materializations of a plan, and which of them are ready. */
export class RowsText {
  /** Those that can begin among the rows made so far. */
  readonly ready: string[] = [];
  readonly #place: string;

  constructor(
    { namespace, run }: PlanPlace,
    private readonly plan: PlanRows,
    private readonly start: PlanStart,
    private readonly numbers: RowNumbers,
    private readonly lanes: PlanLanes,
  ) {
    this.#place = `\t${namespace}\t${run}\t`;
  }

  *rows({ from, to }: Batch): Generator<string> {
    const { ids, heads } = this.numbers;
    let text = '';
    let ready = '';
    // Rows next to each other are mostly of one kind.
    let kind: Kind | undefined;
    let end = '';
    let lane = '';
    let asset = '';
    for (let i = from; i < to; i++) {
      const next = this.#kindOf(i);
      if (kind === undefined || next.status === FAILED || !isSame(kind, next)) {
        kind = next;
        end = this.#endOf(kind, i);
        lane = `${kind.lane}\t${-kind.priority}\t`;
        asset = `\t${kind.asset}\n`;
      }
      text += `${ids[i]!}\t${heads[i]!}${end}`;
      if (kind.status === PENDING && kind.blockers === 0) ready += lane + ids[i]! + asset;
      if (text.length < SENT_AT_ONCE) continue;
      yield text;
      text = '';
      if (ready !== '') this.ready.push(ready);
      ready = '';
    }
    if (ready !== '') this.ready.push(ready);
    if (text !== '') yield text;
  }

  #kindOf(i: number): Kind {
    const asset = this.numbers.assets.byRow[i]!;
    const { starts } = this.plan.edges;
    return {
      asset,
      lane: this.lanes.of(asset, this.plan, i),
      priority: this.plan.priorityAt(i),
      status: this.start.statuses[i]!,
      blockers: starts[i + 1]! - starts[i]!,
      forced: this.plan.forcedAt(i),
    };
  }

  #endOf({ asset, lane, priority, status, blockers, forced }: Kind, i: number): string {
    const error = status === FAILED ? escaped(json(this.plan.blockedAt(i))) : '\\N';
    // `now` is the beginning of the transaction, as in created_at.
    const completed = status === PENDING ? '\\N' : 'now';
    return `${this.#place}${lane}\t${priority}\t${asset}\t${forced ? 't' : 'f'}\t${blockers}\t${STATUSES[status]!}\t${error}\t${completed}\n`;
  }
}

function isSame(one: Kind, other: Kind): boolean {
  return (
    one.asset === other.asset &&
    one.lane === other.lane &&
    one.priority === other.priority &&
    one.status === other.status &&
    one.blockers === other.blockers &&
    one.forced === other.forced
  );
}

/** For a column in the text format of COPY. */
function escaped(text: string): string {
  if (!/[\\\t\n\r]/.test(text)) return text;
  return text.replaceAll('\\', '\\\\').replaceAll('\t', '\\t').replaceAll('\n', '\\n').replaceAll('\r', '\\r');
}
