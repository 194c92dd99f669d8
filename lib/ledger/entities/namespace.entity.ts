// What one application owns in a shared database.
import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity({ name: 'namespaces', synchronize: false })
export class NamespaceEntity {
  @PrimaryColumn({ type: 'integer' })
  readonly id!: number;

  @Column({ type: 'text' })
  readonly name!: string;
}
