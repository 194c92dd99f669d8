// That a process declares a sensor so.
import { Entity, PrimaryColumn } from 'typeorm';
import { asNumber } from './as-number.js';

@Entity({ name: 'sensor_processes', synchronize: false })
export class SensorProcessEntity {
  @PrimaryColumn({ type: 'integer' })
  readonly namespace!: number;

  @PrimaryColumn({ type: 'text' })
  readonly process!: string;

  @PrimaryColumn({ type: 'bigint', name: 'definition_id', transformer: asNumber })
  readonly definitionId!: number;
}
