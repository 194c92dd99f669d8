// Facts worth telling, those of materializations to which the same happened in one row; only ever added.
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { EventKind, JsonObject } from '../records.js';
import { asNumber } from './as-number.js';

@Entity({ name: 'events', synchronize: false })
export class EventEntity {
  /** Of what is told of the first materialization, or of none; of the others, the numbers that follow. */
  @PrimaryColumn({ type: 'bigint', transformer: asNumber })
  readonly id!: number;

  @Column({ type: 'integer' })
  readonly namespace!: number;

  /** The transaction that recorded it. */
  @Column({ type: 'text' })
  readonly xid!: string;

  @Column({ type: 'timestamptz' })
  readonly at!: Date;

  @Column({ type: 'text' })
  readonly kind!: EventKind;

  @Column({ type: 'bigint', name: 'run_id', nullable: true, transformer: asNumber })
  readonly runId!: number | null;

  @Column({ type: 'bigint', array: true, nullable: true })
  readonly materializations!: readonly string[] | null;

  @Column({ type: 'integer', name: 'asset_id', nullable: true })
  readonly assetId!: number | null;

  @Column({ type: 'text', nullable: true })
  readonly partition!: string | null;

  @Column({ type: 'text', nullable: true })
  readonly actor!: string | null;

  @Column({ type: 'jsonb', nullable: true })
  readonly detail!: JsonObject | null;
}
