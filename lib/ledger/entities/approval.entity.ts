// A request for a decision that a materialization waits for, and how it was decided.
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { JsonObject, JsonValue } from '../records.js';
import { asNumber } from './as-number.js';

@Entity({ name: 'approvals', synchronize: false })
export class ApprovalEntity {
  @PrimaryColumn({ type: 'bigint', transformer: asNumber })
  readonly id!: number;

  @Column({ type: 'integer' })
  readonly namespace!: number;

  @Column({ type: 'bigint', name: 'materialization_id', transformer: asNumber })
  readonly materialization!: number;

  /** Of the attempt that asked. */
  @Column({ type: 'integer' })
  readonly epoch!: number;

  /** SHA-256 (hex) of the token of a signal. */
  @Column({ type: 'text', nullable: true })
  readonly token!: string | null;

  @Column({ type: 'bigint', name: 'run_id', transformer: asNumber })
  readonly run!: number;

  @Column({ type: 'integer', name: 'asset_id' })
  readonly asset!: number;

  @Column({ type: 'bigint', name: 'head_id', transformer: asNumber })
  readonly head!: number;

  @Column({ type: 'text' })
  readonly status!: string;

  @Column({ type: 'text' })
  readonly message!: string;

  @Column({ type: 'text', name: 'requested_by', nullable: true })
  readonly requestedBy!: string | null;

  @Column({ type: 'json' })
  readonly rule!: JsonObject;

  /** `user:NAME` and `role:NAME`; empty: everybody. */
  @Column({ type: 'text', array: true })
  readonly audience!: readonly string[];

  @Column({ type: 'timestamptz', name: 'opened_at' })
  readonly openedAt!: Date;

  @Column({ type: 'timestamptz', nullable: true })
  readonly deadline!: Date | null;

  @Column({ type: 'integer' })
  readonly escalations!: number;

  @Column({ type: 'integer' })
  readonly extensions!: number;

  @Column({ type: 'json' })
  readonly votes!: JsonValue;

  @Column({ type: 'json', nullable: true })
  readonly proposal!: JsonObject | null;

  @Column({ type: 'json', nullable: true })
  readonly decision!: JsonObject | null;

  @Column({ type: 'timestamptz', name: 'closed_at', nullable: true })
  readonly closedAt!: Date | null;

  @Column({ type: 'bigint', nullable: true, transformer: asNumber })
  readonly previous!: number | null;

  @Column({ type: 'text' })
  readonly inputs!: string;

  @Column({ type: 'text' })
  readonly upstreams!: string;

  /** Whether values of its inputs may still be read for it. */
  @Column({ type: 'boolean' })
  readonly pinning!: boolean;
}
