// What hooks and notifiers may ask for: kinds of events, and ends of runs by how they ended.
import { shown } from '../assets/expectations.js';
import { didYouMean } from '../graph/did-you-mean.js';
import { EVENT_KINDS, type EventKind } from '../ledger/event.catalogue.js';
import type { FlowStoneEvent } from './event.js';

/** Ends of runs by how they ended, each a part of `run.ended`. */
const RUN_ENDS = { 'run.succeeded': 'success', 'run.failed': 'failed', 'run.cancelled': 'cancelled' } as const;

type RunEnd = keyof typeof RUN_ENDS;

/** A kind of events, or an end of runs: `run.succeeded`, `run.failed` and `run.cancelled` are parts of `run.ended`. */
export type EventName = EventKind | RunEnd;

/** The events of a name. */
export type EventOf<N extends EventName> = FlowStoneEvent<
  Extract<N, EventKind> | (Extract<N, RunEnd> extends never ? never : 'run.ended')
>;

const NAMES: readonly string[] = [...EVENT_KINDS, ...Object.keys(RUN_ENDS)];

/** What is wrong with what should be a list of names; nothing: undefined. */
export function namesProblem(given: unknown): string | undefined {
  if (!Array.isArray(given) || given.length === 0) return 'a list of kinds of events, such as run.failed';
  const unknown: unknown = given.find((name) => typeof name !== 'string' || !NAMES.includes(name));
  if (unknown === undefined) return undefined;
  const hint = typeof unknown === 'string' ? didYouMean(unknown, NAMES) : '';
  return `kinds of events, which ${shown(unknown)} is not${hint}`;
}

/** The kinds to which the names belong. */
export function kindsOf(names: readonly EventName[]): readonly EventKind[] {
  return [...new Set(names.map((name) => (isRunEnd(name) ? 'run.ended' : name)))];
}

/** Whether the event is of one of the names. */
export function isNamed(names: readonly EventName[], event: FlowStoneEvent): boolean {
  return names.some((name) => {
    if (!isRunEnd(name)) return event.kind === name;
    return event.kind === 'run.ended' && event.detail.status === RUN_ENDS[name];
  });
}

function isRunEnd(name: EventName): name is RunEnd {
  return Object.hasOwn(RUN_ENDS, name);
}
