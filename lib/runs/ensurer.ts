// ensure(): the head if it will do, else one materialization shared by all who ask (semantics, Planning and running 11).
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
  /** The head must have been committed within so many ms. */
  readonly maxAge?: number;
  /** `ok`: a stale head will do, age alone decides. */
  readonly stale?: 'ok';
  /** Milliseconds to wait, default 30 s; then FLOWSTONE_ENSURE_TIMEOUT, and the work goes on. */
  readonly timeout?: number;
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
    const head = await this.#head(asset, partition);
    const young = head !== undefined && (await this.#isYoung(head, conditions));
    const fresh = head !== undefined && (conditions.stale === 'ok' || (await this.#isFresh(asset, partition)));
    if (head && young && fresh) return head;
    // Fresh, but too old: only force recomputes it.
    const handle = await this.#run(asset, partition, fresh ? (conditions.maxAge ?? null) : null, fresh);
    await outcome(handle, asset, partition, (conditions.timeout ?? DEFAULT_TIMEOUT) - (performance.now() - started));
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

  async #isYoung({ completedAt }: PresentHead, { maxAge }: EnsureConditions): Promise<boolean> {
    return maxAge === undefined || (await this.ledger.now()).getTime() - completedAt.getTime() <= maxAge;
  }

  async #isFresh(asset: string, partition: string): Promise<boolean> {
    return (await readStatus(await this.moments.fresh(), this.facts, asset, partition)).state === 'fresh';
  }

  /** One run for all callers of this process; other processes join it by the lock of (asset, partition). */
  #run(asset: string, partition: string, forceMaxAge: number | null, force: boolean): Promise<RunHandle> {
    const name = JSON.stringify([asset, partition, force]);
    const open = this.#open.get(name);
    if (open) return open;
    const targets: RunRequest['targets'] = [{ asset, partitions: { keys: [partition] } }];
    const request: RunRequest = { targets, upstream: 'stale', downstream: false, force, forceMaxAge };
    const requested = this.requester.request(request);
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
