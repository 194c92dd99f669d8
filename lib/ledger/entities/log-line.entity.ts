// A line that an attempt has logged.
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { JsonObject } from '../records.js';
import type { LogLevel } from '../logs.port.js';
import { asNumber } from './as-number.js';

@Entity({ name: 'log_lines', synchronize: false })
export class LogLineEntity {
  @Column({ type: 'integer' })
  readonly namespace!: number;

  @PrimaryColumn({ type: 'bigint', name: 'materialization_id', transformer: asNumber })
  readonly materializationId!: number;

  @PrimaryColumn({ type: 'integer' })
  readonly epoch!: number;

  @PrimaryColumn({ type: 'integer' })
  readonly number!: number;

  @Column({ type: 'integer' })
  readonly attempt!: number;

  @Column({ type: 'timestamptz' })
  readonly at!: Date;

  @Column({ type: 'text' })
  readonly level!: LogLevel;

  @Column({ type: 'text' })
  readonly message!: string;

  @Column({ type: 'json', nullable: true })
  readonly fields!: JsonObject | null;
}
