// What wrong planner statistics and a long history cost: layers of assets on PostgreSQL in process, beside the same on
// a database that has neither.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Client } from 'pg';
import { freshDatabase } from '../../test/services/services.js';
import type { BenchCase, Figures } from '../bench.case.js';
import { measureWithServer, withApplication } from '../measured-run.js';
import { layered, type Work } from '../no-op.assets.js';

/** Before work is measured on the database at this URL, whose schema is there. */
type Prepare = (url: string) => Promise<void>;

const workOf = (smoke: boolean): Work => (smoke ? layered(1, 10) : layered(3));

async function measureAfter(name: string, work: Work, prepare?: Prepare): Promise<Figures> {
  const database = await freshDatabase();
  try {
    return await withApplication(work, { storage: { url: database.url } }, async (flowstone) => {
      await prepare?.(database.url);
      return measureWithServer(name, flowstone, work, database.url);
    });
  } finally {
    await database.drop();
  }
}

/**
 * What an autoanalyze leaves that comes amid the insert of a large plan, whose rows it does not count yet: tables of
 * some pages without a row. Nothing mends it afterwards.
 */
async function forceBadStatistics(url: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<{ name: string }>(
    "SELECT oid::regclass::text AS name FROM pg_class WHERE relnamespace = 'flowstone'::regnamespace AND relkind = 'r'",
  );
  for (const { name } of rows) await client.query(`ALTER TABLE ${name} SET (autovacuum_enabled = false)`);
  await client.query(
    `UPDATE pg_class SET relpages = greatest(relpages, 100), reltuples = 0
     WHERE relnamespace = 'flowstone'::regnamespace AND relkind IN ('r', 'i')`,
  );
  await client.end();
}

/** Records of so many materializations of other assets, made in a process of their own. */
async function makeHistory(url: string, count: number): Promise<void> {
  const maker = fork(join(import.meta.dirname, '..', 'history.process.js'), [url, String(count)], {
    stdio: ['ignore', process.stderr, process.stderr, 'ipc'],
  });
  const [code, signal] = await once(maker, 'exit');
  if (code !== 0) throw new Error(`The process that makes the history ended with ${signal ?? code}.`);
}

const bench: BenchCase = {
  title: 'three runs of 100 x 100 assets that do nothing: bad statistics / normal; after 1,000,000 others / empty',
  parts: {
    normal: ({ smoke }) => measureAfter('normal', workOf(smoke)),
    badStatistics: ({ smoke }) => measureAfter('badStatistics', workOf(smoke), forceBadStatistics),
    history: ({ smoke }) =>
      measureAfter('history', workOf(smoke), (url) => makeHistory(url, smoke ? 2_000 : 1_000_000)),
  },
  measures: [
    { name: 'bad statistics', unit: '/s', ours: 'badStatistics', peer: 'normal', atLeast: 0.7 },
    { name: 'history of 1,000,000', unit: '/s', ours: 'history', peer: 'normal', atLeast: 0.7 },
  ],
};

export default bench;
