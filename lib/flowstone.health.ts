// How what FlowStone stands on is, as one process sees it.
import type { Ledger } from './ledger/ledger.port.js';
import type { QueueHealth, WorkQueue } from './queue/queue.port.js';
import type { ResourceView } from './resources/resource.keeper.js';
import { messageOf } from './runs/failure.js';

/** How what FlowStone stands on is. */
export interface FlowStoneHealth {
  /** The application is being shut down: refuse readiness (see `shutdownGrace`). */
  readonly closing: boolean;
  readonly database: { readonly status: 'up' | 'down'; readonly error?: string };
  readonly queue: QueueHealth;
  /** Processes of the namespace that execute and are heard of; null: the database is down. */
  readonly workers: number | null;
  /** The resources of this process, by name. */
  readonly resources: readonly ResourceView[];
}

interface HealthParts {
  readonly ledger: Ledger;
  readonly queue: WorkQueue;
  readonly closing: boolean;
  readonly resources: { readonly views: readonly ResourceView[] };
}

/** What is down is told, not thrown. */
export async function readHealth({ ledger, queue, closing, resources }: HealthParts): Promise<FlowStoneHealth> {
  const [ledgerHealth, news] = await Promise.all([readLedger(ledger), queue.health()]);
  return { closing, ...ledgerHealth, queue: news, resources: resources.views };
}

async function readLedger(ledger: Ledger): Promise<Pick<FlowStoneHealth, 'database' | 'workers'>> {
  try {
    const [now, processes] = await Promise.all([ledger.now(), ledger.processes.processes()]);
    const workers = processes.filter(({ worker, leaseUntil }) => worker && leaseUntil > now).length;
    return { database: { status: 'up' }, workers };
  } catch (error) {
    return { database: { status: 'down', error: messageOf(error) }, workers: null };
  }
}
