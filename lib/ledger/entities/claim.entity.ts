// A materialization that a process holds.
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { asNumber } from './as-number.js';

@Entity({ name: 'claims', synchronize: false })
export class ClaimEntity {
  @PrimaryColumn({ type: 'integer' })
  readonly namespace!: number;

  @PrimaryColumn({ type: 'text' })
  readonly process!: string;

  @PrimaryColumn({ type: 'bigint', name: 'materialization_id', transformer: asNumber })
  readonly materializationId!: number;

  /** Of those that are computed together and share a place; null: it has one of its own. */
  @Column({ type: 'bigint', nullable: true, transformer: asNumber })
  readonly batch!: number | null;
}
