// Something that happens at a time: a retry, a timeout, the end of the grace after a cancel; of an approval its deadline,
// the next step of its escalation chain, or (at once) a look at its inputs.
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { asNumber } from './as-number.js';

@Entity({ name: 'timers', synchronize: false })
export class TimerEntity {
  @PrimaryColumn({ type: 'bigint', transformer: asNumber })
  readonly owner!: number;

  @PrimaryColumn({ type: 'text' })
  readonly kind!: 'retry' | 'timeout' | 'cancel' | 'deadline' | 'escalation' | 'inputs';

  /** The epoch of the attempt it belongs to. */
  @PrimaryColumn({ type: 'integer' })
  readonly generation!: number;

  @Column({ type: 'integer' })
  readonly namespace!: number;

  @Column({ type: 'timestamptz', name: 'fires_at' })
  readonly firesAt!: Date;

  /** Of a retry. */
  @Column({ type: 'bigint', name: 'run_id', nullable: true, transformer: asNumber })
  readonly run!: number | null;
}
