// One materialization: how it stands, what it waits for, what it made.
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { ErrorRecord, JsonObject, JsonValue, MaterializationStatus } from '../records.js';
import { asNumber } from './as-number.js';

@Entity({ name: 'materializations', synchronize: false })
export class MaterializationEntity {
  @PrimaryColumn({ type: 'bigint', transformer: asNumber })
  readonly id!: number;

  @Column({ type: 'bigint', name: 'run_id', nullable: true, transformer: asNumber })
  readonly runId!: number | null;

  @Column({ type: 'bigint', name: 'lane_id', nullable: true, transformer: asNumber })
  readonly laneId!: number | null;

  @Column({ type: 'bigint', name: 'head_id', transformer: asNumber })
  readonly headId!: number;

  @Column({ type: 'integer', name: 'asset_id' })
  readonly assetId!: number;

  @Column({ type: 'integer' })
  readonly namespace!: number;

  @Column({ type: 'integer' })
  readonly priority!: number;

  /** Upstream rows of its run that have not ended. */
  @Column({ type: 'integer' })
  readonly blockers!: number;

  /** The fencing token of its newest attempt. */
  @Column({ type: 'integer' })
  readonly epoch!: number;

  @Column({ type: 'integer' })
  readonly attempts!: number;

  @Column({ type: 'integer' })
  readonly rescues!: number;

  @Column({ type: 'integer' })
  readonly repins!: number;

  @Column({ type: 'boolean' })
  readonly forced!: boolean;

  @Column({ type: 'boolean', name: 'cancel_requested' })
  readonly cancelRequested!: boolean;

  @Column({ type: 'text' })
  readonly status!: MaterializationStatus;

  @Column({ type: 'text', nullable: true })
  readonly process!: string | null;

  /** The holder of its (asset, partition). */
  @Column({ type: 'bigint', name: 'waiting_for', nullable: true, transformer: asNumber })
  readonly waitingFor!: number | null;

  @Column({ type: 'bigint', name: 'waited_for', nullable: true, transformer: asNumber })
  readonly waitedFor!: number | null;

  @Column({ type: 'timestamptz', nullable: true })
  readonly deadline!: Date | null;

  @Column({ type: 'text', name: 'skip_reason', nullable: true })
  readonly skipReason!: 'fresh' | 'joined' | null;

  @Column({ type: 'bigint', nullable: true, transformer: asNumber })
  readonly joined!: number | null;

  @Column({ type: 'text', name: 'code_version', nullable: true })
  readonly codeVersion!: string | null;

  @Column({ type: 'text', name: 'data_version', nullable: true })
  readonly dataVersion!: string | null;

  @Column({ type: 'text', nullable: true })
  readonly inputs!: string | null;

  @Column({ type: 'text', nullable: true })
  readonly upstreams!: string | null;

  @Column({ type: 'text', nullable: true })
  readonly io!: string | null;

  @Column({ type: 'jsonb', nullable: true })
  readonly location!: JsonValue | null;

  @Column({ type: 'bigint', nullable: true, transformer: asNumber })
  readonly size!: number | null;

  @Column({ type: 'bigint', nullable: true, transformer: asNumber })
  readonly rows!: number | null;

  @Column({ type: 'text', nullable: true })
  readonly hash!: string | null;

  @Column({ type: 'text', nullable: true })
  readonly format!: string | null;

  @Column({ type: 'json', nullable: true })
  readonly schema!: JsonValue | null;

  @Column({ type: 'jsonb', nullable: true })
  readonly metadata!: JsonObject | null;

  @Column({ type: 'jsonb', nullable: true })
  readonly error!: ErrorRecord | null;

  /** Hash of the definition that it failed with. */
  @Column({ type: 'text', nullable: true })
  readonly definition!: string | null;

  @Column({ type: 'timestamptz', name: 'created_at' })
  readonly createdAt!: Date;

  @Column({ type: 'timestamptz', name: 'started_at', nullable: true })
  readonly startedAt!: Date | null;

  @Column({ type: 'timestamptz', name: 'completed_at', nullable: true })
  readonly completedAt!: Date | null;
}
