// One declaration of an asset, as data.
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { JsonObject } from '../records.js';

@Entity({ name: 'definitions', synchronize: false })
export class DefinitionEntity {
  @PrimaryColumn({ type: 'integer' })
  readonly id!: number;

  @Column({ type: 'integer', name: 'asset_id' })
  readonly assetId!: number;

  @Column({ type: 'text' })
  readonly hash!: string;

  @Column({ type: 'text' })
  readonly upstreams!: string;

  @Column({ type: 'jsonb' })
  readonly definition!: JsonObject;

  @Column({ type: 'timestamptz', name: 'first_registered_at' })
  readonly firstRegisteredAt!: Date;
}
