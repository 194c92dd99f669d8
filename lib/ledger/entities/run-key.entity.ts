// A run key and what it was used for; outlives the record of its run.
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { JsonObject } from '../records.js';
import { asNumber } from './as-number.js';

@Entity({ name: 'run_keys', synchronize: false })
export class RunKeyEntity {
  @PrimaryColumn({ type: 'integer' })
  readonly namespace!: number;

  @PrimaryColumn({ type: 'text', name: 'run_key' })
  readonly runKey!: string;

  @Column({ type: 'text', name: 'request_hash' })
  readonly requestHash!: string;

  @Column({ type: 'bigint', name: 'run_id', transformer: asNumber })
  readonly runId!: number;

  /** The row of its run as it was last, once retention has removed that. */
  @Column({ type: 'json', name: 'removed_run', nullable: true })
  readonly removedRun!: JsonObject | null;
}
