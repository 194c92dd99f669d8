// An asset by number: renaming changes its key only.
import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity({ name: 'assets', synchronize: false })
export class AssetEntity {
  @PrimaryColumn({ type: 'integer' })
  readonly id!: number;

  @Column({ type: 'integer' })
  readonly namespace!: number;

  @Column({ type: 'text' })
  readonly key!: string;

  @Column({ type: 'boolean' })
  readonly partitioned!: boolean;

  /** The policy by which its versions were last judged, as text. */
  @Column({ type: 'text', name: 'version_policy', nullable: true })
  readonly versionPolicy!: string | null;

  /** The pool that its current definition names. */
  @Column({ type: 'integer', name: 'pool_id' })
  readonly poolId!: number;

  /** Those of its partition keys (see dimensionsOf). */
  @Column({ type: 'jsonb' })
  readonly dimensions!: string | string[];
}
