// A partition that should have been computed by now.
import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity({ name: 'overdue_partitions', synchronize: false })
export class OverduePartitionEntity {
  @PrimaryColumn({ type: 'integer', name: 'asset_id' })
  readonly assetId!: number;

  @PrimaryColumn({ type: 'text' })
  readonly partition!: string;

  @Column({ type: 'integer' })
  readonly namespace!: number;

  @Column({ type: 'timestamptz' })
  readonly due!: Date;

  @Column({ type: 'timestamptz', name: 'noticed_at' })
  readonly noticedAt!: Date;
}
