// Why an attempt is told to stop, and waiting for code that may not listen.

export type AbortKind = 'cancelled' | 'shutdown' | 'lost' | 'timeout';

const TEXT: Readonly<Record<AbortKind, string>> = {
  cancelled: 'the run was cancelled',
  shutdown: 'the process shuts down',
  lost: 'the lease was lost: another process may be running this',
  timeout: 'the timeout passed',
};

/** Aborts after which nobody waits for the code. */
const AT_ONCE: ReadonlySet<AbortKind | undefined> = new Set(['timeout', 'shutdown']);

/** The reason of an attempt's abort signal. */
export class Aborted extends Error {
  constructor(readonly kind: AbortKind) {
    super(TEXT[kind]);
    this.name = 'Aborted';
  }
}

/** The kind of an abort, undefined while there is none. */
export function abortKind(signal: AbortSignal): AbortKind | undefined {
  if (!signal.aborted) return undefined;
  return signal.reason instanceof Aborted ? signal.reason.kind : 'cancelled';
}

/**
 * The result of `work`, or a rejection with the signal's reason once it has been aborted: at once for a timeout and
 * for a shutdown (whose deadline has passed), after `grace()` ms otherwise, since code that listens ends sooner and may
 * still tell what it did.
 */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal, grace: () => number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => {
      timer = setTimeout(() => reject(signal.reason as Error), AT_ONCE.has(abortKind(signal)) ? 0 : grace());
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    clearTimeout(timer);
    if (onAbort) signal.removeEventListener('abort', onAbort);
    // Code that goes on after its abort may still throw: nobody waits for it.
    work.catch(() => undefined);
  }
}
