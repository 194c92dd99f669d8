// ensure(): the head if it will do, else one materialization shared by all who ask (semantics, Planning and running 11).
import { parseDuration, type Duration } from '../assets/duration.js';
import { FlowStoneError } from '../flowstone.errors.js';
import type { Ledger } from '../ledger/ledger.port.js';
import type { HeadRecord, RunRequest } from '../ledger/records.js';
import { readStatus } from '../planning/status.js';
import type { LedgerFacts, LostValue } from './ledger.facts.js';
import type { PartitionMoments } from './partition.moments.js';
import type { RunRequester } from './requester.js';
import type { RunHandle } from './run.handle.js';

/** Milliseconds to wait unless told. */
const DEFAULT_TIMEOUT = 30_000;

export interface EnsureConditions {
  /** The head must have been committed within so long. */
  readonly maxAge?: Duration;
  /** `ok`: a stale head will do, age alone decides. */
  readonly stale?: 'ok';
  /** How long to wait, default 30 s; then FLOWSTONE_ENSURE_TIMEOUT, and the work goes on. */
  readonly timeout?: Duration;
}

/** A head that exists. */
export type PresentHead = HeadRecord & {
  readonly materialization: number;
  readonly dataVersion: string;
  readonly completedAt: Date;
};

export class Ensurer {
  /** Runs requested here and still open, by what they are for. */
  readonly #open = new Map<string, Promise<RunHandle>>();

  constructor(
    private readonly ledger: Ledger,
    private readonly moments: PartitionMoments,
    private readonly facts: LedgerFacts,
    private readonly requester: RunRequester,
    private readonly lostValue: LostValue,
  ) {}

  async ensure(asset: string, partition: string, conditions: EnsureConditions): Promise<PresentHead> {
    const started = performance.now();
    const timeout = parseDuration(conditions.timeout ?? DEFAULT_TIMEOUT);
    const maxAge = conditions.maxAge === undefined ? null : parseDuration(conditions.maxAge);
    const head = await this.#head(asset, partition);
    const old = head !== undefined && maxAge !== null && (await this.#isOlder(head, maxAge));
    if (head && !old && (conditions.stale === 'ok' || (await this.#isFresh(asset, partition)))) return head;
    // Too old, it has to be recomputed though nothing above may have changed: only force does that.
    const handle = await this.#run(asset, partition, old ? maxAge : null);
    await outcome(handle, asset, partition, timeout - (performance.now() - started));
    const computed = await this.#head(asset, partition);
    if (computed) return computed;
    throw new FlowStoneError(
      'FLOWSTONE_VALUE_MISSING',
      `${asset} has no value any more: it was deleted right after run ${handle.id}. Ask again.`,
      { context: { asset, partition, run: handle.id } },
    );
  }

  async #head(asset: string, partition: string): Promise<PresentHead | undefined> {
    const head = (await this.ledger.heads([{ asset, partitions: [partition] }]))[0]!.get(partition);
    const lost = head?.value && this.lostValue(head.value);
    return head?.materialization == null || lost ? undefined : (head as PresentHead);
  }

  async #isOlder({ completedAt }: PresentHead, maxAge: number): Promise<boolean> {
    return (await this.ledger.now()).getTime() - completedAt.getTime() > maxAge;
  }

  async #isFresh(asset: string, partition: string): Promise<boolean> {
    return (await readStatus(await this.moments.fresh(), this.facts, asset, partition)).state === 'fresh';
  }

  /** One run for all callers of this process; other processes join it by the lock of (asset, partition). */
  #run(asset: string, partition: string, forceMaxAge: number | null): Promise<RunHandle> {
    const force = forceMaxAge !== null;
    const name = JSON.stringify([asset, partition, force]);
    const open = this.#open.get(name);
    if (open) return open;
    const targets: RunRequest['targets'] = [{ asset, partitions: { keys: [partition] } }];
    const request: RunRequest = { targets, upstream: 'stale', downstream: false, force, forceMaxAge };
    const requested = this.moments.fresh().then((model) => this.requester.request(request, {}, model));
    this.#open.set(name, requested);
    const forget = (): void => void this.#open.delete(name);
    requested.then((handle) => handle.wait().then(forget, forget), forget);
    return requested;
  }
}

async function outcome(handle: RunHandle, asset: string, partition: string, timeout: number): Promise<void> {
  const context = { asset, partition, run: handle.id };
  const settled = await handle.wait({ until: 'settled', timeout: Math.max(0, timeout) }).catch((error: unknown) => {
    if (!(error instanceof FlowStoneError) || error.code !== 'FLOWSTONE_RUN_WAIT_TIMEOUT') throw error;
    const message = `${asset} was not there in time. Run ${handle.id} goes on: ask again, or give it a longer timeout.`;
    throw new FlowStoneError('FLOWSTONE_ENSURE_TIMEOUT', message, { context, cause: error });
  });
  if (settled.status !== 'waiting') return;
  const message = `${asset} waits in run ${handle.id} for a decision or a worker. It goes on after that.`;
  throw new FlowStoneError('FLOWSTONE_WAITING_APPROVAL', message, { context });
}
