// How many calls of DuckDB work at once. Each holds one of the few threads (four, unless UV_THREADPOOL_SIZE says otherwise)
// in which Node.js also reads files and looks up hosts, for as long as a query takes.
const MOST_AT_ONCE = 2;

let free = MOST_AT_ONCE;
const waiting = new Set<() => void>();

/** Calls `work` when its turn comes. Rejects with the reason of `signal` when that aborts before. */
export async function inTurn<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  if (free > 0) free--;
  else await turn(signal);
  try {
    return await work();
  } finally {
    const [next] = waiting;
    if (next) next();
    else free++;
  }
}

function turn(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = () => {
      waiting.delete(begin);
      signal?.removeEventListener('abort', giveUp);
    };
    const begin = () => {
      leave();
      resolve();
    };
    const giveUp = () => {
      leave();
      reject(signal!.reason as Error);
    };
    waiting.add(begin);
    signal?.addEventListener('abort', giveUp);
  });
}
