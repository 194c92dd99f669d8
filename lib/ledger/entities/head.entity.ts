// One (asset, partition): its newest success, and the lock of single flight.
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { asNumber } from './as-number.js';

@Entity({ name: 'heads', synchronize: false })
export class HeadEntity {
  @PrimaryColumn({ type: 'bigint', transformer: asNumber })
  readonly id!: number;

  @Column({ type: 'integer', name: 'asset_id' })
  readonly assetId!: number;

  @Column({ type: 'text' })
  readonly partition!: string;

  @Column({ type: 'bigint', name: 'materialization_id', nullable: true, transformer: asNumber })
  readonly materializationId!: number | null;

  /** Who holds the lock, from its first claim until it ends. */
  @Column({ type: 'bigint', name: 'active_materialization', nullable: true, transformer: asNumber })
  readonly activeMaterialization!: number | null;

  @Column({ type: 'boolean' })
  readonly invalidated!: boolean;

  @Column({ type: 'boolean' })
  readonly failed!: boolean;

  /** Whether others wait for the lock. */
  @Column({ type: 'boolean' })
  readonly waited!: boolean;

  /** Whether somebody was asked about it while it had no version. */
  @Column({ type: 'boolean' })
  readonly awaited!: boolean;
}
