// Many processes that want the same at once: each claim, wait and end is judged while others change the same rows.
import { setImmediate as breath } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import type { Ledger } from '../../lib/ledger/ledger.port.js';
import type { Claim, Outcome } from '../../lib/ledger/work.js';
import { ledgerDataSource } from '../../lib/ledger/sql/data-source.js';
import { SqlLedger } from '../../lib/ledger/sql/sql-ledger.js';
import { planOf, runOf, success, World } from '../conformance/ledger.fixture.js';
import { freshDatabase, type FreshDatabase } from '../services/services.js';

const PROCESSES = ['one', 'two', 'three', 'four', 'five', 'six'];
const PARTITIONS = Array.from({ length: 12 }, (_, index) => `p${index}`);
const RUNS_OF_EACH = 12;
/** An advisory lock. */
const GATE = 4711;

let database: FreshDatabase;
let dataSource: DataSource;

beforeAll(async () => {
  database = await freshDatabase();
  dataSource = await ledgerDataSource({ url: database.url, poolSize: 12 }, 'flowstone').initialize();
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

it('lets any number of processes claim, wait for and end the same partitions', async () => {
  const ledger = new SqlLedger({ dataSource, own: true, migrate: true });
  await ledger.open();
  await new World(ledger, async () => undefined).register(...PROCESSES);
  const runs = await Promise.all(PROCESSES.map((process) => work(ledger, process)));
  for (const id of runs.flat()) expect(await ledger.run(id)).toMatchObject({ status: 'success' });
  const left: unknown[] = await dataSource.query(
    `SELECT FROM flowstone.heads WHERE active_materialization IS NOT NULL OR waited`,
  );
  expect(left).toHaveLength(0);
}, 60_000);

it('repeats a claim of what was taken and handed back between its look and its locks', async () => {
  const ledger = new SqlLedger({ dataSource, own: true, migrate: true, namespace: 'handed back' });
  await ledger.open();
  const world = new World(ledger, async () => undefined);
  await world.register('one');
  const { id: run } = await world.run([{ asset: 'a' }], { maxConcurrency: 1 });
  // Who has locked a limit goes on to pick, and asks it for its places between the look and the locks of rows.
  const [{ text }] = await dataSource.query(
    `SELECT pg_get_functiondef('flowstone.places_left(flowstone.limits)'::regprocedure) AS text`,
  );
  await dataSource.query(`CREATE OR REPLACE FUNCTION flowstone.places_left(x flowstone.limits) RETURNS integer
    LANGUAGE plpgsql AS $$ BEGIN
      IF (SELECT l.xmax = pg_current_xact_id_if_assigned()::xid FROM flowstone.limits l WHERE l.id = x.id) THEN
        PERFORM pg_advisory_xact_lock_shared(${GATE});
      END IF;
      RETURN x.capacity - x.used;
    END $$`);
  const other = dataSource.createQueryRunner();
  try {
    await other.query(`SELECT pg_advisory_lock(${GATE})`);
    const claimed = world.claim();
    const waits = `SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = ${GATE} AND NOT granted`;
    while ((await other.query(waits)).length === 0) await breath();
    // All that is left of a claim by another and of its handing back.
    await other.query(
      `WITH y AS (DELETE FROM flowstone.ready RETURNING *) INSERT INTO flowstone.ready SELECT * FROM y`,
    );
    await other.query(`SELECT pg_advisory_unlock(${GATE})`);
    expect(await claimed).toMatchObject([{ run, epoch: 1 }]);
    expect(await dataSource.query('SELECT FROM flowstone.ready')).toEqual([]);
  } finally {
    await other.release();
    await dataSource.query(text);
  }
});

/** Requests runs over all partitions, one while others are under way, and works until nothing is left of any. */
async function work(ledger: Ledger, process: string): Promise<number[]> {
  const runs: number[] = [];
  const plan = planOf(PARTITIONS.map((partition) => ({ asset: 'p', partition, forced: true })));
  let claims: readonly Claim[] = [];
  let outcomes: Outcome[] = [];
  for (let beat = 0; ; beat++) {
    if (beat % 6 === 0 && runs.length < RUNS_OF_EACH) runs.push((await ledger.insertRun(runOf(), { plan })).run.id);
    ({ claims } = await ledger.beat(outcomes, { process, assets: ['p'], limit: 6 }));
    outcomes = claims.map((claim) => success(claim));
    if (runs.length === RUNS_OF_EACH && outcomes.length === 0 && !(await ledger.hasReady(['p']))) {
      const open: { count: number }[] = await dataSource.query(
        `SELECT count(*)::integer AS count FROM flowstone.runs WHERE completed_at IS NULL`,
      );
      if (open[0]!.count === 0) return runs;
    }
  }
}
