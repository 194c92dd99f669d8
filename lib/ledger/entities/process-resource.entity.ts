// How a resource is in a process that lives.
import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity({ name: 'process_resources', synchronize: false })
export class ProcessResourceEntity {
  @PrimaryColumn({ type: 'integer' })
  readonly namespace!: number;

  @PrimaryColumn({ type: 'text' })
  readonly process!: string;

  @PrimaryColumn({ type: 'text' })
  readonly name!: string;

  @Column({ type: 'text' })
  readonly state!: string;

  @Column({ type: 'text', nullable: true })
  readonly message!: string | null;

  @Column({ type: 'integer', array: true, name: 'asset_ids' })
  readonly assetIds!: number[];

  @Column({ type: 'timestamptz' })
  readonly since!: Date;
}
