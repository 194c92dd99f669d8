// How far the runs are that somebody watches here, wherever they are executed: what other processes tell, until the log says
// that it is over.
import type { EventKind } from '../ledger/event.catalogue.js';
import type { RunSignals } from '../runs/run.signals.js';
import type { EventBus } from './event.bus.js';
import type { RunExecution } from './neighbours.js';

/** By which a materialization ends, and its attempt besides. */
const ENDS: readonly EventKind[] = [
  'materialization.success',
  'materialization.failed',
  'materialization.upstream_failed',
  'materialization.skipped',
  'materialization.cancelled',
];
const CHANGES: readonly EventKind[] = [
  ...ENDS,
  'run.planned',
  'run.ended',
  'materialization.waiting_approval',
  'materialization.retrying',
  'materialization.rescued',
];

/** A run that is watched, and by how many. */
interface Watched {
  watchers: number;
  /** Of each materialization, the attempt up to which nothing that comes late is taken any more. */
  readonly over: Map<number, number>;
  /** Of each, the newest attempt that was told of. */
  readonly newest: Map<number, number>;
  readonly end: () => void;
}

export class RunWatches {
  readonly #watched = new Map<number, Watched>();

  constructor(
    private readonly bus: EventBus,
    private readonly signals: RunSignals,
  ) {}

  /** From now on `signals` hear of the run what all processes tell; the result ends it. */
  watch(run: number): () => void {
    const watched = this.#watched.get(run) ?? this.#begin(run);
    this.#watched.set(run, watched);
    watched.watchers++;
    return () => {
      if (--watched.watchers > 0) return;
      this.#watched.delete(run);
      watched.end();
      this.signals.forgetElsewhere(run);
    };
  }

  /** Executions of other processes are so far. */
  progressed(executions: readonly RunExecution[]): void {
    for (const { run, epoch, ...progress } of executions) {
      const watched = this.#watched.get(run);
      if (!watched || epoch <= (watched.over.get(progress.id) ?? 0)) continue;
      watched.newest.set(progress.id, epoch);
      this.signals.reportElsewhere(run, progress);
    }
  }

  #begin(run: number): Watched {
    const over = new Map<number, number>();
    const newest = new Map<number, number>();
    const end = this.bus.add({
      kinds: CHANGES,
      next: ({ kind, run: of, materialization: id }) => {
        if (of !== run) return;
        if (id !== null) {
          over.set(id, ENDS.includes(kind) ? Infinity : (newest.get(id) ?? 0));
          this.signals.forgetElsewhere(run, id);
        }
        this.signals.changedElsewhere(run);
      },
      complete: () => undefined,
    });
    return { watchers: 0, over, newest, end };
  }
}
