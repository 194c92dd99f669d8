// Approvals that many want to decide at once, while their inputs move.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import {
  Asset,
  Checkpoint,
  DependsOn,
  Partitions,
  type AssetContext,
  type FlowStoneError,
  type FlowStoneOptions,
} from '../../lib/index.js';
import { ledgerDataSource } from '../../lib/ledger/sql/data-source.js';
import { SqlLedger } from '../../lib/ledger/sql/sql-ledger.js';
import { startApp } from '../behaviour/graph.js';
import { attempt, World } from '../conformance/ledger.fixture.js';
import { freshDatabase, type FreshDatabase } from '../services/services.js';

let database: FreshDatabase;
let dataSource: DataSource;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'flowstone-'));
  database = await freshDatabase();
  dataSource = await ledgerDataSource({ url: database.url, poolSize: 12 }, 'flowstone').initialize();
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
  await rm(directory, { recursive: true, force: true });
});

it('does not stand in the way of an input that moves on while its last move is judged', async () => {
  const ledger = new SqlLedger({ dataSource, own: true, migrate: true, namespace: 'moving' });
  await ledger.open();
  const world = new World(ledger, async () => undefined);
  await world.register('one');
  const compute = async (dataVersion: string): Promise<number> => {
    await world.run([{ asset: 'a', forced: true }]);
    const claim = await world.claimOne();
    await world.succeed(claim, { dataVersion });
    return claim.id;
  };
  const first = await compute('1');
  await world.run([{ asset: 'b' }]);
  const asked = await ledger.approvals.ask(attempt(await world.claimOne()), {
    message: '?',
    rule: {
      ...{ assignees: { users: [], roles: [] }, quorum: 1, separationOfDuties: false, timeout: null },
      ...{ timeoutAction: null, extensions: 1, escalation: [], pinInputs: true, modifiable: false },
    },
    ...{ inputs: 'i', upstreams: 'a' },
    pins: [{ alias: 'a', asset: 'a', partition: '', materialization: first, dataVersion: '1' }],
  });
  await compute('2');
  const other = dataSource.createQueryRunner();
  try {
    await other.startTransaction();
    await other.query(
      'SELECT FROM flowstone.heads WHERE materialization_id = (SELECT max(materialization_id) FROM flowstone.heads) FOR UPDATE',
    );
    const firing = ledger.approvals.fireDue();
    const waits = 'SELECT FROM pg_stat_activity WHERE wait_event_type = $1 AND query LIKE $2';
    while ((await dataSource.query(waits, ['Lock', '%heads%FOR SHARE%'])).length === 0) await pause(5);
    // Sets the timer anew, and would wait for whoever has taken it.
    await other.query(
      `UPDATE flowstone.heads SET materialization_id = $1
      WHERE materialization_id = (SELECT max(materialization_id) FROM flowstone.heads)`,
      [first],
    );
    await other.commitTransaction();
    await firing;
  } finally {
    await other.release();
  }
  // It has gone back to where it was, so that nothing is void.
  if (asked.kind !== 'waiting') throw new Error(asked.kind);
  expect(await ledger.approvals.approval(asked.approval)).toMatchObject({ status: 'open' });
  await ledger.approvals.fireDue();
  expect(await ledger.approvals.approval(asked.approval)).toMatchObject({ status: 'open' });
  expect(await dataSource.query('SELECT FROM flowstone.timers')).toEqual([]);
});

it('tells those whose turn comes once the database is closed that it cannot be used', async () => {
  const own = await ledgerDataSource({ url: database.url }, 'flowstone').initialize();
  const ledger = new SqlLedger({ dataSource: own, own: true, migrate: true, namespace: 'closing' });
  await ledger.open();
  const comments = ['one', 'two', 'three'].map((text) =>
    ledger.approvals.command(4711, { kind: 'comment', by: 'anna', roles: [], reason: null, text }),
  );
  const told = Promise.allSettled(comments);
  await own.destroy();
  const codes = (await told).map((one) => (one as { reason?: { code?: unknown } }).reason?.code);
  expect(codes.slice(1)).toEqual(['FLOWSTONE_LEDGER_UNAVAILABLE', 'FLOWSTONE_LEDGER_UNAVAILABLE']);
});

@Asset()
class Draft {
  execute(): string {
    return 'a draft';
  }
}
@Checkpoint()
@DependsOn({ draft: Draft })
class Agreed {
  onApprove(_context: AssetContext, { draft }: { draft: string }): string {
    return draft;
  }
}
@Asset()
@DependsOn({ agreed: Agreed })
class Published {
  execute(_context: AssetContext, { agreed }: { agreed: string }): string {
    return agreed;
  }
}
@Asset({ partitions: Partitions.hourly({ start: '2001-01-01', end: '2001-02-01' }) })
class Busy {
  execute(): number {
    return 1;
  }
}

it('takes one of a thousand decisions at once, tells the others whose it was, and lets other work go on', async () => {
  const options: FlowStoneOptions = { storage: { url: database.url }, directory, namespace: 'thousand' };
  const apps = await Promise.all([1, 2].map(() => startApp([Draft, Agreed, Published, Busy], options)));
  try {
    const [{ flowstone }] = apps as [(typeof apps)[number]];
    const run = await flowstone.materialize(Published);
    await run.wait({ until: 'settled' });
    const [open] = (await flowstone.approvals.list()).items;
    const people = Array.from({ length: 1000 }, (_, index) => `person ${index}`);
    const other = await flowstone.materialize(Busy, { partitions: 'all' });

    const began = performance.now();
    let decided = 0;
    const deciding = people.map(async (by, index) => {
      const { approvals } = apps[index % 2]!.flowstone;
      try {
        return await (index % 3 === 0 ? approvals.reject(open!.id, { by }) : approvals.approve(open!.id, { by }));
      } catch (error) {
        return error as FlowStoneError;
      } finally {
        decided++;
      }
    });
    // What somebody else asks meanwhile does not wait for all of them.
    const late = { status: (await flowstone.run(run.id).view()).status, decided };
    const answers = await Promise.all(deciding);
    const took = performance.now() - began;

    const winners = answers.flatMap((answer, index) => (answer instanceof Error ? [] : [people[index]!]));
    expect(winners).toHaveLength(1);
    for (const answer of answers) {
      if (!(answer instanceof Error)) continue;
      expect(answer).toMatchObject({ code: 'FLOWSTONE_APPROVAL_CONFLICT', context: { winner: winners[0] } });
      expect(answer.message).toContain(winners[0]);
    }
    // Alone on its machine: two to three seconds.
    expect(took).toBeLessThan(30_000);
    expect(late.decided).toBeLessThan(500);
    const { approval, history } = await flowstone.approvals.get(open!.id);
    expect(history.map(({ kind, actor }) => [kind, actor])).toEqual([
      ['requested', null],
      [approval.status, winners[0]],
    ]);
    await run.wait().catch((error: FlowStoneError) => expect(error.code).toBe('FLOWSTONE_RUN_FAILED'));
    await other.wait();
    const successes = await flowstone.history(Agreed);
    expect(successes.items.filter(({ status }) => status === 'success')).toHaveLength(
      approval.status === 'approved' ? 1 : 0,
    );
  } finally {
    for (const { app } of apps) await app.close();
  }
}, 60_000);
