// The life of one resource in one process: set up until that succeeds, looked at, torn down. User code is called once at a
// time and never waited for without end.
import { setTimeout as pause } from 'node:timers/promises';
import type { ContextLogger } from '../assets/asset.context.js';
import type { ResourceState } from '../ledger/process.records.js';
import { messageOf } from '../runs/failure.js';
import type { OwnResource } from './declared.resources.js';

/** Share by which a pause varies at random, so that many processes do not ask at once. */
const JITTER = 0.2;

/** How a call of user code went; `late`: it has not ended in time, and may yet. */
type Called =
  | { readonly kind: 'done'; readonly value: unknown }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'late'; readonly ended: Promise<Called> };

export interface ResourceNews {
  /** It is in another state, or for another reason. */
  turned(resource: KeptResource): void;
  readonly logger: ContextLogger;
  readonly random: () => number;
}

export class KeptResource {
  state: ResourceState = 'setting_up';
  /** Why it is not healthy. */
  message: string | null = null;
  since = new Date();
  /** When its health was last looked at. */
  checkedAt: Date | null = null;
  /** Resolves once it is known how it is, or it is given up. */
  readonly known: Promise<void>;
  #tellKnown: () => void = () => undefined;
  readonly #stopping = new AbortController();
  readonly #whenStopped = new Promise<void>((resolve) => {
    this.#stopping.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  #life: Promise<void> | undefined;
  #isSetUp = false;
  /** Resolves when it is set up, or given up. */
  readonly #setUp: Promise<void>;
  #tellSetUp: () => void = () => undefined;

  constructor(
    readonly own: OwnResource,
    private readonly news: ResourceNews,
  ) {
    this.known = new Promise((resolve) => (this.#tellKnown = resolve));
    this.#setUp = new Promise((resolve) => (this.#tellSetUp = resolve));
  }

  /** @param before are set up first */
  begin(before: readonly KeptResource[]): void {
    this.#life ??= this.#live(before);
  }

  /** Ends what is under way, and tears it down if it was set up. Why that failed, if it did. */
  async end(): Promise<string | undefined> {
    const { teardownTimeout } = this.own.times;
    this.#stopping.abort();
    const patience = pause(teardownTimeout, undefined, { ref: false });
    await Promise.race([this.#life, patience]);
    this.#tellKnown();
    this.#tellSetUp();
    const { teardown } = this.own.calls;
    if (!this.#isSetUp || !teardown) return undefined;
    const called = await this.#call(teardown, teardownTimeout, false);
    if (called.kind === 'failed') return called.message;
    return called.kind === 'late' ? `it has not ended for ${inWords(teardownTimeout)}` : undefined;
  }

  async #live(before: readonly KeptResource[]): Promise<void> {
    for (const other of before) await Promise.race([other.#setUp, this.#whenStopped]);
    await this.#setItUp();
    this.#tellSetUp();
    if (this.#isSetUp) await this.#watch();
  }

  async #setItUp(): Promise<void> {
    const { calls, times } = this.own;
    for (let failures = 0; !this.#stopped;) {
      let called: Called = calls.setup ? await this.#call(calls.setup, times.setupTimeout) : NOTHING_TO_DO;
      if (called.kind === 'late') {
        this.#turn('unhealthy', `its setup has not ended for ${inWords(times.setupTimeout)}`);
        // Never twice at a time. What succeeds late has succeeded.
        called = await called.ended;
      }
      if (called.kind === 'done') {
        this.#isSetUp = true;
        return;
      }
      this.#turn('unhealthy', `its setup failed: ${called.kind === 'failed' ? called.message : ''}`);
      await this.#pause(this.#backoff(++failures));
    }
  }

  async #watch(): Promise<void> {
    const { calls, times } = this.own;
    if (!calls.checkHealth) return this.#turn('healthy', null);
    for (let failures = 0; !this.#stopped;) {
      const called = await this.#call(calls.checkHealth, times.healthTimeout);
      if (this.#stopped) return;
      this.checkedAt = new Date();
      const problem = problemOf(called, times.healthTimeout);
      failures = problem === null ? 0 : failures + 1;
      this.#turn(problem === null ? 'healthy' : 'unhealthy', problem);
      if (called.kind === 'late') await Promise.race([called.ended, this.#whenStopped]);
      const { healthEvery } = times;
      await this.#pause(failures === 0 ? this.#varied(healthEvery) : Math.min(healthEvery, this.#backoff(failures)));
    }
  }

  #turn(state: ResourceState, message: string | null): void {
    if (this.#stopped) return;
    const isSame = state === this.state && message === this.message;
    if (state !== this.state) this.since = new Date();
    this.state = state;
    this.message = message;
    this.#tellKnown();
    if (!isSame) this.news.turned(this);
  }

  async #call(
    call: (context: { signal: AbortSignal; logger: ContextLogger }) => unknown,
    limit: number,
    abortable = true,
  ): Promise<Called> {
    const late = new AbortController();
    const signal = abortable ? AbortSignal.any([late.signal, this.#stopping.signal]) : late.signal;
    const ended = (async (): Promise<Called> => {
      try {
        return { kind: 'done', value: await call({ signal, logger: this.news.logger }) };
      } catch (error) {
        return { kind: 'failed', message: messageOf(error) };
      }
    })();
    let timer: NodeJS.Timeout | undefined;
    const limited = new Promise<Called>((resolve) => {
      timer = setTimeout(() => {
        late.abort(new DOMException(`${this.own.name} has taken longer than ${inWords(limit)}`, 'TimeoutError'));
        resolve({ kind: 'late', ended });
      }, limit).unref();
    });
    return Promise.race([ended, limited]).finally(() => clearTimeout(timer));
  }

  get #stopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  /** Ends when it is stopped. */
  async #pause(milliseconds: number): Promise<void> {
    const { signal } = this.#stopping;
    await pause(milliseconds, undefined, { signal, ref: false }).catch(() => undefined);
  }

  #backoff(failures: number): number {
    const { retryDelay, retryMax } = this.own.times;
    return this.#varied(Math.min(retryMax, retryDelay * 2 ** (failures - 1)));
  }

  #varied(milliseconds: number): number {
    return milliseconds * (1 + JITTER * (2 * this.news.random() - 1));
  }
}

const NOTHING_TO_DO: Called = { kind: 'done', value: undefined };

/** Why it is not healthy. */
function problemOf(called: Called, limit: number): string | null {
  if (called.kind === 'failed') return called.message;
  if (called.kind === 'late') return `its health check has not ended for ${inWords(limit)}`;
  return called.value === false ? 'its health check says so' : null;
}

function inWords(milliseconds: number): string {
  return milliseconds < 1000 ? `${milliseconds} ms` : `${Number((milliseconds / 1000).toPrecision(3))} s`;
}
