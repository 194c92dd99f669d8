// What materialize() returns: a run to wait for, to watch and to cancel, from whichever process.
import { setTimeout as pause } from 'node:timers/promises';
import { parseDuration, type Duration } from '../assets/duration.js';
import { oneOf } from '../assets/expectations.js';
import { FlowStoneError } from '../flowstone.errors.js';
import type { RunCounts, RunStatus } from '../ledger/records.js';
import { isOutage } from './patience.js';
import { elsewhere, requireOptions, type Expected } from '../request.options.js';
import type { ExecutionProgress, RunSignals } from './run.signals.js';
import type { RunWait } from './waits.js';
import { hasEnded, type RunResult, type RunView, type RunViews } from './run.view.js';

/** How often a run is looked at that another process may end, whose news may be lost, or that may only wait, ms. */
const POLL = 500;
/** The same where nobody but this process can end it, who is told. */
const POLL_ALONE = 10_000;
/** Time between two moments that progress() shows, at least, ms. */
const SHORTEST_LOOK = 50;

/** A moment of a run. */
export interface RunProgress {
  readonly id: number;
  readonly status: RunStatus;
  readonly counts: RunCounts;
  /** What executes and told how far it is: in this process, and with `flowstone.progress()` in others. */
  readonly executing: readonly ExecutionProgress[];
}

export interface WaitOptions {
  /** `settled`: return as well when the run only waits for people or absent workers. Default `ended`. */
  readonly until?: 'ended' | 'settled';
  /** Give up waiting after so long (FLOWSTONE_RUN_WAIT_TIMEOUT); the run goes on. */
  readonly timeout?: Duration;
}

const WAIT: Expected<WaitOptions> = { until: oneOf('ended', 'settled'), timeout: elsewhere };

/** The run ended `failed`. */
export class RunFailed extends FlowStoneError {
  constructor(readonly result: RunResult) {
    const { id, counts, failures, error } = result;
    const messages = error ? [error.message] : failures.map((failure) => failure.error?.message ?? '');
    const why = messages.map((message) => (/[.!?]$/.test(message) ? message : `${message}.`)).join(' ');
    super(
      'FLOWSTONE_RUN_FAILED',
      `Run ${id} failed: ${counts.failed} failed, ${counts.upstream_failed} could not run, of ${counts.total}. ${why} Mend the cause, then retry(${id}).`,
      { context: { run: id } },
    );
    this.name = 'RunFailed';
  }
}

/** The run ended `cancelled`. */
export class RunCancelled extends FlowStoneError {
  constructor(readonly result: RunResult) {
    const { id, cancelRequested } = result;
    const by = cancelRequested?.by == null ? '' : ` by ${cancelRequested.by}`;
    const reason = cancelRequested?.reason == null ? '' : `: ${cancelRequested.reason}`;
    super('FLOWSTONE_RUN_CANCELLED', `Run ${id} was cancelled${by}${reason}. retry(${id}) takes up what is left.`, {
      context: { run: id },
    });
    this.name = 'RunCancelled';
  }
}

export interface RunHandleParts {
  readonly views: RunViews;
  readonly signals: RunSignals;
  /** Whether no other process can use the ledger. */
  readonly alone: boolean;
  /** Throws where reading would wait for the caller itself: inside a transaction that holds the only connection. */
  readonly beforeRead: () => void;
  readonly cancel: (id: number, reason: string | null) => Promise<void>;
  readonly waits: (id: number) => Promise<readonly RunWait[]>;
  /** Throws where waiting would never end: inside an asset, or while the request's transaction is open. */
  readonly beforeWait: () => void;
}

export class RunHandle {
  constructor(
    readonly id: number,
    private readonly parts: RunHandleParts,
  ) {}

  /** The run as it is now. */
  async view(): Promise<RunView> {
    return this.#found((views) => views.view(this.id));
  }

