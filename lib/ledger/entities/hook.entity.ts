// A hook on events, and where it is in their log.
import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity({ name: 'hooks', synchronize: false })
export class HookEntity {
  @PrimaryColumn({ type: 'integer' })
  readonly namespace!: number;

  @PrimaryColumn({ type: 'text' })
  readonly name!: string;

  @Column({ type: 'text' })
  readonly place!: string;
}
