// Assets that take 10 ms, 50 at once, on PostgreSQL in process, beside a loop of the same without any database.
import { setTimeout as wait } from 'node:timers/promises';
import type { BenchCase } from '../bench.case.js';
import { CONCURRENCY, measureOnPostgres } from '../measured-run.js';
import { independent } from '../no-op.assets.js';

const workOf = (smoke: boolean): number => (smoke ? 2_000 : 30_000);
const tenMilliseconds = (): Promise<void> => wait(10);

async function loop(count: number): Promise<number> {
  let left = count;
  const lane = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await tenMilliseconds();
    }
  };
  const start = performance.now();
  await Promise.all(Array.from({ length: CONCURRENCY }, lane));
  return (count / (performance.now() - start)) * 1000;
}

const bench: BenchCase = {
  title: '30,000 assets that take 10 ms, 50 at once, PostgreSQL in process / a loop without database',
  parts: {
    ours: ({ smoke }) => measureOnPostgres('ours', independent(workOf(smoke), tenMilliseconds)),
    peer: async ({ smoke }) => ({ peer: await loop(workOf(smoke)) }),
  },
  measures: [{ name: 'rate', unit: '/s', ours: 'ours', peer: 'peer', atLeast: 0.9 }],
};

export default bench;
