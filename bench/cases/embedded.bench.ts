// Assets that do nothing on the embedded database, beside the same on PostgreSQL in process.
import { freshDatabase } from '../../test/services/services.js';
import type { BenchCase } from '../bench.case.js';
import { independent, layered, materializeAll, WORK } from '../no-op.assets.js';

const perSecond = (ms: number): number => (WORK / ms) * 1000;

async function onPostgres(assets: typeof independent): Promise<number> {
  const database = await freshDatabase();
  try {
    return perSecond(await materializeAll(assets, { storage: { url: database.url } }));
  } finally {
    await database.drop();
  }
}

const bench: BenchCase = {
  title: '10,000 assets that do nothing, embedded / PostgreSQL in process',
  parts: {
    embeddedIndependent: async ({ directory }) => ({
      embeddedIndependent: perSecond(await materializeAll(independent, { directory })),
    }),
    postgresIndependent: async () => ({ postgresIndependent: await onPostgres(independent) }),
    embeddedLayered: async ({ directory }) => ({
      embeddedLayered: perSecond(await materializeAll(layered, { directory })),
    }),
    postgresLayered: async () => ({ postgresLayered: await onPostgres(layered) }),
  },
  measures: [
    { name: 'independent', unit: '/s', ours: 'embeddedIndependent', peer: 'postgresIndependent', atLeast: 0.5 },
    { name: 'layered 100 x 100', unit: '/s', ours: 'embeddedLayered', peer: 'postgresLayered', atLeast: 0.5 },
  ],
};

export default bench;
