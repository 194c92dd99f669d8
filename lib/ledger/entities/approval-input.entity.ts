// A version that an approval is about.
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { asNumber } from './as-number.js';

@Entity({ name: 'approval_inputs', synchronize: false })
export class ApprovalInputEntity {
  @PrimaryColumn({ type: 'bigint', name: 'approval_id', transformer: asNumber })
  readonly approval!: number;

  @PrimaryColumn({ type: 'integer' })
  readonly place!: number;

  @Column({ type: 'text' })
  readonly alias!: string;

  @Column({ type: 'integer', name: 'asset_id' })
  readonly asset!: number;

  @Column({ type: 'text' })
  readonly partition!: string;

  @Column({ type: 'bigint', name: 'materialization_id', nullable: true, transformer: asNumber })
  readonly materialization!: number | null;

  @Column({ type: 'text', name: 'data_version', nullable: true })
  readonly dataVersion!: string | null;

  /** Another version makes the approval void. */
  @Column({ type: 'boolean' })
  readonly watched!: boolean;
}
