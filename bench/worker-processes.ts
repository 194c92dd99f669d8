// Worker processes beside the one that asks for the work, and what each did: for cases and peers that need several.
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** What a worker process did between its start and its end. */
export interface WorkerReport {
  readonly executed: number;
  /** CPU microseconds. */
  readonly cpu: number;
}

/** Starts `count` of a program beside this file. Ready when it resolves; the returned function ends them. */
export async function startWorkers(
  program: string,
  count: number,
  args: readonly string[],
): Promise<() => Promise<WorkerReport[]>> {
  const workers = Array.from({ length: count }, () =>
    fork(join(import.meta.dirname, program), args, { stdio: ['ignore', process.stderr, process.stderr, 'ipc'] }),
  );
  await Promise.all(workers.map(messageOf));
  return () =>
    Promise.all(
      workers.map(async (worker) => {
        const report = messageOf(worker);
        worker.send('stop');
        return (await report) as WorkerReport;
      }),
    );
}

/** In a worker process: says that it is ready, and reports when it is to end. */
export function serve(executed: () => number): void {
  process.send?.('ready');
  const before = process.cpuUsage();
  process.once('message', () => {
    const { user, system } = process.cpuUsage(before);
    const report: WorkerReport = { executed: executed(), cpu: user + system };
    process.send?.(report, () => process.exit(0));
  });
}

async function messageOf(worker: ChildProcess): Promise<unknown> {
  const ended = new AbortController();
  const exit = once(worker, 'exit', ended).then(([code, signal]) => {
    throw new Error(`A worker process ended with ${signal ?? code}.`);
  });
  try {
    const [message] = await Promise.race([once(worker, 'message', ended), exit]);
    return message;
  } finally {
    ended.abort();
    await exit.catch(() => undefined);
  }
}
