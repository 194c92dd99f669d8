// That a process declares a schedule so.
import { Entity, PrimaryColumn } from 'typeorm';
import { asNumber } from './as-number.js';

@Entity({ name: 'schedule_processes', synchronize: false })
export class ScheduleProcessEntity {
  @PrimaryColumn({ type: 'integer' })
  readonly namespace!: number;

  @PrimaryColumn({ type: 'text' })
  readonly process!: string;

  @PrimaryColumn({ type: 'bigint', name: 'definition_id', transformer: asNumber })
  readonly definitionId!: number;
}
