// How a run stands, told at a cost that does not grow with what is ready in it or with what other runs wait for.
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { ledgerDataSource } from '../../lib/ledger/sql/data-source.js';
import { inSchema } from '../../lib/ledger/sql/statement.js';
import { PROGRESS } from '../../lib/ledger/sql/statements/reading.js';
import { attempt, error, World } from '../conformance/ledger.fixture.js';
import { sqlLedger } from '../conformance/ledger-sql.fixture.js';
import { freshDatabase, type FreshDatabase } from '../services/services.js';

interface PlanNode {
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly Plans?: readonly PlanNode[];
}

let database: FreshDatabase;
let dataSource: DataSource;
let world: World;

beforeAll(async () => {
  database = await freshDatabase();
  dataSource = await ledgerDataSource({ url: database.url, poolSize: 1 }, 'flowstone').initialize();
  const { ledger, pass } = await sqlLedger(dataSource);
  world = new World(ledger, pass);
  await world.register('one');
});

afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

const many = (count: number, prefix: string): { asset: string; partition: string }[] =>
  Array.from({ length: count }, (_, index) => ({ asset: 'p', partition: `${prefix}${index}` }));

/** Rows that PROGRESS looks at, when bits are those of the assets somebody executes. */
async function rowsLookedAt(run: number, bits: string): Promise<number> {
  const { text } = inSchema(PROGRESS, 'flowstone');
  await dataSource.query(`PREPARE progress AS ${text}`);
  const [row] = await dataSource.query(
    `EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE progress (1, ${run}, '\\x${bits}'::bytea)`,
  );
  await dataSource.query('DEALLOCATE progress');
  const count = (node: PlanNode): number =>
    (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops'] +
    (node.Plans ?? []).reduce((sum, child) => sum + count(child), 0);
  return count(row['QUERY PLAN'][0].Plan);
}

it('is told of a run by a handful of rows, whatever is ready in it and waits in others', async () => {
  const retrying = await world.run(many(500, 'retrying'));
  const claims = await world.claim('one', { limit: 500 });
  const outcome = { kind: 'retry', error: error('again'), delay: 60_000, infrastructure: false } as const;
  await world.settle(...claims.map((claim) => ({ ...attempt(claim), ...outcome })));
  const large = await world.run(many(2000, 'ready'));
  const blocked = await world.run([{ asset: 'a' }]);
  await world.claim('one', { assets: ['a'] });
  for (const { id } of [retrying, large, blocked]) {
    expect(await rowsLookedAt(id, 'ffff')).toBeLessThan(20);
    // Nobody executes any of it.
    expect(await rowsLookedAt(id, '')).toBeLessThan(20);
  }
  expect(await world.ledger.progressOf(large.id, ['p'])).toMatchObject({ going: true });
  expect(await world.ledger.progressOf(blocked.id, ['a', 'p'])).toMatchObject({ going: false });
});
