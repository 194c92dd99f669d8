// A signal that came before its attempt had begun to wait for it.
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { JsonValue } from '../records.js';
import { asNumber } from './as-number.js';

@Entity({ name: 'early_signals', synchronize: false })
export class EarlySignalEntity {
  /** SHA-256 (hex) of the token it came with. */
  @PrimaryColumn({ type: 'text' })
  readonly token!: string;

  @Column({ type: 'bigint', name: 'materialization_id', transformer: asNumber })
  readonly materialization!: number;

  @Column({ type: 'json' })
  readonly payload!: JsonValue;

  @Column({ type: 'timestamptz', name: 'received_at' })
  readonly receivedAt!: Date;
}
