// A version that is no head any more: whether its value is kept, condemned with a collection, or gone.
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { asNumber } from './as-number.js';

@Entity({ name: 'superseded', synchronize: false })
export class SupersededEntity {
  @PrimaryColumn({ type: 'bigint', name: 'materialization_id', transformer: asNumber })
  readonly materializationId!: number;

  @Column({ type: 'bigint', name: 'head_id', transformer: asNumber })
  readonly headId!: number;

  /** What it was condemned with; null: kept, or gone. */
  @Column({ type: 'bigint', nullable: true, transformer: asNumber })
  readonly collection!: number | null;

  @Column({ type: 'timestamptz', name: 'superseded_at' })
  readonly supersededAt!: Date;

  /** When the collector judges it next; infinity: when something brings it up. */
  @Column({ type: 'timestamptz', name: 'look_at' })
  readonly lookAt!: Date;

  @Column({ type: 'integer', name: 'asset_id' })
  readonly assetId!: number;

  /** The value was deleted; only the record is left. */
  @Column({ type: 'boolean' })
  readonly gone!: boolean;
}
