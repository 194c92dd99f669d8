// The stretches in which the rows of a plan are worked on.
import type { PlanRows } from '../work.js';

/** Rows that are worked on without a pause, so that the host's requests wait for milliseconds only. */
export const ROWS_AT_ONCE = 10_000;

/** Rows from .. to (exclusive). */
export interface Batch {
  readonly from: number;
  readonly to: number;
}

export function batchesOf({ size }: Pick<PlanRows, 'size'>): Batch[] {
  return Array.from({ length: Math.ceil(size / ROWS_AT_ONCE) }, (_, index) => ({
    from: index * ROWS_AT_ONCE,
    to: Math.min((index + 1) * ROWS_AT_ONCE, size),
  }));
}
