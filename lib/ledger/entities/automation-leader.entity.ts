// Which process of a namespace decides what automation does.
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { asNumber } from './as-number.js';

@Entity({ name: 'automation_leaders', synchronize: false })
export class AutomationLeaderEntity {
  @PrimaryColumn({ type: 'integer' })
  readonly namespace!: number;

  @Column({ type: 'text', nullable: true })
  readonly process!: string | null;

  /** How often that changed. */
  @Column({ type: 'bigint', transformer: asNumber })
  readonly epoch!: number;
}
