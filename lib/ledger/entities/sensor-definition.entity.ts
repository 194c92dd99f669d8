// A definition of a sensor that code has, or had.
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { JsonObject } from '../json.js';
import { asNumber } from './as-number.js';

@Entity({ name: 'sensor_definitions', synchronize: false })
export class SensorDefinitionEntity {
  @PrimaryColumn({ type: 'bigint', transformer: asNumber })
  readonly id!: number;

  @Column({ type: 'bigint', name: 'sensor_id', transformer: asNumber })
  readonly sensorId!: number;

  @Column({ type: 'text' })
  readonly hash!: string;

  @Column({ type: 'json' })
  readonly definition!: JsonObject;

  @Column({ type: 'timestamptz', name: 'first_declared_at' })
  readonly firstDeclaredAt!: Date;
}
