// A run: its request, its counters, how it stands.
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { ErrorRecord, RunRecord, RunRequest, TraceContext } from '../records.js';
import { asNumber } from './as-number.js';

@Entity({ name: 'runs', synchronize: false })
export class RunEntity {
  @PrimaryColumn({ type: 'bigint', transformer: asNumber })
  readonly id!: number;

  @Column({ type: 'integer' })
  readonly namespace!: number;

  @Column({ type: 'text' })
  readonly status!: RunRecord['status'];

  @Column({ type: 'json' })
  readonly request!: RunRequest;

  @Column({ type: 'text', name: 'run_key', nullable: true })
  readonly runKey!: string | null;

  @Column({ type: 'bigint', name: 'retry_of', nullable: true, transformer: asNumber })
  readonly retryOf!: number | null;

  @Column({ type: 'integer' })
  readonly priority!: number;

  @Column({ type: 'jsonb' })
  readonly tags!: Record<string, string>;

  @Column({ type: 'text', name: 'requested_by', nullable: true })
  readonly requestedBy!: string | null;

  @Column({ type: 'integer', name: 'max_concurrency', nullable: true })
  readonly maxConcurrency!: number | null;

  @Column({ type: 'boolean', name: 'fail_fast' })
  readonly failFast!: boolean;

  /** Where its request stands in a trace; only with telemetry. */
  @Column({ type: 'json', nullable: true })
  readonly trace!: TraceContext | null;

  /** Of the request; its column follows from that. */
  @Column({ type: 'double precision', name: 'force_max_age', nullable: true, insert: false, update: false })
  readonly forceMaxAge!: number | null;

  /** What keeps it to `maxConcurrency`. */
  @Column({ type: 'bigint', name: 'limit_id', nullable: true, transformer: asNumber })
  readonly limitId!: number | null;

  /** Materializations that run now. */
  @Column({ type: 'integer' })
  readonly running!: number;

  @Column({ type: 'integer' })
  readonly total!: number;

  @Column({ type: 'integer' })
  readonly success!: number;

  @Column({ type: 'integer' })
  readonly failed!: number;

  @Column({ type: 'integer', name: 'upstream_failed' })
  readonly upstreamFailed!: number;

  @Column({ type: 'integer' })
  readonly skipped!: number;

  @Column({ type: 'integer' })
  readonly cancelled!: number;

  @Column({ type: 'integer', name: 'planning_epoch' })
  readonly planningEpoch!: number;

  /** The process that plans it. */
  @Column({ type: 'text', nullable: true })
  readonly planner!: string | null;

  /** How often that process was lost. */
  @Column({ type: 'integer', name: 'plannings_lost' })
  readonly planningsLost!: number;

  @Column({ type: 'text', name: 'cancel_by', nullable: true })
  readonly cancelBy!: string | null;

  @Column({ type: 'text', name: 'cancel_reason', nullable: true })
  readonly cancelReason!: string | null;

  @Column({ type: 'timestamptz', name: 'cancel_requested_at', nullable: true })
  readonly cancelRequestedAt!: Date | null;

  /** Milliseconds after which what ignores the cancel is fenced. */
  @Column({ type: 'double precision', name: 'cancel_grace', nullable: true })
  readonly cancelGrace!: number | null;

  /** Whether what is pending is being cancelled, in steps: nothing of it is claimed meanwhile. */
  @Column({ type: 'boolean' })
  readonly stopping!: boolean;

  /** The materialization up to which that is done. */
  @Column({ type: 'bigint', name: 'stopped_to', transformer: asNumber })
  readonly stoppedTo!: number;

  /** The materialization after which what depends on failures is still being found, in steps; null: nowhere. */
  @Column({ type: 'bigint', name: 'doomed_to', nullable: true, transformer: asNumber })
  readonly doomedTo!: number | null;

  /** How often that was begun, or had to go back. */
  @Column({ type: 'integer' })
  readonly dooms!: number;

  @Column({ type: 'jsonb', nullable: true })
  readonly error!: ErrorRecord | null;

  @Column({ type: 'timestamptz', name: 'created_at' })
  readonly createdAt!: Date;

  @Column({ type: 'timestamptz', name: 'completed_at', nullable: true })
  readonly completedAt!: Date | null;
}
