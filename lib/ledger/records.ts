// What the ledger keeps, as plain data: the words of docs/semantics used by planning, runs, service and admin.
// No behaviour here; the transitions between statuses stand in transitions.ts.

import type { EventKind } from './event.catalogue.js';
import type { JsonObject, JsonValue } from './json.js';

export type { EventKind } from './event.catalogue.js';
export type { JsonObject, JsonValue } from './json.js';

export const MATERIALIZATION_STATUSES = [
  'pending',
  'running',
  'waiting_approval',
  'success',
  'failed',
  'upstream_failed',
  'skipped',
  'cancelled',
] as const;

/** Status of one materialization. `skipped` means that nothing needed doing; `upstream_failed` that it could not run. */
export type MaterializationStatus = (typeof MATERIALIZATION_STATUSES)[number];

/** Status of a run. `waiting` is derived on read, never stored: only what nobody can progress now is left. */
export type RunStatus = 'planning' | 'running' | 'waiting' | 'success' | 'failed' | 'cancelled';

/** How many materializations of a run are in each status. `total` is their sum. */
export type RunCounts = Readonly<Record<MaterializationStatus | 'total', number>>;

/** A failure as it is stored and shown: never a stack of ours, the user's own stack kept in `stack`. */
export interface ErrorRecord {
  readonly code: string;
  readonly family: string;
  readonly message: string;
  readonly retryable: boolean;
  readonly stack?: string;
  readonly context?: JsonObject;
}

/**
 * Which partitions of a target a request names. Keys are canonical; `from` and `to` are both inclusive. `only`: those of
 * them that are in this state when the run is planned.
 */
export type PartitionSelection =
  | 'all'
  | 'missing'
  | 'stale'
  | 'failed'
  | { readonly keys: readonly string[]; readonly only?: 'stale' }
  | { readonly from: string; readonly to: string; readonly only?: 'stale' };

/** What a run was asked for, validated and canonical: equal requests have equal JSON. */
export interface RunRequest {
  readonly targets: readonly { readonly asset: string; readonly partitions: PartitionSelection }[];
  readonly upstream: 'stale' | 'all' | 'none';
  readonly downstream: boolean;
  readonly force: boolean;
  /** With `force`: a head committed within so many ms before the claim meets it as well (ensure). Null: none does. */
  readonly forceMaxAge: number | null;
}

/** Who acts and why, for the events. */
export interface Act {
  readonly actor: string | null;
  readonly reason: string | null;
}

/** Where a request stands in a trace, in the words of W3C Trace Context. */
export interface TraceContext {
  readonly traceparent: string;
  readonly tracestate?: string;
}

/** A run that is about to be recorded. */
export interface NewRun {
  readonly request: RunRequest;
  readonly runKey: string | null;
  readonly retryOf: number | null;
  readonly priority: number;
  readonly tags: Readonly<Record<string, string>>;
  readonly requestedBy: string | null;
  /** At most so many of its materializations run at once; null: no limit of its own. */
  readonly maxConcurrency: number | null;
  readonly failFast: boolean;
  /** Of who requested it, with telemetry: spans of the run in any process belong to that trace. */
  readonly trace?: TraceContext;
}

/** A recorded run. */
export interface RunRecord extends NewRun {
  readonly id: number;
  readonly status: Exclude<RunStatus, 'waiting'>;
  readonly counts: RunCounts;
  readonly cancelRequested: { readonly by: string | null; readonly reason: string | null; readonly at: Date } | null;
  /** Why planning failed, for a run that ended `failed` without a materialization. */
  readonly error: ErrorRecord | null;
  readonly createdAt: Date;
  readonly completedAt: Date | null;
}

/** Where a stored value lies and what is known of it. */
export interface ValueRecord {
  /** Name of the I/O manager it was stored with; loads use it, whatever the asset declares now. Null: no value. */
  readonly io: string | null;
  readonly location: JsonValue;
  readonly size: number | null;
  readonly rows: number | null;
  /** Content hash by canonical value, null where the manager gives none. */
  readonly hash: string | null;
}

