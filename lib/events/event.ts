// An event as listeners get it: typed by its kind.
import { EVENT_CATALOGUE, type DetailOf, type EventKind, type SubjectsOf } from '../ledger/event.catalogue.js';
import type { EventRecord } from '../ledger/records.js';

/**
 * An event of one kind, or of any of several: what it is about is not null then, and `detail` has the shape of its kind.
 * `id` is unique in the ledger, `at` the ledger's time. Narrow a union by `event.kind`.
 */
export type FlowStoneEvent<K extends EventKind = EventKind> = {
  [P in K]: Omit<EventRecord, 'kind' | 'detail' | SubjectsOf<P>> & {
    readonly [S in SubjectsOf<P>]: NonNullable<EventRecord[S]>;
  } & { readonly kind: P; readonly detail: DetailOf<P> };
}[K];

/** The record as what its kind says it is; undefined: of a kind that this version does not know (a newer one wrote it). */
export function eventOf(record: EventRecord): FlowStoneEvent | undefined {
  return Object.hasOwn(EVENT_CATALOGUE, record.kind) ? (record as FlowStoneEvent) : undefined;
}
