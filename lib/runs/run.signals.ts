// News about runs, so that waiting for a run costs no polling: of this process all, of others what the queue brings.
import { EventEmitter } from 'node:events';
import { FlowStoneError } from '../flowstone.errors.js';

/** How far one materialization is, as its code told (`context.progress`). */
export interface ExecutionProgress {
  readonly id: number;
  readonly asset: string;
  readonly partition: string;
  readonly done: number;
  readonly total: number | undefined;
}

/** One watcher of one run. Close it, or its listener stays. */
export interface RunWatch extends Disposable {
  /**
   * Resolves when something changed since the last call (or the start), or after `poll` ms. Rejects when the
   * application was closed meanwhile.
   */
  changed(poll: number): Promise<void>;
}

export class RunSignals {
  readonly #emitter = new EventEmitter().setMaxListeners(0);

  #closed = false;
  #watched = false;
  readonly #executing = new Map<number, Map<number, ExecutionProgress>>();
  /** The same of other processes, of runs that are watched here. */
  readonly #elsewhere = new Map<number, Map<number, ExecutionProgress>>();

  /**
   * @param hear called when a run is watched for the first time: news of others is wanted from then on
   * @param told called with each piece of news, of whatever run
   */
  constructor(
    private readonly hear: () => void = () => undefined,
    private readonly told: () => void = () => undefined,
  ) {}

  /** Keeps how far a materialization of the run is; watchers see it at their next look. */
  report(run: number, progress: ExecutionProgress): void {
    const ofRun = this.#executing.get(run) ?? new Map<number, ExecutionProgress>();
    this.#executing.set(run, ofRun.set(progress.id, progress));
  }

  /** The materialization does not execute any more. */
  forget(run: number, id: number): void {
    const ofRun = this.#executing.get(run);
    if (ofRun?.delete(id) && ofRun.size === 0) this.#executing.delete(run);
  }

  /** Another process has told how far a materialization of the run is. */
  reportElsewhere(run: number, progress: ExecutionProgress): void {
    const ofRun = this.#elsewhere.get(run) ?? new Map<number, ExecutionProgress>();
    this.#elsewhere.set(run, ofRun.set(progress.id, progress));
    this.changedElsewhere(run);
  }

  /** It does not execute any more there; without one, of the whole run. */
  forgetElsewhere(run: number, id?: number): void {
    if (id === undefined) this.#elsewhere.delete(run);
    else this.#elsewhere.get(run)?.delete(id);
  }

  /** What executes for the run and has told how far it is: in this process, and in others as far as that was told here. */
  executing(run: number): ExecutionProgress[] {
    const all = new Map([...(this.#elsewhere.get(run) ?? []), ...(this.#executing.get(run) ?? [])]);
    return [...all.values()];
  }

  /** Whether it executes in this process. */
  isExecuting(run: number, id: number): boolean {
    return this.#executing.get(run)?.has(id) === true;
  }

  /** Something of the run changed. */
  changed(run: number): void {
    this.#emitter.emit(`changed ${run}`);
    this.told();
  }

  /** The same, of which others know already. */
  changedElsewhere(run: number): void {
    this.#emitter.emit(`changed ${run}`);
  }

  /** The run ended. */
  ended(run: number): void {
    this.#emitter.emit(`ended ${run}`);
    this.changed(run);
  }

  /** The application closes: whoever watches is told so, now or at the next look. */
  close(): void {
    this.#closed = true;
    for (const event of this.#emitter.eventNames()) this.#emitter.emit(event);
  }

  /** @param news `ended`: hears of nothing but the end, and costs a busy run no look at it. */
  watch(run: number, news: 'changed' | 'ended'): RunWatch {
    if (!this.#watched) this.hear();
    this.#watched = true;
    const event = `${news} ${run}`;
    let heard = false;
    let wake: (() => void) | undefined;
    const listen = (): void => {
      heard = true;
      wake?.();
    };
    this.#emitter.on(event, listen);
    return {
      changed: async (poll) => {
        if (!heard && !this.#closed) {
          await new Promise<void>((resolve) => {
            const timer = setTimeout(resolve, poll);
            wake = () => {
              clearTimeout(timer);
              resolve();
            };
          });
        }
        heard = false;
        wake = undefined;
        if (this.#closed) throw closedWhileWaiting(run);
      },
      [Symbol.dispose]: () => {
        this.#emitter.off(event, listen);
        wake?.();
      },
    };
  }
}

function closedWhileWaiting(run: number): FlowStoneError {
  return new FlowStoneError(
    'FLOWSTONE_NOT_STARTED',
    `The application was closed while run ${run} was waited for. A durable ledger keeps it: it goes on where a worker is started, wait for it there.`,
    { context: { run } },
  );
}
