// What automation did for a partition, until that was seen to be fresh.
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { asNumber } from './as-number.js';

@Entity({ name: 'automation_requests', synchronize: false })
export class AutomationRequestEntity {
  @PrimaryColumn({ type: 'integer', name: 'asset_id' })
  readonly assetId!: number;

  @PrimaryColumn({ type: 'text' })
  readonly partition!: string;

  /** Null: its tick is due, and nothing was requested. */
  @Column({ type: 'bigint', name: 'run_id', nullable: true, transformer: asNumber })
  readonly runId!: number | null;

  @Column({ type: 'text' })
  readonly inputs!: string;

  @Column({ type: 'text', name: 'code_version', nullable: true })
  readonly codeVersion!: string | null;

  @Column({ type: 'text' })
  readonly definition!: string;

  @Column({ type: 'timestamptz', nullable: true })
  readonly tick!: Date | null;

  @Column({ type: 'timestamptz', name: 'requested_at' })
  readonly requestedAt!: Date;
}
