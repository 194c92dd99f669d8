// What materializations wait for: the ledger's facts, with what this process knows of workers and queues. Nothing is stored.
import type { Ledger, StartFacts, WaitFacts } from '../ledger/ledger.port.js';
import type { HeldAsset } from '../ledger/process.records.js';
import type { CurrentDefinition } from '../ledger/registrations.js';
import type { PlanningFacts, PlanWait } from '../planning/planning.port.js';
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
  /** Assets that no worker can begin. */
  readonly held: ReadonlyMap<string, HeldAsset>;
  /** Assets of this worker of which another definition counts. */
  readonly superseded: readonly string[];
}

export class Waits {
  constructor(
    private readonly ledger: Pick<Ledger, 'approvals' | 'startFacts' | 'waitFacts' | 'waitingIn'>,
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
    if (!Number.isSafeInteger(run)) return [];
    const open = await this.ledger.approvals.approvals(
      { run, status: ['open'] },
      { limit: APPROVALS_TOLD, order: 'newest' },
    );
    const asked = open.items.map(({ materialization }) => materialization).toReversed();
    for (const id of [...asked, ...(await this.ledger.waitingIn(run))]) {
      const facts = await this.ledger.waitFacts(id);
      const wait = facts && this.#reason(facts);
      const name = facts && wait?.kind === 'approval' ? `approval ${facts.asset}` : wait?.message;
      if (!wait || name === undefined || wait.kind === 'upstream' || waits.has(name)) continue;
      waits.set(name, { ...wait, asset: facts.asset, waiting: id });
    }
    return [...waits.values()];
  }

  /**
   * What these would wait for if they were to run now, each reason once for each asset, of holders the first ones of each
   * asset.
   */
  async ofEntries(entries: Parameters<PlanningFacts['waits']>[0]): Promise<readonly PlanWait[]> {
    const waits = new Map<string, PlanWait>();
    const holders = new Map<string, number>();
    for (const { partition, ...facts } of await this.ledger.startFacts(entries)) {
      const { asset } = facts;
      const wait = this.#reason({ ...UNREQUESTED, ...facts });
      if (!wait || wait.kind === 'turn') continue;
      const { kind, materialization, key } = wait;
      // Not by the message: of a rate it counts seconds.
      const reason = JSON.stringify([asset, kind, materialization, key]);
      if (waits.has(reason)) continue;
      if (kind === 'holder') {
        const before = holders.get(asset) ?? 0;
        if (before === HOLDERS_TOLD) continue;
        holders.set(asset, before + 1);
      }
      const ofPartition = kind === 'holder' || key !== undefined;
      waits.set(reason, { ...wait, asset, ...(ofPartition && { partition }) });
    }
    return [...waits.values()];
  }

  #reason(facts: WaitFacts): Wait | undefined {
    return waitReason(facts, {
      live: this.workers.current.get(facts.asset)?.live === true,
      held: this.workers.held.get(facts.asset),
      superseded: this.workers.superseded.includes(facts.asset),
      paused: this.queue.isPaused(facts.pool.name),
    });
  }
}

/** Of a run, those that wait for people. */
const APPROVALS_TOLD = 20;
/** Of each asset of a plan. */
const HOLDERS_TOLD = 10;

const UNREQUESTED: Omit<WaitFacts, keyof StartFacts> = {
  status: 'pending',
  run: { id: 0, concurrency: null, running: 0 },
  upstreams: { open: 0, first: null },
  retryAt: null,
};
