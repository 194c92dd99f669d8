// What a check found of a value.
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { JsonObject } from '../json.js';
import { asNumber } from './as-number.js';

@Entity({ name: 'check_results', synchronize: false })
export class CheckResultEntity {
  @PrimaryColumn({ type: 'bigint', transformer: asNumber })
  readonly id!: number;

  @Column({ type: 'integer' })
  readonly namespace!: number;

  @Column({ type: 'integer', name: 'asset_id' })
  readonly assetId!: number;

  @Column({ type: 'text' })
  readonly partition!: string;

  @Column({ type: 'bigint', name: 'materialization_id', transformer: asNumber })
  readonly materializationId!: number;

  @Column({ type: 'integer', nullable: true })
  readonly epoch!: number | null;

  @Column({ type: 'text' })
  readonly check!: string;

  @Column({ type: 'text' })
  readonly severity!: string;

  @Column({ type: 'text' })
  readonly status!: string;

  @Column({ type: 'text', nullable: true })
  readonly message!: string | null;

  @Column({ type: 'json', nullable: true })
  readonly metadata!: JsonObject | null;

  @Column({ type: 'double precision' })
  readonly duration!: number;

  @Column({ type: 'boolean', name: 'on_demand' })
  readonly onDemand!: boolean;

  @Column({ type: 'text', nullable: true })
  readonly by!: string | null;

  @Column({ type: 'timestamptz' })
  readonly at!: Date;
}
