// A process of the application and its lease, which is the lease of all its work.
import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity({ name: 'processes', synchronize: false })
export class ProcessEntity {
  @PrimaryColumn({ type: 'integer' })
  readonly namespace!: number;

  @PrimaryColumn({ type: 'text' })
  readonly id!: string;

  @Column({ type: 'text' })
  readonly host!: string;

  @Column({ type: 'integer' })
  readonly pid!: number;

  @Column({ type: 'boolean' })
  readonly worker!: boolean;

  /** Milliseconds. */
  @Column({ type: 'integer' })
  readonly lease!: number;

  @Column({ type: 'timestamptz', name: 'lease_until' })
  readonly leaseUntil!: Date;

  /** Since when no outage has kept it from renewing: only who was in contact for a lease rescues others. */
  @Column({ type: 'timestamptz', name: 'contact_since' })
  readonly contactSince!: Date;

  /** When the server it was last in contact with had started. */
  @Column({ type: 'timestamptz', name: 'server_started' })
  readonly serverStarted!: Date;

  /** Other definitions may count than it knows: it claims nothing until it has asked. */
  @Column({ type: 'boolean' })
  readonly outdated!: boolean;

  /** It is told when others have recorded something. */
  @Column({ type: 'boolean' })
  readonly listens!: boolean;

  @Column({ type: 'timestamptz', name: 'registered_at' })
  readonly registeredAt!: Date;
}
