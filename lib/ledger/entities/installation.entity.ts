// The one row that says which ledger this is.
import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity({ name: 'installation', synchronize: false })
export class InstallationEntity {
  @PrimaryColumn({ type: 'boolean' })
  readonly singleton!: boolean;

  @Column({ type: 'uuid' })
  readonly id!: string;

  @Column({ type: 'integer', name: 'schema_version' })
  readonly schemaVersion!: number;

  /** A library that knows less may not use the ledger. */
  @Column({ type: 'integer', name: 'lowest_version' })
  readonly lowestVersion!: number;

  @Column({ type: 'timestamptz', name: 'created_at' })
  readonly createdAt!: Date;
}
