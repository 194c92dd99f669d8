// Why an attempt is told to stop, and waiting for code that may not listen.
import { LONGEST_TIMER } from './alarm.js';

export type AbortKind = 'cancelled' | 'shutdown' | 'lost' | 'timeout' | 'moved';

const TEXT: Readonly<Record<AbortKind, string>> = {
  cancelled: 'the run was cancelled',
  shutdown: 'the process shuts down',
  lost: 'the lease was lost: another process may be running this',
  timeout: 'the timeout passed',
  moved: 'an input was replaced while it was read',
};

/** Aborts after which nobody waits for the code. */
const AT_ONCE: ReadonlySet<AbortKind> = new Set(['timeout', 'shutdown']);

/** The reason of an attempt's abort signal. */
export class Aborted extends Error {
  constructor(readonly kind: AbortKind) {
    super(TEXT[kind]);
    this.name = 'Aborted';
  }
}

/**
 * How an attempt is told to stop, once. Its signal is made when somebody asks for it: most code does not, and a signal
 * costs more than all else of a short attempt.
 */
export class Abort {
  #reason: Aborted | undefined;
  #controller: AbortController | undefined;
  #listener: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** What is thrown, undefined while nobody aborted. */
  get reason(): Aborted | undefined {
    return this.#reason;
  }

  /** For user code and I/O managers. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#reason) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** The first reason counts. */
  abort(kind: AbortKind): void {
    if (this.#reason) return;
    this.#reason = new Aborted(kind);
    this.#controller?.abort(this.#reason);
    this.#listener?.();
  }

  throwIfAborted(): void {
    if (this.#reason) throw this.#reason;
  }

  /** Code that catches the error may go on and return: what it saw of a value that was replaced must not become part of one. */
  throwIfMoved(): void {
    if (this.#reason?.kind === 'moved') throw this.#reason;
  }

  /**
   * The result of `work`, or a rejection with the reason once there is one: at once for a timeout and for a shutdown
   * (whose deadline has passed), after `grace()` ms otherwise, since code that listens ends sooner and may still tell
   * what it did. Code that goes on after that may still throw: nobody waits for it. One at a time for an attempt.
   */
  over<T>(work: Promise<T>, grace: () => number): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#listener = () => {
        const reason = this.#reason!;
        this.#timer = setTimeout(() => reject(reason), AT_ONCE.has(reason.kind) ? 0 : grace());
      };
      if (this.#reason) this.#listener();
      work.then(
        (value) => this.#settle(resolve, value),
        (error: unknown) => this.#settle(reject, error),
      );
    });
  }

  #settle<V>(how: (value: V) => void, value: V): void {
    clearTimeout(this.#timer);
    this.#listener = undefined;
    how(value);
  }
}

/**
 * Calls `abort` after `limit` ms; the result prevents it. A timer of Node cannot wait for weeks: what takes so long, the
 * ledger's own timer aborts.
 */
export function abortAfter(limit: number, abort: () => void): () => void {
  if (limit > LONGEST_TIMER) return () => undefined;
  const timer = setTimeout(abort, limit);
  return () => clearTimeout(timer);
}
