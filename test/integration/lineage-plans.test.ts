// The walks of lineage look rows up by their indexes, whatever the statistics say: ten million edges must not be scanned.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { ledgerDataSource } from '../../lib/ledger/sql/data-source.js';
import { migrateLedger } from '../../lib/ledger/sql/schema.js';
import { inSchema } from '../../lib/ledger/sql/statement.js';
import { HEAD_CONSUMERS, WALK_DOWNSTREAM, WALK_UPSTREAM } from '../../lib/ledger/sql/statements/tracing.js';
import { freshDatabase, type FreshDatabase } from '../services/services.js';

const NODES = 20_000;

let database: FreshDatabase;
let client: Client;

beforeAll(async () => {
  database = await freshDatabase();
  await migrateLedger(ledgerDataSource({ url: database.url }, 'flowstone'));
  client = new Client({ connectionString: database.url, options: '-c search_path=flowstone' });
  await client.connect();
  await client.query(
    `INSERT INTO materializations (id, head_id, asset_id, namespace, status, data_version, completed_at)
     SELECT n, n, 1, 1, 'success', '1', now() FROM generate_series(1, ${NODES}) n`,
  );
  await client.query(
    `INSERT INTO lineage (downstream, upstream) SELECT n, n - r FROM generate_series(4, ${NODES}) n, generate_series(1, 3) r`,
  );
  await client.query(
    `INSERT INTO heads (id, asset_id, partition, materialization_id) SELECT n, 1, n::text, n FROM generate_series(1, ${NODES}) n`,
  );
});

afterAll(async () => {
  await client.end();
  await database.drop();
});

const STATISTICS: Readonly<Record<string, string>> = {
  'as they are': `SELECT`,
  // What an autoanalyze leaves that comes amid the insert of a large plan.
  'of empty tables': `UPDATE pg_class SET relpages = greatest(relpages, 100), reltuples = 0
    WHERE relnamespace = 'flowstone'::regnamespace AND relkind IN ('r', 'i')`,
  'of few rows, all in one page': `UPDATE pg_class SET relpages = 1, reltuples = 1
    WHERE relnamespace = 'flowstone'::regnamespace AND relkind IN ('r', 'i')`,
};
const SESSIONS: Readonly<Record<string, string>> = {
  'of our own':
    'SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_nestloop = off; SET jit = off; SET plan_cache_mode = force_generic_plan',
  'of a host, with generic plans': 'RESET ALL; SET search_path = flowstone; SET plan_cache_mode = force_generic_plan',
  'of a host, with custom plans': 'RESET ALL; SET search_path = flowstone; SET plan_cache_mode = force_custom_plan',
};

/** Blocks of all tables and indexes that running it reads. */
async function blocksRead(name: string, values: string): Promise<{ blocks: number; plan: string }> {
  const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: Record<string, number> }] }>(
    `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE ${name}(${values})`,
  );
  const [{ Plan: plan }] = rows[0]!['QUERY PLAN'];
  return { blocks: plan['Shared Hit Blocks']! + plan['Shared Read Blocks']!, plan: JSON.stringify(plan) };
}

describe.each(Object.entries(SESSIONS))('in a session %s', (_session, settings) => {
  describe.each(Object.entries(STATISTICS))('with statistics %s', (_statistics, change) => {
    beforeAll(async () => {
      await client.query('ANALYZE');
      await client.query(change);
    });

    it.each([
      ['walk_upstream', WALK_UPSTREAM, `${NODES / 2}, 5, 1, 1000, 10000`, 'lineage_pkey'],
      ['walk_downstream', WALK_DOWNSTREAM, `${NODES / 2}, 5, 1, 1000, 10000, NULL`, 'lineage_upstream'],
      ['head_consumers', HEAD_CONSUMERS, `ARRAY[${NODES / 2}]`, 'lineage_upstream'],
    ])('%s reads a few blocks by its index', async (name, statement, values, index) => {
      await client.query(`DEALLOCATE ALL; ${settings}`);
      await client.query(`PREPARE ${name} AS ${inSchema(statement, 'flowstone').text}`);
      const { blocks, plan } = await blocksRead(name, values);
      expect(plan).toContain(`"Index Name":"${index}"`);
      expect(plan).not.toContain('"Seq Scan"');
      expect(blocks).toBeLessThan(600);
    });
  });
});
