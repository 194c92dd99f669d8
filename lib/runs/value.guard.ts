// What looks at a value before it may be committed. Implementation: lib/checks/blocking.checks.ts.
import type { ContextPartition } from '../assets/asset.context.js';
import { isRowStream } from '../io/data-version.js';
import { spoolRows } from '../io/spooled.rows.js';
import type { Claim } from '../ledger/work.js';

/** Whose value it is. */
export interface GuardedPlace {
  readonly claim: Claim;
  readonly partition: ContextPartition;
  readonly signal: AbortSignal;
}

export interface ValueGuard {
  /** Rejects where the value must not be committed. Rows can be read any number of times. */
  examine(value: unknown, place: GuardedPlace): Promise<void>;
}

/** The guard of each asset that has one, by key. */
export type ValueGuards = ReadonlyMap<string, ValueGuard>;

/** A value that may be committed. */
export interface GuardedValue {
  /** What is to be stored: rows that came once are others now. */
  readonly value: unknown;
  /** Once it is stored. Never rejects. */
  release?(): Promise<void>;
}

/** Rows that come once are kept until they are released, so that the guard can look at them, and a manager after it. */
export async function guarded(guard: ValueGuard, value: unknown, place: GuardedPlace): Promise<GuardedValue> {
  if (!isRowStream(value)) {
    await guard.examine(value, place);
    return { value };
  }
  const spooled = await spoolRows(value, place.signal);
  try {
    await guard.examine(spooled.rows, place);
    place.signal.throwIfAborted();
    return { value: spooled.rows, release: () => spooled.release() };
  } catch (error) {
    await spooled.release();
    throw error;
  }
}
