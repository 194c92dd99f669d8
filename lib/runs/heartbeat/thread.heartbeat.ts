// The heartbeat in a thread of its own (heartbeat.worker.ts), so that code that blocks the event loop keeps its lease.
import { Worker } from 'node:worker_threads';
import { FlowStoneError } from '../../flowstone.errors.js';
import type { Renewal } from '../../ledger/registrations.js';
import type { DueDeadline } from '../../ledger/work.js';
import type { BlockedPlace, LeaseLedgerOptions } from '../../ledger/sql/lease-ledger.js';
import { timeoutFailure, type AttemptLimits } from '../timed-out.js';
import type { Heartbeat, HeartbeatNews } from './heartbeat.port.js';
import { Pulse } from './pulse.js';

/** What the thread is started with; times in ms. */
export interface ThreadSettings {
  readonly ledger: LeaseLedgerOptions;
  readonly heartbeat: number;
  /** For how long the event loop may not turn before that is a block. */
  readonly blockedAfter: number;
  /** See Pulse.memory. */
  readonly pulse: SharedArrayBuffer;
  /** Of the assets that have a timeout, by key. */
  readonly limits: ReadonlyMap<string, AttemptLimits>;
}

export type ToThread = { readonly kind: 'keep'; readonly process: string } | { readonly kind: 'stop' };

export type FromThread =
  | { readonly kind: 'renewed'; readonly process: string; readonly renewal: Renewal }
  | { readonly kind: 'blocked'; readonly milliseconds: number; readonly executing: readonly BlockedPlace[] }
  | {
      readonly kind: 'timedOut';
      readonly fenced: readonly { readonly deadline: DueDeadline; readonly retrying: boolean }[];
      readonly endedRuns: readonly number[];
      readonly rings: readonly string[];
    }
  | { readonly kind: 'failed'; readonly message: string; readonly outage: boolean };

/** How long a thread may take to close its connection before it is ended, and until a broken one is replaced, in ms. */
const PATIENCE = 1000;

export class ThreadHeartbeat implements Heartbeat {
  #worker: Worker | undefined;
  #process: string | undefined;
  #restart: NodeJS.Timeout | undefined;
  readonly #pulsing: NodeJS.Timeout;
  #stopping = false;

  constructor(
    private readonly settings: ThreadSettings,
    private readonly news: HeartbeatNews,
  ) {
    const pulse = new Pulse(settings.pulse);
    pulse.beat();
    this.#pulsing = setInterval(() => pulse.beat(), settings.blockedAfter / 4).unref();
    this.#start();
  }

  keep(process: string): void {
    this.#process = process;
    this.#tell({ kind: 'keep', process });
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restart);
    clearInterval(this.#pulsing);
    const worker = this.#worker;
    if (!worker) return;
    const ended = new Promise((resolve) => worker.once('exit', resolve));
    this.#tell({ kind: 'stop' });
    // Waited for, hence counted among what keeps the process alive.
    worker.ref();
    const timer = setTimeout(() => void worker.terminate(), PATIENCE);
    await ended;
    clearTimeout(timer);
  }

  #start(): void {
    const worker = new Worker(new URL('./heartbeat.worker.js', import.meta.url), {
      workerData: this.settings,
      name: 'flowstone-heartbeat',
      // The host's loaders and instrumentation are no business of this thread.
      execArgv: [],
    });
    worker.unref();
    worker.on('message', (message: FromThread) => this.#receive(message));
    worker.on('error', (error) => this.news.failed(error));
    worker.on('exit', () => this.#ended());
    this.#worker = worker;
    if (this.#process !== undefined) this.keep(this.#process);
  }

  #ended(): void {
    this.#worker = undefined;
    if (this.#stopping) return;
    this.#restart = setTimeout(() => this.#start(), PATIENCE).unref();
  }

  #tell(message: ToThread): void {
    this.#worker?.postMessage(message);
  }

  #receive(message: FromThread): void {
    if (this.#stopping) return;
    switch (message.kind) {
      case 'renewed':
        return this.news.renewed(message.process, message.renewal);
      case 'blocked':
        return this.news.blocked(message.milliseconds, message.executing);
      case 'timedOut':
        return this.news.timedOut({
          failures: message.fenced.map(({ deadline, retrying }) =>
            timeoutFailure(deadline, this.settings.limits.get(deadline.asset), retrying),
          ),
          endedRuns: message.endedRuns,
          rings: message.rings,
        });
      case 'failed':
        return this.news.failed(errorOf(message));
    }
  }
}

/** An error does not pass between threads as it is. */
function errorOf({ message, outage }: Extract<FromThread, { kind: 'failed' }>): Error {
  return outage ? new FlowStoneError('FLOWSTONE_LEDGER_UNAVAILABLE', message) : new Error(message);
}
