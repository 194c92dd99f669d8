// What observes something and requests runs by what it sees.
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { JsonObject, JsonValue } from '../json.js';
import { asNumber } from './as-number.js';

@Entity({ name: 'sensors', synchronize: false })
export class SensorEntity {
  @PrimaryColumn({ type: 'bigint', transformer: asNumber })
  readonly id!: number;

  @Column({ type: 'integer' })
  readonly namespace!: number;

  @Column({ type: 'text' })
  readonly name!: string;

  @Column({ type: 'json' })
  readonly definition!: JsonObject;

  @Column({ type: 'text' })
  readonly hash!: string;

  @Column({ type: 'json', nullable: true })
  readonly cursor!: JsonValue | null;

  @Column({ type: 'integer' })
  readonly generation!: number;

  @Column({ type: 'integer' })
  readonly failures!: number;

  @Column({ type: 'text', name: 'last_error', nullable: true })
  readonly lastError!: string | null;

  @Column({ type: 'timestamptz', name: 'evaluated_at', nullable: true })
  readonly evaluatedAt!: Date | null;

  @Column({ type: 'timestamptz', name: 'next_at' })
  readonly nextAt!: Date;

  @Column({ type: 'timestamptz', name: 'paused_at', nullable: true })
  readonly pausedAt!: Date | null;

  @Column({ type: 'text', name: 'paused_by', nullable: true })
  readonly pausedBy!: string | null;

  @Column({ type: 'text', name: 'paused_reason', nullable: true })
  readonly pausedReason!: string | null;

  @Column({ type: 'text', name: 'held_by', nullable: true })
  readonly heldBy!: string | null;

  @Column({ type: 'timestamptz', name: 'held_until', nullable: true })
  readonly heldUntil!: Date | null;

  @Column({ type: 'timestamptz', name: 'created_at' })
  readonly createdAt!: Date;
}
