// What one run has to do in one pool.
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { asNumber } from './as-number.js';

@Entity({ name: 'lanes', synchronize: false })
export class LaneEntity {
  @PrimaryColumn({ type: 'bigint', transformer: asNumber })
  readonly id!: number;

  @Column({ type: 'integer' })
  readonly namespace!: number;

  @Column({ type: 'bigint', name: 'run_id', transformer: asNumber })
  readonly runId!: number;

  @Column({ type: 'integer', name: 'pool_id' })
  readonly poolId!: number;

  /** What bounds it: limits of its run and of its pool. */
  @Column({ type: 'bigint', array: true, nullable: true })
  readonly limits!: string[] | null;

  /** Whether something in it may be ready. */
  @Column({ type: 'boolean', name: 'has_ready' })
  readonly hasReady!: boolean;

  /** How often something became ready: who finds it empty says so only at the count seen then. */
  @Column({ type: 'integer' })
  readonly releases!: number;

  /** When something of it was claimed, to the second. */
  @Column({ type: 'timestamptz', name: 'served_at' })
  readonly servedAt!: Date;
}
