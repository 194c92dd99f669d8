// A notice that is to leave the system; removed once every receiver of its topic has it.
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { JsonObject } from '../records.js';
import { asNumber } from './as-number.js';

@Entity({ name: 'outbox', synchronize: false })
export class OutboxEntity {
  @PrimaryColumn({ type: 'bigint', transformer: asNumber })
  readonly id!: number;

  @Column({ type: 'integer' })
  readonly namespace!: number;

  @Column({ type: 'text' })
  readonly topic!: string;

  @Column({ type: 'json' })
  readonly payload!: JsonObject;

  /** Receivers that have it already. */
  @Column({ type: 'text', array: true })
  readonly delivered!: readonly string[];

  /** How often it was taken to be sent. */
  @Column({ type: 'integer' })
  readonly attempts!: number;

  @Column({ type: 'timestamptz', name: 'due_at' })
  readonly dueAt!: Date;

  @Column({ type: 'timestamptz', name: 'created_at' })
  readonly createdAt!: Date;
}
