// A pool: assets that share what they run on.
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { asNumber } from './as-number.js';

@Entity({ name: 'pools', synchronize: false })
export class PoolEntity {
  @PrimaryColumn({ type: 'integer' })
  readonly id!: number;

  @Column({ type: 'integer' })
  readonly namespace!: number;

  @Column({ type: 'text' })
  readonly name!: string;

  /** What bounds it over all processes. */
  @Column({ type: 'bigint', name: 'limit_id', nullable: true, transformer: asNumber })
  readonly limitId!: number | null;
}
