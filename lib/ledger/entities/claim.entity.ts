// A materialization that a process holds.
import { Entity, PrimaryColumn } from 'typeorm';
import { asNumber } from './as-number.js';

@Entity({ name: 'claims', synchronize: false })
export class ClaimEntity {
  @PrimaryColumn({ type: 'integer' })
  readonly namespace!: number;

  @PrimaryColumn({ type: 'text' })
  readonly process!: string;

  @PrimaryColumn({ type: 'bigint', name: 'materialization_id', transformer: asNumber })
  readonly materializationId!: number;
}
