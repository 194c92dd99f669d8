// What one application owns in a shared database.
import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity({ name: 'namespaces', synchronize: false })
export class NamespaceEntity {
  @PrimaryColumn({ type: 'integer' })
  readonly id!: number;

  @Column({ type: 'text' })
  readonly name!: string;

  /** The process whose turn it is to collect, until `collectAt`; null: nobody's, and the next turn is due then. */
  @Column({ type: 'text', nullable: true })
  readonly collector!: string | null;

  @Column({ type: 'timestamptz', name: 'collect_at' })
  readonly collectAt!: Date;

  /** When values are next looked for that no record will ever point at. */
  @Column({ type: 'timestamptz', name: 'orphans_at' })
  readonly orphansAt!: Date;

  /** Whether a notice is written of attempts that begin and end. */
  @Column({ type: 'boolean', name: 'tells_attempts' })
  readonly tellsAttempts!: boolean;

  /** What tells its log of events from that of a copy. */
  @Column({ type: 'uuid', name: 'event_era' })
  readonly eventEra!: string;

  /** The newest transaction of which retention has removed an event. */
  @Column({ type: 'text', name: 'events_removed' })
  readonly eventsRemoved!: string;
}
