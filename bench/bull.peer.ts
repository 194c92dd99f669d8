// Bull as it is, with jobs that do nothing, added in bulk.
import { randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import Bull, { type Queue } from 'bull';
import { redisUrl } from '../test/services/services.js';
import { CONCURRENCY } from './measured-run.js';
import { startWorkers } from './worker-processes.js';

/** Jobs that one call adds. */
const BULK = 1000;
const LOOK_MS = 5;

/** Jobs per second from the first add to the last job's end, where this process executes them. */
export async function measureBull(jobs: number): Promise<number> {
  return withQueue(async (queue) => {
    let left = jobs;
    const done = new Promise<void>((resolve, reject) => {
      queue.on('completed', () => (left -= 1) === 0 && resolve());
      queue.on('failed', (_job, error) => reject(error));
    });
    const start = performance.now();
    const processing = queue.process(CONCURRENCY, () => Promise.resolve());
    await addAll(queue, jobs);
    await Promise.race([done, processing]);
    return (jobs / (performance.now() - start)) * 1000;
  });
}

/** The same where so many worker processes execute them and this one only adds. */
export async function measureBullWorkers(jobs: number, workers: number): Promise<number> {
  return withQueue(async (queue) => {
    const stop = await startWorkers('bull-worker.process.js', workers, [await redisUrl(), queue.name]);
    const start = performance.now();
    await addAll(queue, jobs);
    for (;;) {
      const { waiting, active } = await queue.getJobCounts();
      if (waiting + active === 0) break;
      await wait(LOOK_MS);
    }
    const seconds = (performance.now() - start) / 1000;
    const executed = (await stop()).reduce((sum, worker) => sum + worker.executed, 0);
    if (executed !== jobs) throw new Error(`${executed} of ${jobs} jobs were executed`);
    return jobs / seconds;
  });
}

/** Version of the Redis server. */
export async function redisVersion(): Promise<string> {
  const info = await withQueue((queue) => queue.client.info('server'));
  return /^redis_version:(\S+)/m.exec(info)?.[1] ?? 'unknown';
}

async function withQueue<T>(use: (queue: Queue) => Promise<T>): Promise<T> {
  const queue = new Bull(`bench-${randomBytes(6).toString('hex')}`, await redisUrl());
  try {
    await queue.isReady();
    return await use(queue);
  } finally {
    await queue.obliterate({ force: true });
    await queue.close();
  }
}

async function addAll(queue: Queue, jobs: number): Promise<void> {
  for (let added = 0; added < jobs; added += BULK) {
    await queue.addBulk(
      Array.from({ length: Math.min(BULK, jobs - added) }, (_, index) => ({
        data: { partition: added + index },
        opts: { removeOnComplete: true },
      })),
    );
  }
}
