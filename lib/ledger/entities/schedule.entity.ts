// When something is to be run, by the clock: declared by code, or created.
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { JsonObject } from '../json.js';
import { asNumber } from './as-number.js';

@Entity({ name: 'schedules', synchronize: false })
export class ScheduleEntity {
  @PrimaryColumn({ type: 'bigint', transformer: asNumber })
  readonly id!: number;

  @Column({ type: 'integer' })
  readonly namespace!: number;

  @Column({ type: 'text' })
  readonly name!: string;

  /** Whether code declares it. */
  @Column({ type: 'boolean' })
  readonly declared!: boolean;

  @Column({ type: 'json' })
  readonly definition!: JsonObject;

  @Column({ type: 'text' })
  readonly hash!: string;

  /** What the times of its ticks depend on. */
  @Column({ type: 'text' })
  readonly clock!: string;

  /** Ticks up to here are attended to. */
  @Column({ type: 'timestamptz' })
  readonly watermark!: Date;

  @Column({ type: 'integer' })
  readonly generation!: number;

  @Column({ type: 'timestamptz', name: 'paused_at', nullable: true })
  readonly pausedAt!: Date | null;

  @Column({ type: 'text', name: 'paused_by', nullable: true })
  readonly pausedBy!: string | null;

  @Column({ type: 'text', name: 'paused_reason', nullable: true })
  readonly pausedReason!: string | null;

  @Column({ type: 'bigint', name: 'last_run', nullable: true, transformer: asNumber })
  readonly lastRun!: number | null;

  /** The process that attends to it. */
  @Column({ type: 'text', name: 'held_by', nullable: true })
  readonly heldBy!: string | null;

  @Column({ type: 'timestamptz', name: 'held_until', nullable: true })
  readonly heldUntil!: Date | null;

  @Column({ type: 'timestamptz', name: 'created_at' })
  readonly createdAt!: Date;
}
