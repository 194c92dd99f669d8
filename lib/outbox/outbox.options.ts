// What an application says of what leaves it, its defaults, and what is wrong with it.
import { EXPECTED_DURATION, readDuration, type Duration } from '../assets/duration.js';
import { unknownName } from '../graph/did-you-mean.js';

/** Of notices that leave the system (docs/outbox.md). */
export interface OutboxOptions {
  /** How long it is tried to send one; then it is dropped. Default `7d`. */
  readonly keepFor?: Duration;
}

/** The same with every default filled in; times in ms. */
export interface Outbox {
  readonly keepFor: number;
}

export const DEFAULT_OUTBOX: Outbox = { keepFor: 7 * 86_400_000 };

/** The option `outbox` of forRoot(). Throws a TypeError that completes "outbox must be". */
export function readOutbox(given: unknown): Outbox {
  if (typeof given !== 'object' || given === null) return wrong('an object of keepFor');
  const unknown = unknownName(given, Object.keys(DEFAULT_OUTBOX));
  if (unknown !== undefined) return wrong(`without ${unknown}: it has keepFor`);
  const { keepFor } = given as { readonly keepFor?: unknown };
  if (keepFor === undefined) return DEFAULT_OUTBOX;
  return { keepFor: readDuration(keepFor) ?? wrong(`such that keepFor is a duration: ${EXPECTED_DURATION}`) };
}

function wrong(expected: string): never {
  throw new TypeError(expected);
}
