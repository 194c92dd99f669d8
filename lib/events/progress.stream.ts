// How far one run is, as an observable, and as server-sent events for an application's own users.
import { catchError, EMPTY, interval, last, map, merge, Observable, share, takeUntil } from 'rxjs';
import type { RunProgress } from '../runs/run.handle.js';

/** Between two signs of life of a stream that has nothing to say, ms: proxies close what is silent. */
const KEEP_ALIVE = 15_000;

/** What Nest's `@Sse()` sends. */
export interface ProgressMessage {
  /** `progress`; the last is `end`; `ping` says nothing. */
  readonly type: 'progress' | 'end' | 'ping';
  readonly data: object;
}

/** @param moments of one run, from now to its end, begun by each subscription and ended with it */
export function progressOf(
  moments: (signal: AbortSignal) => AsyncGenerator<RunProgress>,
  watch: () => () => void,
): Observable<RunProgress> {
  return new Observable((subscriber) => {
    const unwatch = watch();
    const over = new AbortController();
    const iterate = async (): Promise<void> => {
      for await (const moment of moments(over.signal)) {
        if (subscriber.closed) return;
        subscriber.next(moment);
      }
      subscriber.complete();
    };
    iterate().catch((error: unknown) => subscriber.error(error));
    return () => {
      over.abort();
      unwatch();
    };
  });
}

/** The same for a browser; without anything but numbers, keys of assets and partitions. */
export function messagesOf(
  progress: Observable<RunProgress>,
  hasEnded: (moment: RunProgress) => boolean,
): Observable<ProgressMessage> {
  const shared = progress.pipe(share());
  const over = shared.pipe(
    last(null, null),
    catchError(() => EMPTY),
  );
  return merge(
    shared.pipe(
      map((moment): ProgressMessage => ({ type: hasEnded(moment) ? 'end' : 'progress', data: shown(moment) })),
    ),
    interval(KEEP_ALIVE).pipe(
      map((): ProgressMessage => ({ type: 'ping', data: {} })),
      takeUntil(over),
    ),
  );
}

function shown({ id, status, counts, executing }: RunProgress): object {
  return {
    run: id,
    status,
    counts,
    executing: executing.map(({ asset, partition, done, total }) => ({ asset, partition, done, total: total ?? null })),
  };
}
