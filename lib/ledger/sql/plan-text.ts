// The rows of a large plan in the text format of COPY, some kilobytes at a time. What is sent where: plan-copy.ts.
import type { PlanRows } from '../work.js';
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

/** The text of each index from .. to (exclusive), gathered to what is sent at once. */
function* gathered(from: number, to: number, textAt: (index: number) => string): Generator<string> {
  let text = '';
  for (let index = from; index < to; index++) {
    text += textAt(index);
    if (text.length < SENT_AT_ONCE) continue;
    yield text;
    text = '';
  }
  if (text !== '') yield text;
}

/** Heads of these rows under these numbers, without a value. */
export function headsText(
  plan: PlanRows,
  { byRow }: PlanAssets,
  rows: readonly number[],
  ids: ArrayLike<number>,
): Generator<string> {
  return gathered(0, rows.length, (at) => {
    const row = rows[at]!;
    return `${ids[at]!}\t${byRow[row]!}\t${escaped(plan.partitionAt(row))}\n`;
  });
}

/** What each row depends on. */
export function edgesText(plan: PlanRows, ids: Float64Array, { from, to }: Batch): Generator<string> {
  const { starts, upstreams, ordering } = plan.edges;
  return gathered(from, to, (i) => {
    const downstream = `${ids[i]!}\t`;
    let text = '';
    for (let edge = starts[i]!; edge < starts[i + 1]!; edge++) {
      text += downstream + ids[upstreams[edge]!]! + (ordering?.[edge] === 1 ? '\tt\n' : '\tf\n');
    }
    return text;
  });
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

  rows({ from, to }: Batch): Generator<string> {
    const { ids, heads } = this.numbers;
    // Rows next to each other are mostly of one kind.
    let kind: Kind | undefined;
    let end = '';
    return gathered(from, to, (i) => {
      const next = this.#kindOf(i);
      if (kind === undefined || next.status === FAILED || !isSame(kind, next)) {
        kind = next;
        end = this.#endOf(kind, i);
      }
      return `${ids[i]!}\t${heads[i]!}${end}`;
    });
  }

  /** Those that can begin, as they are offered; undefined: there are none. */
  ready({ from, to }: Batch): Generator<string> | undefined {
    let first = from;
    while (first < to && !this.#canBegin(first)) first++;
    if (first === to) return undefined;
    return gathered(first, to, (i) => {
      if (!this.#canBegin(i)) return '';
      const { lane, priority, asset } = this.#kindOf(i);
      return `${lane}\t${-priority}\t${this.numbers.ids[i]!}\t${asset}\n`;
    });
  }

  #canBegin(i: number): boolean {
    const { starts } = this.plan.edges;
    return this.start.statuses[i] === PENDING && starts[i] === starts[i + 1];
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
