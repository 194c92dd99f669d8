// Rows as our statements return them, and the records of the port made from them.
import type { Claim } from '../work.js';
import type {
  ErrorRecord,
  EventKind,
  EventRecord,
  HeadRecord,
  JsonObject,
  JsonValue,
  MaterializationRecord,
  MaterializationStatus,
  RunRecord,
  DescribedValue,
  RunRequest,
  TraceContext,
  ValueColumn,
  ValueRecord,
} from '../records.js';

export interface RunRow {
  readonly id: number;
  readonly status: RunRecord['status'];
  readonly request: RunRequest;
  readonly run_key: string | null;
  readonly retry_of: number | null;
  readonly priority: number;
  readonly tags: Readonly<Record<string, string>>;
  readonly requested_by: string | null;
  readonly max_concurrency: number | null;
  readonly fail_fast: boolean;
  readonly trace: TraceContext | null;
  readonly total: number;
  readonly success: number;
  readonly failed: number;
  readonly upstream_failed: number;
  readonly skipped: number;
  readonly cancelled: number;
  readonly running: number;
  /** How many wait for a decision; left out where none can. */
  readonly waiting?: number;
  readonly planning_epoch: number;
  readonly cancel_by: string | null;
  readonly cancel_reason: string | null;
  readonly cancel_requested_at: Date | null;
  readonly error: ErrorRecord | null;
  readonly created_at: Date;
  readonly completed_at: Date | null;
}

/** A run as it was when retention removed it, from its row as JSON, in which times are texts. */
export function removedRunRow(row: JsonValue): RunRow {
  const kept = row as unknown as RunRow;
  const date = (at: Date | null): Date | null => at && new Date(at);
  return {
    ...kept,
    running: 0,
    created_at: new Date(kept.created_at),
    completed_at: date(kept.completed_at),
    cancel_requested_at: date(kept.cancel_requested_at),
  };
}

interface ValueColumns {
  readonly io: string | null;
  readonly location: JsonValue;
  readonly size: number | null;
  readonly rows: number | null;
  readonly hash: string | null;
}

export interface VersionColumns extends ValueColumns {
  readonly data_version: string | null;
  readonly code_version: string | null;
  readonly inputs: string | null;
  readonly upstreams: string | null;
  readonly completed_at: Date | null;
}

export interface HeadRow extends VersionColumns {
  readonly id: number;
  readonly asset_id: number;
  readonly partition: string;
  readonly materialization_id: number | null;
  readonly invalidated: boolean;
  readonly failed: boolean;
  readonly active_materialization: number | null;
}

/** A version as JSON: times are texts. */
interface VersionJson extends Omit<VersionColumns, 'completed_at'> {
  readonly id: number;
  readonly completed_at: string;
}

/** Claims by column, in the order in which they are to begin, and what several share once (function `describe_claims`). */
export interface ClaimColumns {
  readonly claimed_at: string;
  readonly columns: {
    readonly id: readonly number[];
    readonly run_id: readonly number[];
    readonly asset_id: readonly number[];
    readonly partition: readonly string[];
    readonly epoch: readonly number[];
    readonly attempts: readonly number[];
    readonly rescues: readonly number[];
    readonly repins: readonly number[];
    readonly forced: readonly boolean[];
    readonly priority: readonly number[];
    readonly waited_for: readonly (number | null)[];
    readonly head: readonly (number | null)[];
    readonly invalidated: readonly boolean[];
    readonly failed: readonly boolean[];
    readonly batch: readonly (number | null)[];
  };
  readonly runs: readonly {
    readonly id: number;
    readonly requested_by: string | null;
    readonly tags: Readonly<Record<string, string>>;
    readonly force_max_age: number | null;
  }[];
  readonly heads: readonly VersionJson[] | null;
  readonly joined: readonly NonNullable<Claim['joined']>[] | null;
}

/** A column of stored rows: name, type, nullable. */
type PackedColumn = readonly [name: string, type: string, nullable?: boolean];

export interface MaterializationRow extends VersionColumns {
  readonly format: string | null;
  readonly schema: readonly PackedColumn[] | null;
  readonly id: number;
  readonly run_id: number | null;
  readonly asset_id: number;
  readonly partition: string;
  readonly status: MaterializationStatus;
  readonly forced: boolean;
  readonly epoch: number;
  readonly attempts: number;
  readonly process: string | null;
  readonly waiting_for: number | null;
  readonly skip_reason: 'fresh' | 'joined' | null;
  readonly joined: number | null;
  readonly error: ErrorRecord | null;
  readonly value_removed: boolean;
  readonly metadata: JsonObject | null;
  readonly created_at: Date;
  readonly started_at: Date | null;
}

export interface EventRow {
  readonly id: number;
  readonly at: Date;
  readonly kind: EventKind;
  readonly run_id: number | null;
  readonly materialization_id: number | null;
  readonly asset_id: number | null;
  readonly partition: string | null;
  readonly actor: string | null;
  readonly detail: JsonObject | null;
}

