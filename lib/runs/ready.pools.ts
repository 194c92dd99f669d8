// Where a plan has something to do as soon as it is recorded, so that those who work there are told.
import { setImmediate as breath } from 'node:timers/promises';
import type { PlanRows } from '../ledger/work.js';
import type { Catalogue } from './catalogue.js';

/** Entries looked at in one turn of the event loop. */
const AT_ONCE = 10_000;

/** The pools of what waits for nothing else of its plan. What nobody declares has none. */
export async function readyPools(plan: PlanRows, catalogue: Catalogue): Promise<ReadonlySet<string>> {
  const { starts } = plan.edges;
  const all = new Set(catalogue.definitions.map(({ pool }) => pool));
  const pools = new Set<string>();
  // Mostly the first entry has the only pool there is.
  for (let index = 0; index < plan.size && pools.size < all.size; index++) {
    if (index % AT_ONCE === AT_ONCE - 1) await breath();
    if (starts[index] !== starts[index + 1] || plan.isBlockedAt(index)) continue;
    const pool = catalogue.find(plan.assetAt(index))?.pool;
    if (pool !== undefined) pools.add(pool);
  }
  return pools;
}
