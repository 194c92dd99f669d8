// What became of a tick of a schedule.
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { asNumber } from './as-number.js';

@Entity({ name: 'schedule_ticks', synchronize: false })
export class ScheduleTickEntity {
  @PrimaryColumn({ type: 'bigint', name: 'schedule_id', transformer: asNumber })
  readonly scheduleId!: number;

  @PrimaryColumn({ type: 'timestamptz' })
  readonly tick!: Date;

  @Column({ type: 'text' })
  readonly status!: string;

  @Column({ type: 'bigint', name: 'run_id', nullable: true, transformer: asNumber })
  readonly runId!: number | null;

  @Column({ type: 'text', nullable: true })
  readonly reason!: string | null;

  /** Who asked for it; null: the clock. */
  @Column({ type: 'text', nullable: true })
  readonly by!: string | null;

  @Column({ type: 'timestamptz' })
  readonly at!: Date;
}
