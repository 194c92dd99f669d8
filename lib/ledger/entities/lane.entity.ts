// What one run has to do in one pool, for one key of it if it has keys.
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

  /** The limit of its key. */
  @Column({ type: 'bigint', name: 'key_limit', nullable: true, transformer: asNumber })
  readonly keyLimit!: number | null;

  /** What bounds it: limits of its run, of its pool and of its key. */
  @Column({ type: 'bigint', array: true, nullable: true })
  readonly limits!: string[] | null;

  /** The limit that was full when it was last looked at: it waits until that opens. */
  @Column({ type: 'bigint', nullable: true, transformer: asNumber })
  readonly gate!: number | null;

  /** Whether something in it may be ready. */
  @Column({ type: 'boolean', name: 'has_ready' })
  readonly hasReady!: boolean;

  /** How often something became ready: who finds it empty says so only at the count seen then. */
  @Column({ type: 'integer' })
  readonly releases!: number;

  /** When something of it was claimed, to the second. */
  @Column({ type: 'timestamptz', name: 'served_at' })
  readonly servedAt!: Date;

  /** Assets, by number, of which something may be in it: who executes none of them need not look for it. */
  @Column({ type: 'integer', array: true })
  readonly assets!: number[];
}
