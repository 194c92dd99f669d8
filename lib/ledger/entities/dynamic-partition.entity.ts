// A key of dynamic partitions; removed ones are retired, not deleted.
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { asNumber } from './as-number.js';

@Entity({ name: 'dynamic_partitions', synchronize: false })
export class DynamicPartitionEntity {
  @PrimaryColumn({ type: 'integer' })
  readonly namespace!: number;

  @PrimaryColumn({ type: 'text' })
  readonly name!: string;

  @PrimaryColumn({ type: 'text' })
  readonly key!: string;

  /** Order in which keys were added. */
  @Column({ type: 'bigint', transformer: asNumber })
  readonly ordinal!: number;

  @Column({ type: 'boolean' })
  readonly retired!: boolean;
}
