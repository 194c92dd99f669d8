// Writes what attempts log into the ledger, in batches beside their work. It never fails an attempt: what cannot be kept is
// left out, and that is told.
import type { LogLedger, NewLogLine } from '../ledger/logs.port.js';
import { Alarm } from './alarm.js';
import { withPatience } from './patience.js';

/** How long lines gather, ms, unless their attempt ends. */
const GATHERING = 200;
/** Lines written by one statement at most. */
const BATCH = 500;
/** Lines that wait while the ledger cannot be reached; further ones are left out. */
const MOST_WAITING = 10_000;
/** How long the end of an attempt waits for its lines, ms. */
const PATIENCE = 1000;

/** A line on its way: logged at a moment of this process's clock. */
export type LoggedLine = Omit<NewLogLine, 'age'> & { readonly loggedAt: number };

export interface LogKeeperNews {
  /** So many lines could not be kept. */
  lost(count: number): void;
  /** There are new lines of these materializations. */
  written(materializations: readonly number[]): void;
  outage(error: unknown): void;
  /** They cannot be kept for another reason than an outage. */
  failed(error: unknown): void;
}

export class LogKeeper {
  readonly #alarm = new Alarm(() => void this.#write());
  readonly #stopping = new AbortController();
  #waiting: LoggedLine[] = [];
  #lost = 0;
  #writing: Promise<void> | undefined;

  constructor(
    private readonly ledger: () => LogLedger,
    private readonly news: LogKeeperNews,
  ) {}

  add(line: LoggedLine): void {
    if (this.#waiting.length >= MOST_WAITING) {
      this.#lost++;
      return;
    }
    this.#waiting.push(line);
    this.#alarm.set(this.#waiting.length >= BATCH ? 0 : GATHERING);
  }

  /** Resolves once what was added is kept, or after a second: then it will be when it can. */
  async flush(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<void>((resolve) => (timer = setTimeout(resolve, PATIENCE)));
    await Promise.race([this.#write(), patience]);
    clearTimeout(timer);
  }

  /** Keeps what there is, as long as the ledger answers. */
  async close(): Promise<void> {
    this.#alarm.close();
    this.#stopping.abort();
    await this.#write();
    this.#tellLost(this.#waiting.splice(0).length);
  }

  async #write(): Promise<void> {
    // What is being written was taken before: what came since takes another turn.
    while (this.#writing) await this.#writing;
    if (this.#waiting.length === 0) return;
    this.#writing = this.#writeAll().finally(() => (this.#writing = undefined));
    await this.#writing;
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) await this.#writeSome(this.#waiting.splice(0, BATCH));
  }

  async #writeSome(lines: readonly LoggedLine[]): Promise<void> {
    try {
      await withPatience(
        () => this.ledger().append(aged(lines)),
        this.#stopping.signal,
        (error) => this.news.outage(error),
      );
      this.news.written([...new Set(lines.map(({ materialization }) => materialization))]);
      this.#tellLost(0);
    } catch (error) {
      this.news.failed(error);
      this.#tellLost(lines.length);
    }
  }

  #tellLost(more: number): void {
    const lost = this.#lost + more;
    this.#lost = 0;
    if (lost > 0) this.news.lost(lost);
  }
}

function aged(lines: readonly LoggedLine[]): NewLogLine[] {
  const now = performance.now();
  return lines.map(({ loggedAt, ...line }) => ({ ...line, age: now - loggedAt }));
}
