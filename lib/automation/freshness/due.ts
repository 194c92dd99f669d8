// When something is due that may be so old: the one rule of freshness.
import type { FreshnessDefinition } from '../../assets/asset.definition.js';
import { nextTicks } from '../cron-ticks.js';

/**
 * By when it has to be computed (again), ms, if it was at `reference`, or the window of its partition ended then: `maxLag` later, or
 * at the first tick after that. Infinity: at no time that can be told.
 */
export function dueAfter({ maxLag, clock }: FreshnessDefinition, reference: number): number {
  const oldest = reference + maxLag;
  if (!clock) return oldest;
  return nextTicks(clock.cron, clock.timeZone, oldest, 1)[0] ?? Infinity;
}
