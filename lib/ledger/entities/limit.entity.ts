// What bounds how much runs at once or begins, over all processes: in a run, in a pool, or for one key of a pool.
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { asNumber } from './as-number.js';

@Entity({ name: 'limits', synchronize: false })
export class LimitEntity {
  @PrimaryColumn({ type: 'bigint', transformer: asNumber })
  readonly id!: number;

  @Column({ type: 'integer' })
  readonly namespace!: number;

  /** The pool it bounds, or whose key. */
  @Column({ type: 'integer', name: 'pool_id', nullable: true })
  readonly poolId!: number | null;

  @Column({ type: 'text', nullable: true })
  readonly key!: string | null;

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

  /** When something that it bounds began or ended last. */
  @Column({ type: 'timestamptz', name: 'served_at' })
  readonly servedAt!: Date;

  /** From when on the lanes that wait for it may look again; null: none waits. */
  @Column({ type: 'timestamptz', name: 'opens_at', nullable: true })
  readonly opensAt!: Date | null;
}
