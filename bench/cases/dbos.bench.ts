// Layers of assets that wait for three above, on PostgreSQL in process, beside DBOS's steps on the same server.
import type { BenchCase } from '../bench.case.js';
import { freshDatabase } from '../../test/services/services.js';
import { measureOnPostgres } from '../measured-run.js';
import { layered, LAYERED_RUN } from '../no-op.assets.js';
import { measurePeer } from '../peers.js';

const bench: BenchCase = {
  title: 'three runs of 100 x 100 assets that do nothing, PostgreSQL in process / DBOS steps over 8 workflows',
  parts: {
    ours: ({ smoke }) => measureOnPostgres('ours', smoke ? layered(1, 10) : layered(3)),
    async peer({ smoke }) {
      const database = await freshDatabase();
      try {
        return { peer: await measurePeer('dbos-steps', { postgres: database.url, steps: smoke ? 400 : LAYERED_RUN }) };
      } finally {
        await database.drop();
      }
    },
  },
  measures: [{ name: 'rate', unit: '/s', ours: 'ours', peer: 'peer', atLeast: 6 }],
};

export default bench;
