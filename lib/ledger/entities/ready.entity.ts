// A materialization that may begin, in the order in which it should.
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { asNumber } from './as-number.js';

@Entity({ name: 'ready', synchronize: false })
export class ReadyEntity {
  @PrimaryColumn({ type: 'bigint', name: 'lane_id', transformer: asNumber })
  readonly laneId!: number;

  /** The lower, the sooner: its priority, negated. */
  @PrimaryColumn({ type: 'integer' })
  readonly rank!: number;

  @PrimaryColumn({ type: 'bigint', name: 'materialization_id', transformer: asNumber })
  readonly materializationId!: number;

  @Column({ type: 'integer', name: 'asset_id' })
  readonly assetId!: number;
}