export function runRecord(row: RunRow): RunRecord {
  const { total, success, failed, upstream_failed, skipped, cancelled, running, waiting = 0 } = row;
  const ended = success + failed + upstream_failed + skipped + cancelled;
  return {
    id: row.id,
    status: row.status,
    request: row.request,
    runKey: row.run_key,
    retryOf: row.retry_of,
    priority: row.priority,
    tags: row.tags,
    requestedBy: row.requested_by,
    maxConcurrency: row.max_concurrency,
    failFast: row.fail_fast,
    ...(row.trace && { trace: row.trace }),
    counts: {
      ...{ total, success, failed, upstream_failed, skipped, cancelled, running },
      waiting_approval: waiting,
      pending: total - ended - running - waiting,
    },
    cancelRequested: row.cancel_requested_at && {
      by: row.cancel_by,
      reason: row.cancel_reason,
      at: row.cancel_requested_at,
    },
    error: row.error,
    createdAt: row.created_at,
    completedAt: row.completed_at,
  };
}

/** Null where nothing was stored and nothing is known of a value. */
export function valueRecord({ io, location, size, rows, hash }: ValueColumns): ValueRecord | null {
  if (io === null && location === null && size === null && rows === null && hash === null) return null;
  return { io, location, size, rows, hash };
}

/** As it is stored: short, since every version of rows has one. */
export function packSchema(schema: readonly ValueColumn[]): PackedColumn[] {
  return schema.map(({ name, type, nullable }) => (nullable === undefined ? [name, type] : [name, type, nullable]));
}

function describedValue(row: MaterializationRow): DescribedValue | null {
  const value = valueRecord(row);
  const schema = row.schema?.map(([name, type, nullable]) => ({
    name,
    type,
    ...(nullable !== undefined && { nullable }),
  }));
  return value && { ...value, format: row.format, schema: schema ?? null };
}

export function headRecord(row: HeadRow): HeadRecord {
  return {
    id: row.id,
    partition: row.partition,
    materialization: row.materialization_id,
    dataVersion: row.data_version,
    codeVersion: row.code_version,
    inputs: row.inputs,
    upstreams: row.upstreams,
    invalidated: row.invalidated,
    failed: row.failed,
    value: valueRecord(row),
    completedAt: row.completed_at,
    active: row.active_materialization,
  };
}

export function claimRecords(claims: ClaimColumns, keyOf: (asset: number) => string): Claim[] {
  const { columns } = claims;
  const runs = byId(claims.runs);
  const versions = byId(claims.heads);
  const joined = byId(claims.joined);
  const claimedAt = new Date(claims.claimed_at);
  return columns.id.map((id, at) => {
    const run = runs.get(columns.run_id[at])!;
    const version = versions.get(columns.head[at]);
    return {
      id,
      run: run.id,
      asset: keyOf(columns.asset_id[at]!),
      partition: columns.partition[at]!,
      epoch: columns.epoch[at]!,
      attempt: columns.attempts[at]! + 1,
      rescues: columns.rescues[at]!,
      repins: columns.repins[at]!,
      forced: columns.forced[at]!,
      batch: columns.batch[at]!,
      forceMaxAge: run.force_max_age,
      priority: columns.priority[at]!,
      requestedBy: run.requested_by,
      tags: run.tags,
      joined: joined.get(columns.waited_for[at]) ?? null,
      head: {
        partition: columns.partition[at]!,
        materialization: version?.id ?? null,
        dataVersion: version?.data_version ?? null,
        codeVersion: version?.code_version ?? null,
        inputs: version?.inputs ?? null,
        upstreams: version?.upstreams ?? null,
        invalidated: columns.invalidated[at]!,
        failed: columns.failed[at]!,
        value: version ? valueRecord(version) : null,
        completedAt: version ? new Date(version.completed_at) : null,
        // What runs has the lock.
        active: id,
      },
      claimedAt,
    };
  });
}

function byId<T extends { readonly id: number }>(rows: readonly T[] | null): ReadonlyMap<number | null | undefined, T> {
  return new Map(rows?.map((row) => [row.id, row]));
}

export function materializationRecord(row: MaterializationRow, asset: string): MaterializationRecord {
  return {
    id: row.id,
    run: row.run_id,
    asset,
    partition: row.partition,
    status: row.status,
    forced: row.forced,
    epoch: row.epoch,
    attempts: row.attempts,
    process: row.process,
    waitingFor: row.waiting_for,
    skipped: row.skip_reason && { reason: row.skip_reason, joined: row.joined },
    error: row.error,
    codeVersion: row.code_version,
    dataVersion: row.data_version,
    value: describedValue(row),
    valueRemoved: row.value_removed,
    metadata: row.metadata,
    createdAt: row.created_at,
    startedAt: row.started_at,
    completedAt: row.completed_at,
  };
}

export function eventRecord(row: EventRow, keyOf: (asset: number) => string): EventRecord {
  return {
    id: row.id,
    at: row.at,
    kind: row.kind,
    run: row.run_id,
    materialization: row.materialization_id,
    asset: row.asset_id === null ? null : keyOf(row.asset_id),
    partition: row.partition,
    actor: row.actor,
    detail: row.detail,
  };
}
