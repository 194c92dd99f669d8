// Assets that know nothing of each other on PostgreSQL in process, from the request to the end, beside Bull's jobs.
import type { BenchCase } from '../bench.case.js';
import { measureBull } from '../bull.peer.js';
import { measureOnPostgres } from '../measured-run.js';
import { independent } from '../no-op.assets.js';

const workOf = (smoke: boolean): number => (smoke ? 2_000 : 30_000);

const bench: BenchCase = {
  title: '30,000 independent assets that do nothing, PostgreSQL in process / Bull add + process',
  parts: {
    ours: ({ smoke }) => measureOnPostgres('ours', independent(workOf(smoke))),
    peer: async ({ smoke }) => ({ peer: await measureBull(workOf(smoke)) }),
  },
  measures: [{ name: 'rate', unit: '/s', ours: 'ours', peer: 'peer', atLeast: 1.5 }],
};

export default bench;
