// That something was delivered to a sensor, and what became of it.
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { JsonObject } from '../json.js';
import { asNumber } from './as-number.js';

@Entity({ name: 'sensor_deliveries', synchronize: false })
export class SensorDeliveryEntity {
  @PrimaryColumn({ type: 'bigint', name: 'sensor_id', transformer: asNumber })
  readonly sensorId!: number;

  @PrimaryColumn({ type: 'text' })
  readonly delivery!: string;

  @Column({ type: 'json' })
  readonly evaluation!: JsonObject;

  @Column({ type: 'timestamptz' })
  readonly at!: Date;
}
