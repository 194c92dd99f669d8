// The I/O manager that keeps values in the ledger's own database: they are committed with their records, or not at all.
import type { LedgerValues } from '../../../ledger/value-database.port.js';
import type { StoreContext } from '../../io-manager.port.js';
import { DatabaseIoManager } from './database.io-manager.js';
import type { EncodedValue } from './encoded.value.js';

export class LedgerIoManager extends DatabaseIoManager<EncodedValue> {
  constructor(protected readonly database: LedgerValues) {
    super();
  }

  protected get schema(): string {
    return this.database.schema;
  }

  protected async keep(_context: StoreContext, value: EncodedValue): Promise<EncodedValue> {
    return value;
  }
}
