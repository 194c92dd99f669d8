// What the heartbeat needs of the ledger, on a connection of its own and without the rest of the ledger: it runs in a
// thread, where TypeORM and the shared pool are not.
import type { DataSource } from 'typeorm';
import type { Renewal } from '../registrations.js';
import type { Beat, DueDeadline, Outcome, Settled } from '../work.js';
import { AssetNumbers } from './asset-numbers.js';
import { Beats } from './beats.js';
import { Claims } from './claims.js';
import { Database } from './database.js';
import { renewLease } from './processes.js';
import { SoleConnection, soleConnectionConfig, type SoleConnectionConfig } from './sole-connection.js';
import { NAMESPACE, TELL_BLOCK } from './statements/registering.js';
import { OVERDUE } from './statements/timing.js';
import { json } from './values.js';

/** Where the ledger is. */
export interface LeaseLedgerOptions {
  readonly connection: SoleConnectionConfig;
  readonly schema: string;
  /** Of a ledger that was opened before, so that its row exists. */
  readonly namespace: string;
}

/** What executed while the event loop was blocked. */
export interface BlockedPlace {
  readonly asset: string;
  readonly partition: string | undefined;
}

export class LeaseLedger {
  readonly #connection: SoleConnection;
  readonly #database: Database;
  readonly #name: string;
  #namespace: number | undefined;
  #beats: Beats | undefined;
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
    const renewal = await renewLease(this.#database, await this.#number(), process, cutOff || this.#broke);
    this.#broke = false;
    return renewal;
  }

  /** Attempts of this process whose timeout has passed. */
  async overdue(process: string): Promise<readonly DueDeadline[]> {
    type Row = Omit<DueDeadline, 'kind' | 'attempt'> & { readonly attempts: number };
    const rows = await this.#database.rows<Row>(OVERDUE, [await this.#number(), process]);
    return rows.map(({ attempts, ...row }) => ({ ...row, kind: 'timeout', attempt: attempts + 1 }));
  }

  /** See Ledger.settle; with the pools in which there may be work now. */
  async settle(outcomes: readonly Outcome[]): Promise<Settled & Pick<Beat, 'rings'>> {
    const number = await this.#number();
    this.#beats ??= new Beats(this.#database, number, new Claims(this.#database, number, new AssetNumbers(number)));
    return this.#beats.beat(outcomes, undefined);
  }

  /** Records that the event loop of a process did not turn; returns what executed meanwhile. */
  async tellBlock(
    process: string,
    milliseconds: number,
    executing: readonly number[],
  ): Promise<readonly BlockedPlace[]> {
    type Row = { readonly asset: string; readonly partitioned: boolean; readonly partition: string };
    const values = [await this.#number(), executing, json({ process, milliseconds })];
    const rows = await this.#database.rows<Row>(TELL_BLOCK, values);
    return rows.map(({ asset, partitioned, partition }) => ({ asset, partition: partitioned ? partition : undefined }));
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  async #number(): Promise<number> {
    return (this.#namespace ??= (await this.#database.rows<{ id: number }>(NAMESPACE, [this.#name]))[0]!.id);
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
  const connection = soleConnectionConfig(dataSource.options, 'heartbeat', patience);
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
