// What materializations wait for: the ledger's facts, with what this process knows of workers and queues. Nothing is stored.
import type { CurrentDefinition, Ledger, WaitFacts } from '../ledger/ledger.port.js';
import type { PlanWait } from '../planning/planning.port.js';
import type { WorkQueue } from '../queue/queue.port.js';
import { waitReason, type Wait } from './wait.reason.js';

/** What something of a run waits for. */
export interface RunWait extends Wait {
  readonly asset: string;
  /** The first materialization found that waits for it. */
  readonly waiting: number;
}

/** What a process knows of who executes. */
export interface KnownWorkers {
  readonly current: ReadonlyMap<string, CurrentDefinition>;
  /** Assets of this worker of which another definition counts. */
  readonly superseded: readonly string[];
}

export class Waits {
  constructor(
    private readonly ledger: Pick<Ledger, 'now' | 'poolsOf' | 'waitFacts' | 'waitingIn'>,
    private readonly workers: KnownWorkers,
    private readonly queue: Pick<WorkQueue, 'isPaused'>,
  ) {}

  /** Of one materialization; undefined: it does not wait, or there is none. */
  async of(id: number): Promise<Wait | undefined> {
    const facts = Number.isSafeInteger(id) ? await this.ledger.waitFacts(id) : undefined;
    return facts && this.#reason(facts);
  }

  /** What a run waits for but for its own upstreams, each once: of as many materializations as are looked at (waitingIn). */
  async ofRun(run: number): Promise<readonly RunWait[]> {
    const waits = new Map<string, RunWait>();
    for (const id of Number.isSafeInteger(run) ? await this.ledger.waitingIn(run) : []) {
      const facts = await this.ledger.waitFacts(id);
      const wait = facts && this.#reason(facts);
      if (!wait || wait.kind === 'upstream' || waits.has(wait.message)) continue;
      waits.set(wait.message, { ...wait, asset: facts.asset, waiting: id });
    }
    return [...waits.values()];
  }

  /** What anything of these assets would wait for now, where it would: a worker, or its pool. */
  async ofAssets(assets: readonly string[]): Promise<readonly PlanWait[]> {
    const [pools, now] = await Promise.all([this.ledger.poolsOf(assets), this.ledger.now()]);
    return assets.flatMap((asset) => {
      const pool = pools.get(asset);
      const wait = pool && this.#reason({ ...UNHINDERED, asset, pool, now });
      return wait && wait.kind !== 'turn' ? [{ ...wait, asset }] : [];
    });
  }

  #reason(facts: WaitFacts): Wait | undefined {
    return waitReason(facts, {
      live: this.workers.current.get(facts.asset)?.live === true,
      superseded: this.workers.superseded.includes(facts.asset),
      paused: this.queue.isPaused(facts.pool.name),
    });
  }
}

const UNHINDERED: Omit<WaitFacts, 'asset' | 'pool' | 'now'> = {
  status: 'pending',
  run: { id: 0, concurrency: null, running: 0 },
  holder: null,
  upstreams: { open: 0, first: null },
  retryAt: null,
  key: null,
};
