// A definition of a schedule that code has, or had.
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { JsonObject } from '../json.js';
import { asNumber } from './as-number.js';

@Entity({ name: 'schedule_definitions', synchronize: false })
export class ScheduleDefinitionEntity {
  @PrimaryColumn({ type: 'bigint', transformer: asNumber })
  readonly id!: number;

  @Column({ type: 'bigint', name: 'schedule_id', transformer: asNumber })
  readonly scheduleId!: number;

  @Column({ type: 'text' })
  readonly hash!: string;

  @Column({ type: 'text' })
  readonly clock!: string;

  @Column({ type: 'json' })
  readonly definition!: JsonObject;

  @Column({ type: 'timestamptz', name: 'first_declared_at' })
  readonly firstDeclaredAt!: Date;
}
