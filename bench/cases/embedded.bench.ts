// Assets that do nothing on the embedded database, beside the same on PostgreSQL in process.
import type { BenchCase } from '../bench.case.js';
import { measureEmbedded, measureOnPostgres } from '../measured-run.js';
import { independent, layered, LAYERED_RUN } from '../no-op.assets.js';

const bench: BenchCase = {
  title: '10,000 assets that do nothing, embedded / PostgreSQL in process',
  parts: {
    embeddedIndependent: ({ directory }) => measureEmbedded('embeddedIndependent', independent(LAYERED_RUN), directory),
    postgresIndependent: () => measureOnPostgres('postgresIndependent', independent(LAYERED_RUN)),
    embeddedLayered: ({ directory }) => measureEmbedded('embeddedLayered', layered(), directory),
    postgresLayered: () => measureOnPostgres('postgresLayered', layered()),
  },
  measures: [
    { name: 'independent', unit: '/s', ours: 'embeddedIndependent', peer: 'postgresIndependent', atLeast: 0.5 },
    { name: 'layered 100 x 100', unit: '/s', ours: 'embeddedLayered', peer: 'postgresLayered', atLeast: 0.5 },
  ],
};

export default bench;