/** A column of stored rows. */
export interface ValueColumn {
  readonly name: string;
  /** In the words of the format or table; else by the values: string, number, bigint, boolean, date, bytes, json, mixed, null. */
  readonly type: string;
  /** Left out: not known. */
  readonly nullable?: boolean;
}

/** A value with what it looks like, for those who look at it; loading needs none of that. */
export interface DescribedValue extends ValueRecord {
  /** How it is encoded, in the words of its manager; null where that does not say. */
  readonly format: string | null;
  /** The first columns of rows (MOST_COLUMNS), where they are known. */
  readonly schema: readonly ValueColumn[] | null;
}

/** Which versions of an asset keep their values: the newest so many, the head included; younger ones (ms); or all. */
export type VersionPolicy = { readonly keep: number } | { readonly age: number } | 'all';

/** Everything recorded of one materialization. */
export interface MaterializationRecord {
  readonly id: number;
  /** Null for a version reported of an external asset. */
  readonly run: number | null;
  readonly asset: string;
  readonly partition: string;
  readonly status: MaterializationStatus;
  readonly forced: boolean;
  readonly epoch: number;
  /** Attempts of the asset's own that ended (infrastructure failures not counted), the running one not included. */
  readonly attempts: number;
  /** Id of the executing process, null before the first claim. */
  readonly process: string | null;
  /** The materialization this one waits for, since it holds (asset, partition). */
  readonly waitingFor: number | null;
  /** Why it was skipped, and the materialization it joined. */
  readonly skipped: { readonly reason: 'fresh' | 'joined'; readonly joined: number | null } | null;
  readonly error: ErrorRecord | null;
  readonly codeVersion: string | null;
  readonly dataVersion: string | null;
  readonly value: DescribedValue | null;
  /** The value cannot be loaded any more: retention or a deletion has removed it, or is about to. */
  readonly valueRemoved: boolean;
  readonly metadata: JsonObject | null;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly completedAt: Date | null;
}

/** The head of one (asset, partition), with what status and look-again compare. */
export interface HeadRecord {
  /** Its number, where the ledger numbers heads; not in claims. */
  readonly id?: number;
  readonly partition: string;
  /** Null: no materialization succeeded yet, or its value was deleted. */
  readonly materialization: number | null;
  readonly dataVersion: string | null;
  readonly codeVersion: string | null;
  /** Fingerprint of all that was consumed (planning: inputsFingerprint). */
  readonly inputs: string | null;
  /** The asset keys that were declared as upstream, sorted and joined by commas. */
  readonly upstreams: string | null;
  readonly invalidated: boolean;
  /** The newest materialization ended `failed` or `upstream_failed`. */
  readonly failed: boolean;
  readonly value: ValueRecord | null;
  /** When the head was committed. */
  readonly completedAt: Date | null;
  /** The materialization that holds this partition now. */
  readonly active: number | null;
}

/** One consumed version: an edge of lineage, seen from the consumer. */
export interface ConsumedInput {
  readonly materialization: number;
  readonly asset: string;
  readonly partition: string;
  readonly dataVersion: string;
}

/** A consumed version whose own record was removed by retention: provenance ends there. */
export interface RemovedInput {
  readonly materialization: number;
  readonly removed: 'by retention';
}

/** What may happen to an approval. */
export type ApprovalActKind =
  | 'requested'
  | 'voted'
  | 'proposed'
  | 'approved'
  | 'modified'
  | 'rejected'
  | 'received'
  | 'timed_out'
  | 'escalated'
  | 'extended'
  | 'commented'
  | 'superseded'
  | 'cancelled';

/** A fact worth telling: what happened to a run, a materialization or an asset, by whom. */
export interface EventRecord {
  readonly id: number;
  readonly at: Date;
  readonly kind: EventKind;
  readonly run: number | null;
  readonly materialization: number | null;
  readonly asset: string | null;
  readonly partition: string | null;
  readonly actor: string | null;
  readonly detail: JsonObject | null;
}
