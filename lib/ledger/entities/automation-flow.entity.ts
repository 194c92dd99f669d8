// When automation requested something of a key of an asset last.
import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity({ name: 'automation_flows', synchronize: false })
export class AutomationFlowEntity {
  @PrimaryColumn({ type: 'integer', name: 'asset_id' })
  readonly assetId!: number;

  @PrimaryColumn({ type: 'text' })
  readonly key!: string;

  @Column({ type: 'timestamptz', name: 'requested_at' })
  readonly requestedAt!: Date;
}
