// What people are told of the work of a process, in the words of its log.
import type { ContextLogger } from './assets/asset.context.js';
import { FlowStoneError } from './flowstone.errors.js';
import type { RunRecord } from './ledger/records.js';
import type { BlockedPlace } from './ledger/sql/lease-ledger.js';
import type { Collected } from './retention/collection.pass.js';
import { messageOf, placeName, type Failure } from './runs/failure.js';
import type { ResourceView } from './resources/resource.keeper.js';
import { LedgerOutage } from './runs/ledger.outage.js';
import { isOutage } from './runs/patience.js';

/** Assets that a message names. */
const NAMED_AT_MOST = 10;

export class WorkLog {
  readonly outage: LedgerOutage;

  constructor(
    readonly logger: ContextLogger,
    private readonly onFailure: (failure: Failure) => unknown,
  ) {
    this.outage = new LedgerOutage(logger);
  }

  runEnded({ id, status, counts, createdAt, completedAt, error }: RunRecord): void {
    const { success, skipped, failed, upstream_failed: unable, cancelled } = counts;
    const seconds = completedAt ? ((completedAt.getTime() - createdAt.getTime()) / 1000).toFixed(1) : '?';
    const line = `Run ${id} ended ${status} after ${seconds} s: ${success} computed, ${skipped} skipped, ${failed} failed, ${unable} could not run, ${cancelled} cancelled.`;
    if (status === 'failed') this.logger.error(error ? `${line} ${error.message}` : line);
    else this.logger.log(line);
  }

  failed(failure: Failure): void {
    const { error, run, attempt, retrying } = failure;
    const next = retrying ? 'it is tried again' : 'it is given up';
    this.logger.error(`${error.message} (${error.code}, run ${run}, attempt ${attempt}, ${next})`);
    // Async, so that a promise it may return is heard as well.
    const told = async (): Promise<unknown> => this.onFailure(failure);
    told().catch((thrown: unknown) =>
      this.logger.error(`onFailure threw for ${placeName(failure)}: ${messageOf(thrown)}`),
    );
  }

  takenOver(count: number): void {
    if (count > 0) this.logger.warn(`Took over ${count} materializations of a process that was lost.`);
  }

  leaseLost(): void {
    this.logger.warn('The lease was lost: other processes took over what ran here, it is aborted.');
  }

  /** These assets have a newer definition than this process has; none: its definitions are the current ones again. */
  superseded(assets: readonly string[]): void {
    if (assets.length === 0) return this.logger.log('The definitions of this process are the current ones again.');
    this.logger.log(
      `A newer definition is current of ${named(assets)}: this process begins nothing of that while a worker lives that has it.`,
    );
  }

  /** What a person would want to know: not that all is as it should be from the beginning. */
  resourceTurned({ name, state, message, assets }: ResourceView): void {
    if (state === 'healthy') return this.logger.log(`Resource ${name} is healthy.`);
    const held = assets.length === 0 ? '' : ` Held here until it is: ${named(assets)}.`;
    this.logger.warn(`Resource ${name} is not healthy: ${message}.${held}`);
  }

  notTornDown(name: string, why: string): void {
    this.logger.warn(`Resource ${name} was not torn down: ${why}`);
  }

  blocked(milliseconds: number, executing: readonly BlockedPlace[]): void {
    const seconds = (milliseconds / 1000).toFixed(1);
    const what = executing.length === 0 ? 'no asset executed' : `${executing.map(placeName).join(', ')} executed`;
    this.logger.warn(
      `The event loop was blocked for ${seconds} s while ${what}: nothing else of this process ran. Let long computations yield, or run them in a worker thread.`,
    );
  }

  collected({ values, orphans, runs, materializations, events }: Collected): void {
    if (values + orphans + runs + materializations + events === 0) return;
    this.logger.log(
      `Retention removed ${values} values, ${orphans} orphans, ${runs} runs, ${materializations} materializations and ${events} events.`,
    );
  }

  linesLost(count: number): void {
    this.logger.warn(`${count} lines that assets have logged could not be kept.`);
  }

  notListed(manager: string, error: unknown): void {
    this.logger.warn(
      `I/O manager '${manager}' could not list what it keeps, so that what dead attempts left there stays until the next search: ${messageOf(error)}`,
    );
  }

  notDeleted(count: number, value: Parameters<typeof placeName>[0], error: unknown): void {
    this.logger.warn(
      `${count} values could not be removed, as that of ${placeName(value)}, and are tried again later: ${messageOf(error)}`,
    );
  }

  leftInOutage(error: unknown): void {
    this.logger.warn(
      `The ledger cannot be reached (${messageOf(error)}): what ran here is taken over when its lease ends.`,
    );
  }

  /** What goes on by itself: of an outage, nothing is told but the outage. */
  stumbled(what: string, error: unknown): void {
    if (isOutage(error)) this.outage.noticed(error);
    else this.logger.warn(`${what}: ${messageOf(error)}`);
  }

  broken(error: unknown): void {
    if (isOutage(error)) return this.outage.noticed(error);
    const code = error instanceof FlowStoneError ? ` (${error.code})` : '';
    this.logger.error(
      `The coordinator stumbled${code} and goes on: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
  }
}

function named(assets: readonly string[]): string {
  const more = assets.length > NAMED_AT_MOST ? ` and ${assets.length - NAMED_AT_MOST} more` : '';
  return `${assets.slice(0, NAMED_AT_MOST).join(', ')}${more}`;
}
