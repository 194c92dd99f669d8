// News of events between processes, by LISTEN and NOTIFY of their server. Listening takes a connection of its own, on which
// nothing else is asked: one that a pooler lends by the transaction hears nothing.
import { setTimeout as pause } from 'node:timers/promises';
import { Client } from 'pg';
import type { EventNews } from '../event-log.port.js';
import type { Database } from './database.js';
import { isOutage, unavailable } from './failures.js';
import type { SoleConnectionConfig } from './sole-connection.js';
import { quoted } from './statement.js';
import { MARK_LISTENING, TELL } from './statements/following.js';

const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 5000;
/** Until a connection is left to itself, ms. */
const FAREWELL = 500;

/** The server ended the connection without a word. */
class ListeningEnded extends Error {
  constructor() {
    super('The connection that listens for events was closed.');
  }
}

export class ServerNews implements EventNews {
  readonly #channel: string;
  readonly listen?: EventNews['listen'];

  constructor(
    private readonly database: Database,
    private readonly namespace: number,
    connection: SoleConnectionConfig | undefined,
  ) {
    // A name of at most 63 bytes (see SCHEMA_NAME of sql-ledger.ts).
    this.#channel = `flowstone ${database.schema} ${namespace}`;
    if (!connection) return;
    this.listen = (heard, failed) => {
      const stopping = new AbortController();
      const listening = keepListening(
        () => this.#listenOnce(connection, heard, stopping.signal),
        // An outage is told as one.
        (error) => failed(isOutage(error) || error instanceof ListeningEnded ? unavailable(error, false) : error),
        stopping.signal,
      );
      return {
        close: async () => {
          stopping.abort();
          await listening;
        },
      };
    };
  }

  async mark(process: string, listens: boolean): Promise<void> {
    await this.database.rows(MARK_LISTENING, [this.namespace, process, listens]);
  }

  async tell(what = ''): Promise<void> {
    await this.database.rows(TELL, [this.#channel, what]);
  }

  /** Until the connection is lost, or nobody wants to listen any more. Resolves to how it was lost, if there was one. */
  async #listenOnce(
    connection: SoleConnectionConfig,
    heard: (what: string) => void,
    signal: AbortSignal,
  ): Promise<unknown> {
    const client = new Client(connection);
    let isConnected = false;
    // It may be lost at any moment; the first error tells.
    const lost = new Promise<never>((_, reject) => {
      client.on('error', reject);
      client.on('end', () => reject(new ListeningEnded()));
    });
    const ended = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    client.on('notification', ({ payload = '' }) => heard(payload));
    const listen = async (): Promise<void> => {
      await client.connect();
      await client.query(`LISTEN ${quoted(this.#channel)}`);
      isConnected = true;
      // Others may have told meanwhile.
      heard('');
      await ended;
    };
    try {
      await Promise.race([listen(), lost, ended]);
      return undefined;
    } catch (error) {
      if (!isConnected) throw error;
      return error;
    } finally {
      // A server that is away may not answer the farewell.
      const farewell = new AbortController();
      await Promise.race([client.end(), pause(FAREWELL, undefined, { signal: farewell.signal })]).catch(
        () => undefined,
      );
      farewell.abort();
    }
  }
}

/** Listens anew whenever that has ended, with growing pauses while it cannot. */
async function keepListening(
  listen: () => Promise<unknown>,
  failed: (error: unknown) => void,
  signal: AbortSignal,
): Promise<void> {
  for (let failures = 0; !signal.aborted;) {
    try {
      const lost = await listen();
      failures = 0;
      if (lost !== undefined) failed(lost);
    } catch (error) {
      if (failures++ === 0) failed(error);
    }
    const next = Math.min(FIRST_PAUSE * 2 ** Math.min(failures, 10), LONGEST_PAUSE);
    await pause(next, undefined, { signal, ref: false }).catch(() => undefined);
  }
}
