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

  /** The dimension of partitions whose values are its keys. */
  @Column({ type: 'text', nullable: true })
  readonly dimension!: string | null;

  /** Places of each key; null: any number. */
  @Column({ type: 'integer', name: 'key_capacity', nullable: true })
  readonly keyCapacity!: number | null;

  /** The rate of each key: tokens that come in each period (ms); null: none. */
  @Column({ type: 'integer', name: 'key_burst', nullable: true })
  readonly keyBurst!: number | null;

  @Column({ type: 'double precision', name: 'key_period', nullable: true })
  readonly keyPeriod!: number | null;
}
