// Superseded versions that were condemned together, and the attempts that ran then, and approvals, that may have pinned them.
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { asNumber } from './as-number.js';

@Entity({ name: 'collections', synchronize: false })
export class CollectionEntity {
  @PrimaryColumn({ type: 'bigint', transformer: asNumber })
  readonly id!: number;

  @Column({ type: 'integer' })
  readonly namespace!: number;

  /** Materializations that ran, and at which epoch each. */
  @Column({ type: 'bigint', array: true })
  readonly holders!: readonly string[];

  @Column({ type: 'integer', array: true })
  readonly epochs!: readonly number[];

  @Column({ type: 'bigint', array: true })
  readonly approvals!: readonly string[];
}
