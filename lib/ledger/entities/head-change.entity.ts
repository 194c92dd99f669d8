// A note of heads that may say something else than the summary of their asset.
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { asNumber } from './as-number.js';

@Entity({ name: 'head_changes', synchronize: false })
export class HeadChangeEntity {
  @PrimaryColumn({ type: 'integer', name: 'asset_id' })
  readonly assetId!: number;

  @PrimaryColumn({ type: 'bigint', transformer: asNumber })
  readonly id!: number;

  @Column({ type: 'bigint', array: true })
  readonly heads!: readonly string[];
}
