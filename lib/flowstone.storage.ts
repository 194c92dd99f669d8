// From options to the ledger and the I/O managers of an application.
import { join, resolve } from 'node:path';
import { FlowStoneError } from './flowstone.errors.js';
import type { ResolvedOptions } from './flowstone.options.js';
import { FileStore } from './io/blobs/files/file.store.js';
import type { IoManager } from './io/io-manager.port.js';
import { IoRegistry } from './io/io.registry.js';
import { FilesystemIoManager } from './io/managers/filesystem.io-manager.js';
import { MemoryIoManager } from './io/managers/memory.io-manager.js';
import { ParquetIoManager } from './io/managers/parquet.io-manager.js';
import { LedgerIoManager } from './io/managers/postgres/ledger.io-manager.js';
import { PostgresIoManager } from './io/managers/postgres/postgres.io-manager.js';
import type { EmbeddedDatabase } from './ledger/embedded/embedded.database.js';
import type { DataSource, Ledger } from './ledger/ledger.port.js';
import { MemoryLedger } from './ledger/memory/memory-ledger.js';
import type { LeaseAccess } from './ledger/sql/lease-ledger.js';
import type { LedgerValues } from './ledger/value-database.port.js';

/** A ledger that is not open yet, and how to let go of it. */
export interface OpenableLedger {
  readonly ledger: Ledger;
  /** What the host may run transactions on that FlowStone joins; undefined for a ledger in memory. */
  readonly dataSource: DataSource | undefined;
  /** Whether the caller is inside a transaction that holds the only connection (embedded); never, if left out. */
  readonly insideTransaction?: () => boolean;
  /** The heartbeat's own way to a ledger that processes share. */
  readonly leases?: LeaseAccess | undefined;
  /** Frees what the ledger does not own itself (the embedded database). After the ledger is closed. */
  release(): Promise<void>;
}

/** The least time, in ms, in which a server must answer the heartbeat before its connection is taken for dead. */
const LEAST_PATIENCE = 1000;

/** In which a server must answer who wants to listen, ms. */
const NEWS_PATIENCE = 10_000;

/** Keeps values in the ledger's database. */
const LEDGER_MANAGER = 'postgres';

const nothing = async (): Promise<void> => undefined;

/** Makes the ledger; the embedded database is opened here, since its driver needs it. */
export async function createLedger(options: ResolvedOptions): Promise<OpenableLedger> {
  const { storage, schema, namespace, migrate } = options;
  if (storage === 'memory') return { ledger: new MemoryLedger(), dataSource: undefined, release: nothing };
  const embedding = storage === 'embedded' ? embeddedDatabase(options) : undefined;
  // Loaded only here, so that a ledger in memory needs neither TypeORM nor pg; and while the embedded database starts
  // in its thread, since both take a while. Its failure is heard below.
  embedding?.catch(nothing);
  const { SqlLedger } = await import('./ledger/sql/sql-ledger.js');
  const common = { schema, namespace, migrate };
  const { ledgerDataSource } = await import('./ledger/sql/data-source.js');
  if (storage !== 'embedded') {
    const { leaseAccess } = await import('./ledger/sql/lease-ledger.js');
    const own = !('dataSource' in storage);
    const dataSource = own ? ledgerDataSource(storage, schema) : storage.dataSource;
    const { soleConnectionConfig } = await import('./ledger/sql/sole-connection.js');
    const listening = options.events.listen
      ? soleConnectionConfig(dataSource.options, 'events', NEWS_PATIENCE)
      : undefined;
    const ledger = new SqlLedger({ ...common, dataSource, own, listening });
    const leases = leaseAccess(dataSource, { schema, namespace }, Math.max(LEAST_PATIENCE, options.lease / 3));
    return { ledger, dataSource, leases, release: nothing };
  }
  const { markTransactions } = await import('./ledger/embedded/host-transactions.js');
  const embedded = (await embedding)!;
  // One connection serves all, so that waiting for it is ordinary: a large COPY alone may take seconds.
  const dataSource = ledgerDataSource({ driver: embedded.driver, connectTimeout: 60_000 }, schema);
  const ledger = new SqlLedger({ ...common, dataSource, own: true, exclusive: true });
  return { ledger, dataSource, insideTransaction: markTransactions(dataSource), release: () => embedded.close() };
}

async function embeddedDatabase({ directory }: ResolvedOptions): Promise<EmbeddedDatabase> {
  const { openEmbeddedDatabase } = await import('./ledger/embedded/embedded.database.js');
  return openEmbeddedDatabase({ directory: join(resolve(directory), 'ledger') });
}

/** The built-in managers and the application's own, which may replace them by name. */
export function createIoRegistry(
  { directory, managers }: ResolvedOptions,
  { ledger: { values }, dataSource, insideTransaction }: Omit<OpenableLedger, 'release'>,
): IoRegistry {
  for (const [name, manager] of Object.entries(managers)) {
    // Its transactions would wait for connections that the ledger's wait for, and it cannot join the commit.
    if (!dataSource || !(manager instanceof PostgresIoManager) || !manager.isOn(dataSource)) continue;
    throw new FlowStoneError(
      'FLOWSTONE_OPTIONS_INVALID',
      `The I/O manager '${name}' is on the DataSource of the ledger. Use the built-in '${LEDGER_MANAGER}' for that database: its values are committed with their records.`,
    );
  }
  const builtIn: Record<string, IoManager> = {
    memory: new MemoryIoManager(),
    filesystem: new FilesystemIoManager({ root: join(resolve(directory), 'values') }),
    parquet: new ParquetIoManager({ store: new FileStore(join(resolve(directory), 'parquet')) }),
    ...(values && { [LEDGER_MANAGER]: new LedgerIoManager(outsideTransactions(values, insideTransaction)) }),
  };
  return new IoRegistry(Object.entries({ ...builtIn, ...managers }));
}

/** What is asked from inside a transaction that holds the only connection would wait for itself: it is refused. */
function outsideTransactions(values: LedgerValues, inside: OpenableLedger['insideTransaction']): LedgerValues {
  if (!inside) return values;
  const refuse = (): void => {
    if (!inside()) return;
    throw new FlowStoneError(
      'FLOWSTONE_TRANSACTION_OPEN',
      'A value in the embedded database was asked for inside a transaction, which holds its one connection. Read it before the transaction, or after.',
    );
  };
  return {
    schema: values.schema,
    get single() {
      return values.single;
    },
    settle: (attempt, write) => values.settle(attempt, write),
    read: async (text, parameters) => {
      refuse();
      return values.read(text, parameters);
    },
    transaction: async (fn) => {
      refuse();
      return values.transaction(fn);
    },
  };
}

/** Why a ledger in memory lacks a built-in manager that others have. */
export function absenceOf(name: string): string | undefined {
  return name === LEDGER_MANAGER
    ? "it keeps values in the database of the ledger, and with storage: 'memory' there is none"
    : undefined;
}