  async #found(read: (views: RunViews) => Promise<RunView | undefined>): Promise<RunView> {
    this.parts.beforeRead();
    const view = await read(this.parts.views);
    if (view) return view;
    throw new FlowStoneError(
      'FLOWSTONE_RUN_NOT_FOUND',
      `There is no run ${this.id}. runs() lists those that are kept.`,
      {
        context: { run: this.id },
      },
    );
  }

  /**
   * Resolves to the result when the run ended `success`; rejects with {@link RunFailed} or {@link RunCancelled},
   * which carry it. While the ledger cannot be reached it goes on waiting, with `timeout` at most so long; then it rejects
   * with FLOWSTONE_LEDGER_UNAVAILABLE.
   */
  async wait(options: WaitOptions = {}): Promise<RunResult> {
    requireOptions('wait()', options, WAIT);
    const { until = 'ended', timeout } = options;
    const patience = timeout === undefined ? Infinity : parseDuration(timeout);
    const deadline = performance.now() + patience;
    const poll = this.parts.alone && until === 'ended' ? POLL_ALONE : POLL;
    this.parts.beforeWait();
    using watch = this.parts.signals.watch(this.id, 'ended');
    for (;;) {
      const late = performance.now() >= deadline;
      const seen = await unlessAway(async () => {
        // Whether it only waits is looked for where that is asked, or told: it costs more than whether it has ended.
        const telling = late || until === 'settled';
        const view = await this.#found((views) => (telling ? views.view(this.id) : views.stored(this.id)));
        const over = hasEnded(view.status) || (until === 'settled' && view.status === 'waiting');
        return { view, result: over ? await this.parts.views.result(view) : undefined };
      });
      if ('result' in seen && seen.result) {
        if (seen.view.status === 'failed') throw new RunFailed(seen.result);
        if (seen.view.status === 'cancelled') throw new RunCancelled(seen.result);
        return seen.result;
      }
      if (late) {
        if ('outage' in seen) throw seen.outage;
        const { status } = seen.view;
        throw new FlowStoneError(
          'FLOWSTONE_RUN_WAIT_TIMEOUT',
          `Run ${this.id} is ${status} after ${patience} ms. It goes on: wait again, or cancel it.`,
          { context: { run: this.id, status } },
        );
      }
      await watch.changed(Math.min('outage' in seen ? POLL : poll, Math.max(0, deadline - performance.now())));
    }
  }

  /**
   * What the run waits for but for its own upstreams, each reason once with the first that waits for it; of a large run,
   * of what could begin first. Empty: it does not wait, or is no more.
   */
  async waits(): Promise<readonly RunWait[]> {
    this.parts.beforeRead();
    return this.parts.waits(this.id);
  }

  /**
   * Each change of the run, the newest only if the consumer is slow; ends with the ended run. While the ledger cannot be
   * reached there are none. It ends as well, soon after `signal` is aborted.
   */
  async *progress(signal?: AbortSignal): AsyncGenerator<RunProgress> {
    this.parts.beforeWait();
    using watch = this.parts.signals.watch(this.id, 'changed');
    for (let shown = ''; ;) {
      const seen = await unlessAway(() => this.view());
      if (!('outage' in seen)) {
        const { id, status, counts } = seen;
        const executing = this.parts.signals.executing(id);
        const now = JSON.stringify([status, counts, executing]);
        if (now !== shown) yield { id, status, counts, executing };
        shown = now;
        if (hasEnded(status)) return;
      }
      await pause(SHORTEST_LOOK);
      await watch.changed(POLL);
      if (signal?.aborted) return;
    }
  }

  /** Cancels what has not begun at once, what runs through its signal; ended runs stay as they are. */
  async cancel(reason: string | null = null): Promise<void> {
    this.parts.beforeRead();
    await this.parts.cancel(this.id, reason);
  }
}

/** What is read of the ledger, or the outage that kept it from answering. */
async function unlessAway<T extends object>(read: () => Promise<T>): Promise<T | { readonly outage: FlowStoneError }> {
  try {
    return await read();
  } catch (error) {
    if (isOutage(error)) return { outage: error as FlowStoneError };
    throw error;
  }
}
