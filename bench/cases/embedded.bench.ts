// Assets that do nothing on the embedded database, beside the same on PostgreSQL in process.
import type { BenchCase } from '../bench.case.js';
import { measureEmbedded, measureOnPostgres } from '../measured-run.js';
import { independent, layered, type Work } from '../no-op.assets.js';

const independentOf = (smoke: boolean): Work => independent(smoke ? 1_000 : 30_000);
const layeredOf = (smoke: boolean): Work => (smoke ? layered(1, 10) : layered(3));

const bench: BenchCase = {
  title: '30,000 assets that do nothing, embedded / PostgreSQL in process',
  parts: {
    embeddedIndependent: ({ directory, smoke }) =>
      measureEmbedded('embeddedIndependent', independentOf(smoke), directory),
    postgresIndependent: ({ smoke }) => measureOnPostgres('postgresIndependent', independentOf(smoke)),
    embeddedLayered: ({ directory, smoke }) => measureEmbedded('embeddedLayered', layeredOf(smoke), directory),
    postgresLayered: ({ smoke }) => measureOnPostgres('postgresLayered', layeredOf(smoke)),
  },
  measures: [
    { name: 'independent', unit: '/s', ours: 'embeddedIndependent', peer: 'postgresIndependent', atLeast: 0.5 },
    { name: 'layered 100 x 100', unit: '/s', ours: 'embeddedLayered', peer: 'postgresLayered', atLeast: 0.5 },
  ],
};

export default bench;
