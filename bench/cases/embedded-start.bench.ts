// Opening the embedded database, up to the answer to a first statement: in an empty directory, and in one it was in.
import { openEmbeddedDatabase } from '../../lib/ledger/embedded/embedded.database.js';
import type { BenchCase } from '../bench.case.js';

/** Seconds until the first answer. The ledger's schema must be there: it comes with the snapshot. */
async function start(directory: string): Promise<number> {
  const begin = performance.now();
  const database = await openEmbeddedDatabase({ directory });
  const pool = new database.driver.Pool();
  const { rows } = await pool.query<{ version: number }>(
    'SELECT schema_version AS version FROM flowstone.installation',
  );
  const seconds = (performance.now() - begin) / 1_000;
  await pool.end();
  await database.close();
  if (rows.length !== 1) throw new Error('the snapshot holds no ledger');
  return seconds;
}

const bench: BenchCase = {
  title: 'start of the embedded database: the first, and later ones',
  rounds: 5,
  parts: {
    first: async ({ directory }) => ({ first: await start(directory) }),
    later: async ({ directory }) => {
      await start(directory);
      return { later: await start(directory) };
    },
  },
  measures: [
    { name: 'first start', unit: 's', ours: 'first', atMost: 1.5 },
    { name: 'later start', unit: 's', ours: 'later', atMost: 1 },
  ],
};
export default bench;
