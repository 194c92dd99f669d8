// What the heads of some neighbouring partitions amount to, in bytes that planning understands (planning/summary-chunk.ts).
import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity({ name: 'summary_chunks', synchronize: false })
export class SummaryChunkEntity {
  @PrimaryColumn({ type: 'integer', name: 'asset_id' })
  readonly assetId!: number;

  @PrimaryColumn({ type: 'integer' })
  readonly chunk!: number;

  @Column({ type: 'json' })
  readonly classes!: readonly unknown[];

  @Column({ type: 'bytea' })
  readonly runs!: Uint8Array;

  @Column({ type: 'bytea', name: 'version_sums' })
  readonly versionSums!: Uint8Array;

  @Column({ type: 'bytea', name: 'input_sums' })
  readonly inputSums!: Uint8Array;

  @Column({ type: 'bytea', name: 'versions_0' })
  readonly versions0!: Uint8Array;

  @Column({ type: 'bytea', name: 'versions_1' })
  readonly versions1!: Uint8Array;

  @Column({ type: 'bytea', name: 'inputs_0' })
  readonly inputs0!: Uint8Array;

  @Column({ type: 'bytea', name: 'inputs_1' })
  readonly inputs1!: Uint8Array;
}
