// Loads recorded values past every application: by the managers that stored them, from the database and the folder.
import type { DataSource } from 'typeorm';
import type { LoadContext } from '../../lib/io/io-manager.port.js';
import { FilesystemIoManager } from '../../lib/io/managers/filesystem.io-manager.js';
import { LedgerIoManager } from '../../lib/io/managers/postgres/ledger.io-manager.js';
import { Database } from '../../lib/ledger/sql/database.js';
import { ValueTransactions } from '../../lib/ledger/sql/value-transactions.js';

/** Loads what is recorded of a value with this manager. */
export type LoadRecorded = (io: string, value: Omit<LoadContext, 'options'>) => Promise<unknown>;

/**
 * @param database the ledger's, with what was committed
 * @param directory of the filesystem manager's values
 */
export function recordedValues(database: DataSource, directory: string): LoadRecorded {
  const values = new ValueTransactions(new Database(database, 'flowstone', false));
  const managers: Readonly<Record<string, FilesystemIoManager | LedgerIoManager>> = {
    filesystem: new FilesystemIoManager({ root: directory }),
    postgres: new LedgerIoManager({
      schema: values.schema,
      single: false,
      read: values.read,
      transaction: (fn) => values.transaction(fn),
      settle: () => Promise.reject(new Error('nothing is settled here')),
    }),
  };
  return async (io, value) => managers[io]!.load({ ...value, options: {} });
}
