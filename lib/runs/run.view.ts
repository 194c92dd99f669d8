// A run as it is shown: the stored record, and `waiting` derived from what is left of it.
import type { Ledger } from '../ledger/ledger.port.js';
import type { MaterializationRecord, RunRecord, RunStatus } from '../ledger/records.js';
import type { KnownWorkers } from './waits.js';

/** Failures that a result carries; the rest is a query away. */
const FAILURES_SHOWN = 10;
/** Runs that wait for runs that wait ...: looked at so far, deeper counts as running. */
const WAIT_DEPTH = 5;

/** A run with its status of now. */
export interface RunView extends Omit<RunRecord, 'status'> {
  readonly status: RunStatus;
}

/** A run that has ended, or (until: 'settled') waits. */
export interface RunResult extends RunView {
  /** The first materializations that failed by themselves, at most ten. */
  readonly failures: readonly MaterializationRecord[];
}

/** Whether nothing changes a run any more. */
export function hasEnded(status: RunStatus): boolean {
  return status === 'success' || status === 'failed' || status === 'cancelled';
}

export class RunViews {
  constructor(
    private readonly ledger: Ledger,
    private readonly workers: Pick<KnownWorkers, 'current' | 'held'>,
  ) {}

  /** Undefined: no such run. */
  async view(id: number): Promise<RunView | undefined> {
    const run = await this.stored(id);
    return run && { ...run, status: (await this.#waits(run, WAIT_DEPTH)) ? 'waiting' : run.status };
  }

  /** As it is stored: one that waits is `running`. Enough for who asks whether it has ended. */
  async stored(id: number): Promise<RunRecord | undefined> {
    // What cannot be an id is none; the database would call it a syntax error.
    return Number.isSafeInteger(id) ? this.ledger.run(id) : undefined;
  }

  async result(view: RunView): Promise<RunResult> {
    const failures =
      view.counts.failed === 0
        ? []
        : (await this.ledger.materializations({ run: view.id, status: ['failed'] }, { limit: FAILURES_SHOWN })).items;
    return { ...view, failures };
  }

  /** Only approvals, absent workers, unhealthy resources, or runs that wait themselves are left (semantics, Planning and running 5). */
  async #waits(run: RunRecord, depth: number): Promise<boolean> {
    if (run.status !== 'running' || run.counts.running > 0 || depth === 0) return false;
    const { current, held } = this.workers;
    const executed = [...current].filter(([asset, { live }]) => live && !held.has(asset)).map(([asset]) => asset);
    const { going, ready, waitsFor } = await this.ledger.progressOf(run.id, executed);
    if (going) return false;
    for (const holder of waitsFor) {
      const other = await this.ledger.run(holder);
      if (other && !hasEnded(other.status) && !(await this.#waits(other, depth - 1))) return false;
    }
    return ready || waitsFor.length > 0 || run.counts.waiting_approval > 0;
  }
}
