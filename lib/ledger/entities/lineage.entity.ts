// An edge between materializations: planned until the downstream succeeded, then what it consumed.
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { asNumber } from './as-number.js';

@Entity({ name: 'lineage', synchronize: false })
export class LineageEntity {
  @PrimaryColumn({ type: 'bigint', transformer: asNumber })
  readonly downstream!: number;

  @PrimaryColumn({ type: 'bigint', transformer: asNumber })
  readonly upstream!: number;

  /** Whether it only orders: nothing is consumed. */
  @Column({ type: 'boolean' })
  readonly ordering!: boolean;
}
