// What bounds how much runs at once, over all processes: the places of a pool or of a run.
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { asNumber } from './as-number.js';

@Entity({ name: 'limits', synchronize: false })
export class LimitEntity {
  @PrimaryColumn({ type: 'bigint', transformer: asNumber })
  readonly id!: number;

  @Column({ type: 'integer' })
  readonly capacity!: number;

  @Column({ type: 'integer' })
  readonly used!: number;
}
