// What the in-memory ledger keeps: records, and what only it needs of each.
import type { ApprovalRecord } from '../approval.records.js';
import type { ApprovalRequest } from '../approvals.port.js';
import type { ProcessResource } from '../process.records.js';
import type { DescribedValue, MaterializationRecord, RunRecord, ValueRecord } from '../records.js';
import type { AssetRegistration, ProcessRegistration } from '../registrations.js';
import { NO_COUNTS } from '../transitions.js';
import type { MemoryPools } from './memory-pools.js';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** A materialization with what only the scheduler needs. */
export interface Row extends Mutable<MaterializationRecord> {
  /** What bounded it when it was planned: its pool, and the key it has there; nothing, where it never waits. */
  places: readonly [] | ReturnType<MemoryPools['placesOf']>;
  /** Running: those with the same number share a place. */
  batch: number | null;
  rescues: number;
  repins: number;
  priority: number;
  /** Upstream rows of the same run that have not ended. */
  blockers: number;
  ready: boolean;
  /** The holder it last waited for. */
  waitedFor: number | null;
  inputs: string | null;
  upstreams: string | null;
  /** Hash of the definition that it failed with. */
  definition: string | null;
  /** Upstream materializations: planned ones until success, then those consumed. */
  edges: readonly number[];
  deadline: number | null;
  /** The number of the attempt of which was told that it began, and not yet that it ended. */
  toldAttempt: number | null;
  cancelRequested: boolean;
}

/** An approval with what only the ledger needs. */
export interface ApprovalRow {
  record: ApprovalRecord;
  readonly request: ApprovalRequest;
}

export interface Head {
  materialization: number | null;
  active: number | null;
  invalidated: boolean;
  failed: boolean;
}

export interface RunRow extends Mutable<RunRecord> {
  counts: Mutable<RunRecord['counts']>;
  planningEpoch: number;
  planner: string | null;
  planningsLost: number;
  rows: number[];
  /** Places that are taken: a batch has one. */
  places: number;
}

/** A version that is no head any more. */
export interface Superseded {
  readonly at: number;
  /** What it was condemned with. */
  collection: number | null;
  gone: boolean;
}

export interface Timer {
  readonly kind: 'retry' | 'timeout' | 'cancel';
  readonly owner: number;
  readonly epoch: number;
  readonly firesAt: number;
}

export interface ProcessRow extends ProcessRegistration {
  readonly enteredAt: Date;
  leaseUntil: number;
  /** Other definitions may count than it knows. */
  outdated: boolean;
  readonly assets: ReadonlyMap<string, AssetRegistration>;
  readonly resources: Map<string, ProcessResource>;
}

/** A definition and when it was first seen, as a sequence number. */
export interface DefinitionRow extends AssetRegistration {
  readonly first: number;
  readonly at: Date;
}

/** A run that is about to be planned. */
export function newRunRow(
  id: number,
  run: Omit<
    RunRow,
    | 'id'
    | 'status'
    | 'counts'
    | 'cancelRequested'
    | 'error'
    | 'completedAt'
    | 'planningEpoch'
    | 'planner'
    | 'planningsLost'
    | 'rows'
    | 'places'
  >,
): RunRow {
  return {
    ...run,
    id,
    status: 'planning',
    counts: { ...NO_COUNTS },
    cancelRequested: null,
    error: null,
    completedAt: null,
    planningEpoch: 0,
    planner: null,
    planningsLost: 0,
    rows: [],
    places: 0,
  };
}

/** Whether partitions `all` or a list names this one. */
export function names(partitions: 'all' | readonly string[], partition: string): boolean {
  return partitions === 'all' || partitions.includes(partition);
}

/** Of a value, what heads tell. */
export function located(value: DescribedValue | null): ValueRecord | null {
  if (!value) return null;
  const { io, location, size, rows, hash } = value;
  return { io, location, size, rows, hash };
}
