// Outages of the ledger: work goes on trying with growing pauses, for ever, until it is told to stop.
import { setTimeout as pause } from 'node:timers/promises';
import { FlowStoneError } from '../flowstone.errors.js';

const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 5000;

/** Whether trying again may help, since it is the ledger that cannot be reached. */
export function isOutage(error: unknown): boolean {
  return error instanceof FlowStoneError && error.family === 'infrastructure' && error.retryable;
}

/**
 * Repeats an operation on the ledger until it answers. Anything but an outage is thrown at once, and so is the outage
 * itself when `signal` is aborted. `onOutage` is told of each failure.
 */
export async function withPatience<T>(
  operation: () => Promise<T>,
  signal: AbortSignal,
  onOutage: (error: unknown) => void,
): Promise<T> {
  for (let next = FIRST_PAUSE; ; next = Math.min(next * 2, LONGEST_PAUSE)) {
    try {
      return await operation();
    } catch (error) {
      if (!isOutage(error) || signal.aborted) throw error;
      onOutage(error);
      // An abort ends the pause early: the operation is tried once more, then its outage is thrown.
      await pause(next, undefined, { signal }).catch(() => undefined);
    }
  }
}
