// What automation decided about an asset, where that was another than before.
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { JsonObject } from '../records.js';
import { asNumber } from './as-number.js';

@Entity({ name: 'automation_decisions', synchronize: false })
export class AutomationDecisionEntity {
  @PrimaryColumn({ type: 'bigint', transformer: asNumber })
  readonly id!: number;

  @Column({ type: 'integer' })
  readonly namespace!: number;

  @Column({ type: 'integer', name: 'asset_id' })
  readonly assetId!: number;

  @Column({ type: 'timestamptz' })
  readonly at!: Date;

  /** The run that was requested. */
  @Column({ type: 'bigint', name: 'run_id', nullable: true, transformer: asNumber })
  readonly runId!: number | null;

  @Column({ type: 'json' })
  readonly detail!: JsonObject;
}
