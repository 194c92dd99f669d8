// What is noted of the automation of an asset.
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { JsonObject } from '../records.js';

@Entity({ name: 'automations', synchronize: false })
export class AutomationEntity {
  @PrimaryColumn({ type: 'integer', name: 'asset_id' })
  readonly assetId!: number;

  @Column({ type: 'integer' })
  readonly namespace!: number;

  @Column({ type: 'timestamptz', name: 'paused_at', nullable: true })
  readonly pausedAt!: Date | null;

  @Column({ type: 'text', name: 'paused_by', nullable: true })
  readonly pausedBy!: string | null;

  @Column({ type: 'text', name: 'paused_reason', nullable: true })
  readonly pausedReason!: string | null;

  /** Of each cron expression with its zone the newest tick that was attended to. */
  @Column({ type: 'jsonb' })
  readonly ticks!: JsonObject;
}
