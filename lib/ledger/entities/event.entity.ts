// A fact worth telling; only ever added.
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { EventKind, JsonObject } from '../records.js';
import { asNumber } from './as-number.js';

@Entity({ name: 'events', synchronize: false })
export class EventEntity {
  @PrimaryColumn({ type: 'bigint', transformer: asNumber })
  readonly id!: number;

  @Column({ type: 'integer' })
  readonly namespace!: number;

  @Column({ type: 'timestamptz' })
  readonly at!: Date;

  @Column({ type: 'text' })
  readonly kind!: EventKind;

  @Column({ type: 'bigint', name: 'run_id', nullable: true, transformer: asNumber })
  readonly runId!: number | null;

  @Column({ type: 'bigint', name: 'materialization_id', nullable: true, transformer: asNumber })
  readonly materializationId!: number | null;

  @Column({ type: 'integer', name: 'asset_id', nullable: true })
  readonly assetId!: number | null;

  @Column({ type: 'text', nullable: true })
  readonly partition!: string | null;

  @Column({ type: 'text', nullable: true })
  readonly actor!: string | null;

  @Column({ type: 'jsonb', nullable: true })
  readonly detail!: JsonObject | null;
}
