// Layers of assets that wait for three above, on PostgreSQL in process, beside BullMQ's flows: trees of jobs.
import type { BenchCase } from '../bench.case.js';
import { redisUrl } from '../../test/services/services.js';
import { measureOnPostgres } from '../measured-run.js';
import { layered, LAYERED_RUN } from '../no-op.assets.js';
import { measurePeer } from '../peers.js';

/** Runs of 100 x 100, one after the other. */
const RUNS = 3;

const bench: BenchCase = {
  title: 'three runs of 100 x 100 assets that do nothing, PostgreSQL in process / BullMQ flows of 13, add + process',
  parts: {
    ours: ({ smoke }) => measureOnPostgres('ours', smoke ? layered(1, 10) : layered(RUNS)),
    peer: async ({ smoke }) => ({
      peer: await measurePeer('bullmq-flows', {
        redis: await redisUrl(),
        jobs: smoke ? 1_000 : RUNS * LAYERED_RUN,
      }),
    }),
  },
  measures: [{ name: 'rate', unit: '/s', ours: 'ours', peer: 'peer', atLeast: 1.5 }],
};

export default bench;
