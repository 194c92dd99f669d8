// The door `nestjs-flowstone/migrations`: for those who migrate at deploy time instead of at boot.
export { MIGRATIONS, type LedgerMigration } from './list.js';
export { migrateLedger } from '../lib/ledger/sql/schema.js';
