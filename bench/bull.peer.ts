// Bull as it is, with jobs that do nothing: added in bulk and processed in one process.
import { randomBytes } from 'node:crypto';
import Bull from 'bull';
import { redisUrl } from '../test/services/services.js';
import { CONCURRENCY } from './measured-run.js';

/** Jobs per second from the first add to the last job's end. */
export async function measureBull(jobs: number): Promise<number> {
  const queue = new Bull(`bench-${randomBytes(6).toString('hex')}`, await redisUrl());
  try {
    await queue.isReady();
    let left = jobs;
    const done = new Promise<void>((resolve, reject) => {
      queue.on('completed', () => (left -= 1) === 0 && resolve());
      queue.on('failed', (_job, error) => reject(error));
    });
    const start = performance.now();
    const processing = queue.process(CONCURRENCY, () => Promise.resolve());
    for (let added = 0; added < jobs; added += BULK) {
      await queue.addBulk(
        Array.from({ length: Math.min(BULK, jobs - added) }, (_, index) => ({
          data: { partition: added + index },
          opts: { removeOnComplete: true },
        })),
      );
    }
    await Promise.race([done, processing]);
    return (jobs / (performance.now() - start)) * 1000;
  } finally {
    await queue.obliterate({ force: true });
    await queue.close();
  }
}

const BULK = 1000;
