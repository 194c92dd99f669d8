// What people are told of an outage of the ledger, which many operations of a process notice, over and over.
import type { ContextLogger } from '../assets/asset.context.js';
import { messageOf } from './failure.js';

/** While it lasts, it is told of again after so long, ms. */
const REMIND = 60_000;

export class LedgerOutage {
  #since: number | undefined;
  #told = 0;

  constructor(private readonly logger: Pick<ContextLogger, 'log' | 'warn'>) {}

  /** The ledger did not answer. */
  noticed(error: unknown): void {
    const now = performance.now();
    if (this.#since !== undefined && now - this.#told < REMIND) return;
    this.#since ??= now;
    this.#told = now;
    this.logger.warn(`The ledger cannot be reached, and is tried until it is back: ${messageOf(error)}`);
  }

  /** The ledger answers. */
  over(): void {
    if (this.#since === undefined) return;
    this.logger.log(`The ledger is back after ${((performance.now() - this.#since) / 1000).toFixed(1)} s.`);
    this.#since = undefined;
  }
}
