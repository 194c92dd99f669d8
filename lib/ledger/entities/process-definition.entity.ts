// Which definitions a process declares.
import { Entity, PrimaryColumn } from 'typeorm';

@Entity({ name: 'process_definitions', synchronize: false })
export class ProcessDefinitionEntity {
  @PrimaryColumn({ type: 'integer' })
  readonly namespace!: number;

  @PrimaryColumn({ type: 'text' })
  readonly process!: string;

  @PrimaryColumn({ type: 'integer', name: 'definition_id' })
  readonly definitionId!: number;
}
