// Each invariant that the crash tests count notices the damage it is there for.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { TestingModule } from '@nestjs/testing';
import type { DataSource } from 'typeorm';
import { FLOWSTONE_DATA_SOURCE } from '../../lib/index.js';
import { startApp } from '../behaviour/graph.js';
import { testStorage, type TestStorage } from '../behaviour/storages.js';
import { assets as checkpoints, Printed, Timely } from './checkpoint-graph.mjs';
import { assets, request } from './crash-graph.mjs';
import { violations } from './invariants.js';
import { recordedValues, type LoadRecorded } from './recorded-values.js';

/** What is noticed, and the damage. */
const DAMAGES: readonly (readonly [string, string])[] = [
  [
    'SingleCommit: more than one success',
    `INSERT INTO flowstone.events (namespace, kind, materializations)
      SELECT namespace, kind, materializations FROM flowstone.events WHERE kind = 'materialization.success' LIMIT 1`,
  ],
  [
    'Absorbing: something happened',
    `INSERT INTO flowstone.events (namespace, kind, materializations)
      SELECT namespace, 'materialization.rescued', ARRAY[id] FROM flowstone.materializations LIMIT 1`,
  ],
  ['Fence: the value is of another attempt', `UPDATE flowstone.materializations SET epoch = epoch + 1`],
  ['Joined: rows in a table', `UPDATE flowstone.value_slices SET epoch = epoch + 1`],
  [
    'Joined: a document of',
    `INSERT INTO flowstone.value_documents SELECT namespace, materialization_id, epoch + 1, part, stored_at, content
      FROM flowstone.value_documents`,
  ],
  ['NoLost: a run has not ended', `UPDATE flowstone.runs SET status = 'running', completed_at = NULL`],
  [
    'NoLost: a materialization has not ended',
    `UPDATE flowstone.materializations SET status = 'pending', completed_at = NULL`,
  ],
  ['NoLost: a run key without its run', `UPDATE flowstone.run_keys SET run_id = run_id + 1000`],
  ['HeadConsistent: the head is not the newest', `UPDATE flowstone.heads SET materialization_id = NULL`],
  ['HeadConsistent: the lineage of', `DELETE FROM flowstone.lineage`],
  ['HeadConsistent: the value of .* has hash', `UPDATE flowstone.materializations SET hash = data_version || '0'`],
  [
    'HeadConsistent: the value of .* cannot be loaded',
    `UPDATE flowstone.materializations SET location = jsonb_set(location, '{path}', '"gone/1-1.json"')`,
  ],
  ['ActiveUnique: a lock was left over', `UPDATE flowstone.heads SET active_materialization = materialization_id`],
  [
    'ActiveUnique: a materialization waits',
    `UPDATE flowstone.materializations SET status = 'pending', completed_at = NULL, waiting_for = id + 1`,
  ],
  ['DepsFirst: an input was committed after', `UPDATE flowstone.events SET id = -id`],
  [
    'TimerOnce: a timer was left over',
    `INSERT INTO flowstone.timers (owner, kind, generation, namespace, fires_at)
      SELECT id, 'retry', epoch, namespace, now() FROM flowstone.materializations`,
  ],
  ['Counted: the counters of a run', `UPDATE flowstone.runs SET success = success - 1`],
  ['Concluded: a run ended otherwise', `UPDATE flowstone.runs SET status = 'failed'`],
  ['Told: a run was not requested', `DELETE FROM flowstone.events WHERE kind = 'run.ended'`],
  [
    'DecisionOnce: an approval was not closed exactly once',
    `INSERT INTO flowstone.approval_acts (approval_id, kind) SELECT id, 'rejected' FROM flowstone.approvals`,
  ],
  [
    'DecisionOnce: what asked has succeeded without',
    `UPDATE flowstone.approvals SET status = 'cancelled', decision = NULL`,
  ],
  ['DecisionOnce: what was decided was carried out with other', `UPDATE flowstone.approvals SET inputs = 'others'`],
  [
    'DecisionOnce: what was decided was carried out with other',
    `UPDATE flowstone.approval_inputs SET materialization_id = 0`,
  ],
  ['DecisionOnce: people have voted twice', `UPDATE flowstone.approvals SET votes = '[{"by":"a"},{"by":"a"}]'`],
  ['DecisionOnce: people have voted twice, or too few', `UPDATE flowstone.approvals SET votes = '[]'`],
  [
    'Asked: an approval is open of what does not wait',
    `UPDATE flowstone.approvals SET status = 'open', decision = NULL, closed_at = NULL, pinning = true`,
  ],
  [
    'Asked: what waits has no open approval',
    `UPDATE flowstone.materializations SET status = 'waiting_approval', completed_at = NULL, process = NULL`,
  ],
  ['Asked: inputs are watched', `UPDATE flowstone.approval_inputs SET watched = true`],
  ['Asked: an approval does not follow', `UPDATE flowstone.approvals SET previous = id`],
  ['TimerOnce: steps and extensions', `UPDATE flowstone.approvals SET escalations = escalations + 1`],
  [
    'TimerOnce: a deadline was carried out before',
    `UPDATE flowstone.approvals SET deadline = now() + interval '1 day'`,
  ],
  ['AuditComplete: what happened to an approval', `DELETE FROM flowstone.events WHERE kind LIKE 'approval.%'`],
  [
    'AuditComplete: an approval was not requested first',
    `UPDATE flowstone.approval_acts SET kind = 'commented' WHERE kind = 'requested'`,
  ],
];

describe('the invariants of the ledger', () => {
  let storage: TestStorage;
  let app: TestingModule;
  let database: DataSource;
  let load: LoadRecorded;

  beforeAll(async () => {
    storage = await testStorage('postgres');
    const started = await startApp([...assets, ...checkpoints], storage.options);
    app = started.app;
    const { flowstone } = started;
    await (await request(flowstone, false)).wait();
    await (await flowstone.materialize(Timely)).wait();
    const run = await flowstone.materialize(Printed);
    await run.wait({ until: 'settled' });
    const [open] = (await flowstone.approvals.list()).items;
    await flowstone.approvals.approve(open!.id, { by: 'anna' });
    await run.wait();
    database = app.get(FLOWSTONE_DATA_SOURCE);
    load = recordedValues(database, join(storage.options.directory!, 'values'));
  });
  afterAll(async () => {
    await app.close();
    await storage.remove();
  });

  it('hold after an ordinary run', async () => {
    expect(await violations(database, load)).toEqual([]);
  });

  it.each(DAMAGES)('notice damage: %s', async (noticed, damage) => {
    const runner = database.createQueryRunner();
    await runner.startTransaction();
    try {
      await runner.query(damage);
      expect(await violations(runner, load)).toContainEqual(expect.stringMatching(`^${noticed}`));
    } finally {
      await runner.rollbackTransaction();
      await runner.release();
    }
  });
});
