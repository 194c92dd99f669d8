// What became of an evaluation of a sensor.
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { JsonObject } from '../json.js';
import { asNumber } from './as-number.js';

@Entity({ name: 'sensor_evaluations', synchronize: false })
export class SensorEvaluationEntity {
  @PrimaryColumn({ type: 'bigint', name: 'sensor_id', transformer: asNumber })
  readonly sensorId!: number;

  @PrimaryColumn({ type: 'bigint', transformer: asNumber })
  readonly id!: number;

  @Column({ type: 'text' })
  readonly status!: string;

  @Column({ type: 'text', nullable: true })
  readonly reason!: string | null;

  @Column({ type: 'json' })
  readonly detail!: JsonObject;

  @Column({ type: 'text', nullable: true })
  readonly by!: string | null;

  @Column({ type: 'timestamptz' })
  readonly at!: Date;
}
