// Assets that know nothing of each other over two worker processes that hear of work by Bull, beside bare Bull with two.
import { setTimeout as wait } from 'node:timers/promises';
import { freshDatabase, redisUrl } from '../../test/services/services.js';
import type { BenchCase, Figures } from '../bench.case.js';
import { measureBullWorkers } from '../bull.peer.js';
import { withApplication } from '../measured-run.js';
import { independent } from '../no-op.assets.js';
import { countServer } from '../server-cpu.js';
import { startWorkers } from '../worker-processes.js';

const WORKERS = 2;
const LOOK_MS = 5;

const workOf = (smoke: boolean): number => (smoke ? 2_000 : 60_000);

/** This process asks for the run and looks for its end more often than wait() does of a run that others end. */
async function measureWorkers(count: number): Promise<Figures> {
  const database = await freshDatabase();
  const [postgres, redis] = [database.url, await redisUrl()];
  try {
    const options = { storage: { url: postgres }, queue: { redis }, role: 'api' } as const;
    return await withApplication(independent(count), options, async (flowstone) => {
      const stop = await startWorkers('flowstone-worker.process.js', WORKERS, [postgres, redis, String(count)]);
      const endCount = await countServer(postgres);
      const start = performance.now();
      const run = await flowstone.materialize('*', { partitions: 'all', force: true });
      let view = await run.view();
      for (; view.completedAt === null; view = await run.view()) await wait(LOOK_MS);
      const ms = performance.now() - start;
      const server = await endCount();
      const reports = await stop();
      const executed = reports.map((report) => report.executed);
      if (view.counts.success !== count || executed.reduce((sum, each) => sum + each, 0) !== count)
        throw new Error(`${executed.join(' + ')} were executed and ${view.counts.success} of ${count} succeeded`);
      return {
        ours: (count / ms) * 1000,
        'ours.nodeUs': reports.reduce((sum, { cpu }) => sum + cpu, 0) / count,
        'ours.postgresUs': server.cpu / count,
        'ours.backendUs': server.busiest / count,
        'ours.wal': server.wal / count,
        'ours.leastShare': Math.min(...executed) / count,
      };
    });
  } finally {
    await database.drop();
  }
}

const bench: BenchCase = {
  title: '60,000 independent assets that do nothing, two worker processes by Bull / bare Bull with two, add + process',
  parts: {
    ours: ({ smoke }) => measureWorkers(workOf(smoke)),
    peer: async ({ smoke }) => ({ peer: await measureBullWorkers(workOf(smoke), WORKERS) }),
  },
  measures: [{ name: 'rate', unit: '/s', ours: 'ours', peer: 'peer', atLeast: 1.2 }],
};

export default bench;
