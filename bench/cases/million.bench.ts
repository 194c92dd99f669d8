// A run of a million materializations: how fast it is planned and inserted, and how much memory that takes.
import { setTimeout as wait } from 'node:timers/promises';
import { freshDatabase } from '../../test/services/services.js';
import type { BenchCase } from '../bench.case.js';
import { withApplication } from '../measured-run.js';
import { independent, layered, type Work } from '../no-op.assets.js';

const MILLION = 1_000_000;
const LAYERS = 100;
const LOOK_MS = 10;

/** The first that is executed never ends, and there is room for one: executing takes nothing from the planning. */
const ONE_FOR_EVER = { concurrency: 1, drainDeadline: 1 };
const forEver = (): Promise<void> => new Promise(() => {});

interface Times {
  /** Materializations per second from the request until the whole run is recorded. */
  readonly rate: number;
  /** Seconds from its cancel until nothing of it is pending. */
  readonly cancel: number;
}

async function planAndCancel(work: Work): Promise<Times> {
  const database = await freshDatabase();
  try {
    return await withApplication(work, { storage: { url: database.url }, ...ONE_FOR_EVER }, async (flowstone) => {
      const start = performance.now();
      const run = await flowstone.materialize('*', { partitions: 'all' });
      for (;;) {
        const { status, counts } = await run.view();
        if (status !== 'planning' && counts.total === work.runSize) break;
        if (status === 'failed') throw new Error('planning failed');
        await wait(LOOK_MS);
      }
      const planned = performance.now();
      await run.cancel();
      while ((await run.view()).counts.pending > 0) await wait(LOOK_MS);
      const seconds = (milliseconds: number): number => milliseconds / 1000;
      return { rate: work.runSize / seconds(planned - start), cancel: seconds(performance.now() - planned) };
    });
  } finally {
    await database.drop();
  }
}

const sizeOf = (smoke: boolean): number => (smoke ? 10_000 : MILLION);

const bench: BenchCase = {
  title: 'a run of 1,000,000 materializations: plan and insert, and cancel',
  parts: {
    independent: async ({ smoke }) => {
      const { rate, cancel } = await planAndCancel(independent(sizeOf(smoke), forEver));
      return { independent: rate, independentCancel: cancel };
    },
    // Three million edges besides; without a bar.
    layered: async ({ smoke }) => {
      const { rate, cancel } = await planAndCancel(layered(1, sizeOf(smoke) / LAYERS, 'graph', forEver));
      return { layered: rate, layeredCancel: cancel };
    },
  },
  measures: [
    { name: 'rate', unit: '/s', ours: 'independent', atLeast: 100_000 },
    { name: 'memory of the process', unit: 'MB', ours: 'independent.memory', atMost: 300 },
    { name: 'cancel', unit: 's', ours: 'independentCancel', atMost: 30 },
  ],
};

export default bench;
