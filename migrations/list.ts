// The ledger's migrations, oldest first. Position i brings the schema to version i + 1: only ever append.
import type { MigrationInterface } from 'typeorm';
import { FirstSchema0001 } from './0001-first-schema.js';

/** A migration with the name under which `<schema>.migrations` records it. */
export interface LedgerMigration extends MigrationInterface {
  readonly name: string;
}

/** Every migration this library knows, in the order in which they run. */
export const MIGRATIONS: readonly (new () => LedgerMigration)[] = [FirstSchema0001];
