// Every named statement of the ledger: PostgreSQL takes it, and no plan of it scans a large table.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { ledgerDataSource } from '../../lib/ledger/sql/data-source.js';
import { migrateLedger } from '../../lib/ledger/sql/schema.js';
import { inSchema, type Statement } from '../../lib/ledger/sql/statement.js';
import * as acting from '../../lib/ledger/sql/statements/acting.js';
import * as aging from '../../lib/ledger/sql/statements/aging.js';
import * as approving from '../../lib/ledger/sql/statements/approving.js';
import * as checking from '../../lib/ledger/sql/statements/checking.js';
import * as claiming from '../../lib/ledger/sql/statements/claiming.js';
import * as collecting from '../../lib/ledger/sql/statements/collecting.js';
import * as following from '../../lib/ledger/sql/statements/following.js';
import * as hooking from '../../lib/ledger/sql/statements/hooking.js';
import * as lending from '../../lib/ledger/sql/statements/lending.js';
import * as logging from '../../lib/ledger/sql/statements/logging.js';
import * as reading from '../../lib/ledger/sql/statements/reading.js';
import * as registering from '../../lib/ledger/sql/statements/registering.js';
import * as removing from '../../lib/ledger/sql/statements/removing.js';
import * as requesting from '../../lib/ledger/sql/statements/requesting.js';
import * as sending from '../../lib/ledger/sql/statements/sending.js';
import * as timing from '../../lib/ledger/sql/statements/timing.js';
import * as tracing from '../../lib/ledger/sql/statements/tracing.js';
import { freshDatabase, type FreshDatabase } from '../services/services.js';

const made = [[], ['e.run_id = ?'], ['e.asset_id = ?'], ['e.run_id = ?', 'e.asset_id = ?']].map((conditions) =>
  reading.eventsWhere(['e.namespace = ?', ...conditions]),
);
const listed = [
  ...[[], [`a.status = 'open' AND ?::boolean`], ['a.asset_id = ?'], ['a.materialization_id = ?']],
  ['a.status = ANY (?::text[])', `(a.audience = '{}' OR a.audience && ?::text[])`],
].flatMap((conditions) => [
  approving.approvalsWhere(conditions, 'newest'),
  approving.approvalsWhere(conditions, 'deadline'),
]);
const statements = [
  acting,
  aging,
  approving,
  checking,
  claiming,
  collecting,
  following,
  hooking,
  lending,
  logging,
  reading,
  registering,
  removing,
  requesting,
  sending,
  timing,
  tracing,
]
  .flatMap((file) => Object.values(file).filter((value): value is Statement => typeof value === 'object'))
  .concat(made, listed);

let database: FreshDatabase;
let client: Client;

beforeAll(async () => {
  database = await freshDatabase();
  await migrateLedger(ledgerDataSource({ url: database.url }, 'flowstone'));
  client = new Client({ connectionString: database.url });
  await client.connect();
  await client.query(`SET enable_seqscan = off; SET jit = off; SET plan_cache_mode = force_generic_plan`);
});

afterAll(async () => {
  await client.end();
  await database.drop();
});

describe('the statements of the ledger', () => {
  it('have names of their own', () => {
    expect(new Set(statements.map(({ name }) => name)).size).toBe(statements.length);
  });

  it.each(statements.map((statement) => [statement.name, statement] as const))(
    '%s scans no table',
    async (name, statement) => {
      await client.query(`PREPARE ${name} AS ${inSchema(statement, 'flowstone').text}`);
      const { rows } = await client.query<{ types: string[] }>(
        `SELECT parameter_types::text[] AS types FROM pg_prepared_statements WHERE name = $1`,
        [name],
      );
      const values = rows[0]!.types.map((type) => `NULL::${type}`).join(', ');
      const plan = await client.query<{ 'QUERY PLAN': string }>(`EXPLAIN EXECUTE ${name}${values && `(${values})`}`);
      const lines = plan.rows.map((row) => row['QUERY PLAN']);
      // A one-row table, and namespaces: reading all of these is reading little.
      expect(lines.filter((line) => /Seq Scan on (?!installation|namespaces)/.test(line))).toEqual([]);
    },
  );
});
