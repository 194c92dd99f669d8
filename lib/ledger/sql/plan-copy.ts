// Large plans on their way into the ledger: by COPY, in one transaction, with little of it in memory at a time.
// What their rows refer to stands in plan-numbers.ts, what they look like in plan-text.ts.
import type { PlanRows } from '../work.js';
import type { Transaction } from './database.js';
import { PlanLanes, type PlanPlace } from './plan-lanes.js';
import type { PlanNumbers } from './plan-numbers.js';
import type { PlanStart } from './plan-rows.js';
import { edgesText, RowsText } from './plan-text.js';
import { COPY_EDGES, COPY_READY, COPY_ROWS } from './statements/copying.js';
import { TELL_BLOCKED } from './statements/requesting.js';

/**
 * Copies the rows with lanes, those that can begin, and edges, as soon as they are numbered.
 * @param between is awaited between statements, and throws where it is all in vain
 */
export async function copyRows(
  sql: Transaction,
  place: PlanPlace,
  plan: PlanRows,
  start: PlanStart,
  numbers: PlanNumbers,
  between: () => Promise<void>,
): Promise<void> {
  const lanes = await PlanLanes.make(sql, place, numbers.assets.distinct);
  const { starts } = plan.edges;
  for (const batch of numbers.batches) {
    await between();
    await lanes.makeFor(sql, plan, numbers.assets.byRow, batch);
    await batch.numbered;
    // Edges first: they need no heads, which are made meanwhile.
    if (starts[batch.to]! > starts[batch.from]!) await sql.copy(COPY_EDGES, edgesText(plan, numbers.ids, batch));
    await batch.headed;
    const text = new RowsText(place, plan, start, numbers, lanes);
    await sql.copy(COPY_ROWS, text.rows(batch));
    const ready = text.ready(batch);
    if (ready) await sql.copy(COPY_READY, ready);
  }
  if (start.counts.failed === 0) return;
  for (const { from, to } of numbers.batches) {
    await sql.rows(TELL_BLOCKED, [place.namespace, place.run, numbers.ids[from], numbers.ids[to - 1]]);
  }
}
