// An asset whose heads are summarized, so that changes of these are noted.
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { asNumber } from './as-number.js';

@Entity({ name: 'summaries', synchronize: false })
export class SummaryEntity {
  @PrimaryColumn({ type: 'integer', name: 'asset_id' })
  readonly assetId!: number;

  /** Which partition has which place; empty: nothing is kept yet. */
  @Column({ type: 'text' })
  readonly layout!: string;

  /** How often its chunks were written. */
  @Column({ type: 'bigint', transformer: asNumber })
  readonly version!: number;

  /** All that changes its heads notes that. */
  @Column({ type: 'boolean' })
  readonly settled!: boolean;
}
