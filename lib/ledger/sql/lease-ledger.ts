// What the heartbeat needs of the ledger, on a connection of its own and without the rest of the ledger: it runs in a
// thread, where TypeORM and the shared pool are not.
import type { DataSource } from 'typeorm';
import type { Renewal } from '../ledger.port.js';
import { Database } from './database.js';
import { renewLease } from './processes.js';
import { SoleConnection, soleConnectionConfig, type SoleConnectionConfig } from './sole-connection.js';
import { NAMESPACE } from './statements/registering.js';

/** Where the ledger is. */
export interface LeaseLedgerOptions {
  readonly connection: SoleConnectionConfig;
  readonly schema: string;
  /** Of a ledger that was opened before, so that its row exists. */
  readonly namespace: string;
}

export class LeaseLedger {
  readonly #connection: SoleConnection;
  readonly #database: Database;
  readonly #name: string;
  #namespace: number | undefined;
  /** Whether the connection broke while nothing was asked of it. */
  #broke = false;

  /** Connects at its first use. */
  constructor({ connection, schema, namespace }: LeaseLedgerOptions) {
    this.#connection = new SoleConnection(connection, () => {
      this.#broke = true;
    });
    this.#database = new Database(this.#connection, schema, true);
    this.#name = namespace;
  }

  /** See Ledger.renew. */
  async renew(process: string, cutOff: boolean): Promise<Renewal> {
    this.#namespace ??= (await this.#database.rows<{ id: number }>(NAMESPACE, [this.#name]))[0]!.id;
    const renewal = await renewLease(this.#database, this.#namespace, process, cutOff || this.#broke);
    this.#broke = false;
    return renewal;
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }
}

/** The way to the ledger's database beside its own connections. */
export interface LeaseAccess {
  readonly options: LeaseLedgerOptions;
  /** Whether a thread can have the options: no function of the host's is among them. */
  readonly cloneable: boolean;
  open(): LeaseLedger;
}

/**
 * Undefined where there is no other way than the DataSource itself, whose server is not reached by the `pg` package.
 * @param patience milliseconds within which the server must answer
 */
export function leaseAccess(
  dataSource: DataSource,
  place: { readonly schema: string; readonly namespace: string },
  patience: number,
): LeaseAccess | undefined {
  const connection = soleConnectionConfig(dataSource.options, patience);
  if (!connection) return undefined;
  const options = { ...place, connection };
  return { options, cloneable: isCloneable(connection), open: () => new LeaseLedger(options) };
}

function isCloneable(value: unknown): boolean {
  try {
    structuredClone(value);
    return true;
  } catch {
    return false;
  }
}
