// What bounds how much runs at once or begins, over all processes: in a pool, or in a run.
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { asNumber } from './as-number.js';

@Entity({ name: 'limits', synchronize: false })
export class LimitEntity {
  @PrimaryColumn({ type: 'bigint', transformer: asNumber })
  readonly id!: number;

  /** Places; null: any number. */
  @Column({ type: 'integer', nullable: true })
  readonly capacity!: number | null;

  /** Places that are taken, whether or not they are bounded. */
  @Column({ type: 'integer' })
  readonly used!: number;

  /** A rate: tokens that come in each period, and at most are there; null: none. */
  @Column({ type: 'integer', nullable: true })
  readonly burst!: number | null;

  /** In ms. */
  @Column({ type: 'double precision', nullable: true })
  readonly period!: number | null;

  /** As they were at `refilledAt`. */
  @Column({ type: 'double precision', nullable: true })
  readonly tokens!: number | null;

  @Column({ type: 'timestamptz', name: 'refilled_at', nullable: true })
  readonly refilledAt!: Date | null;
}
