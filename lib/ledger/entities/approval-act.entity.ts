// Something that happened to an approval.
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { JsonObject } from '../records.js';
import { asNumber } from './as-number.js';

@Entity({ name: 'approval_acts', synchronize: false })
export class ApprovalActEntity {
  @PrimaryColumn({ type: 'bigint', transformer: asNumber })
  readonly id!: number;

  @Column({ type: 'bigint', name: 'approval_id', transformer: asNumber })
  readonly approval!: number;

  @Column({ type: 'text' })
  readonly kind!: string;

  @Column({ type: 'timestamptz' })
  readonly at!: Date;

  @Column({ type: 'text', nullable: true })
  readonly actor!: string | null;

  @Column({ type: 'json', nullable: true })
  readonly detail!: JsonObject | null;
}
