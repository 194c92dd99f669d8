// A process dies while it asks people, while they think, or while it carries out what they decided: another one finds it all.
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { FLOWSTONE_DATA_SOURCE, type FlowStoneOptions, type FlowStoneService } from '../../lib/index.js';
import { startApp } from '../behaviour/graph.js';
import { SERVER_STORAGES, testStorage, type TestStorage } from '../behaviour/storages.js';
import { assets, Draft, Printed, Reviewed, Timely, world } from './checkpoint-graph.mjs';
import { liveAs, type CheckpointSettings } from './crash-process.js';
import { violations } from './invariants.js';
import { recordedValues } from './recorded-values.js';
import { build, LASTING, TIMES } from './survivor.js';

beforeAll(build, 120_000);

describe.each(SERVER_STORAGES)('a process that dies, its ledger on %s,', (kind) => {
  let storage: TestStorage;
  let options: FlowStoneOptions;

  beforeEach(async () => {
    world.score = 10;
    storage = await testStorage(kind);
    options = { ...storage.options, ...TIMES };
  });
  afterEach(() => storage.remove());

  const die = async (settings: Omit<CheckpointSettings, 'options'>, at: string): Promise<number> => {
    const life = await liveAs('checkpoint.process.mjs', { options, ...settings }, at);
    expect(life).toMatchObject({ end: 'SIGKILL' });
    return life.acknowledged!;
  };

  /** What is done by an application that starts on what the dead left, after which the ledger is sound. */
  const survive = async (work: (flowstone: FlowStoneService) => Promise<void>): Promise<void> => {
    const { app, flowstone } = await startApp(assets, { ...options, ...LASTING });
    try {
      await work(flowstone);
      const database: DataSource = app.get(FLOWSTONE_DATA_SOURCE);
      expect(await violations(database, recordedValues(database, join(options.directory!, 'values')))).toEqual([]);
    } finally {
      await app.close();
    }
  };

  const acts = async (flowstone: FlowStoneService, id: number) =>
    (await flowstone.approvals.get(id)).history.map(({ kind: what, actor }) => `${what} ${actor ?? '-'}`);

  it.each(['before-ask', 'after-ask'])(
    'at %s, leaves a question that is asked once',
    async (point) => {
      const id = await die({ target: 'printed' }, point);
      await survive(async (flowstone) => {
        const run = flowstone.run(id);
        await run.wait({ until: 'settled', timeout: '20s' });
        const asked = (await flowstone.approvals.list({ status: 'all' })).items;
        expect(asked).toMatchObject([{ asset: 'reviewed', status: 'open', run: id }]);
        await flowstone.approvals.approve(asked[0]!.id, { by: 'bert' });
        await run.wait({ timeout: '20s' });
        expect(await flowstone.load(Reviewed)).toEqual({ score: 10, by: 'bert' });
        expect(await acts(flowstone, asked[0]!.id)).toEqual(['requested -', 'approved bert']);
      });
    },
    60_000,
  );

  it.each<[string, 'approve' | 'modify']>([
    ['before-execute:3', 'approve'],
    ['before-execute:3', 'modify'],
    ['after-execute:3', 'approve'],
    ['after-value:2', 'modify'],
    ['before-commit:2', 'approve'],
    ['after-commit:2', 'modify'],
  ])(
    'at %s, leaves a decision (%s) that is carried out once, with what was decided upon',
    async (point, decides) => {
      const id = await die({ target: 'printed', decides }, point);
      world.score = 99;
      await survive(async (flowstone) => {
        // Before the lease of the dead one is over, mostly.
        await (await flowstone.materialize(Draft, { force: true })).wait();
        const result = await flowstone.run(id).wait({ timeout: '20s' });
        expect(result.counts).toMatchObject({ total: 3, success: 3 });
        expect(await flowstone.load(Reviewed)).toEqual({ score: decides === 'approve' ? 10 : 15, by: 'anna' });
        expect(await flowstone.load(Printed)).toBe(decides === 'approve' ? 10 : 15);
        const [approval, ...others] = (await flowstone.approvals.list({ status: 'all' })).items;
        expect(others).toEqual([]);
        expect(await acts(flowstone, approval!.id)).toEqual([
          'requested -',
          decides === 'approve' ? 'approved anna' : 'modified anna',
        ]);
        expect((await flowstone.history(Reviewed)).items).toHaveLength(1);
      });
    },
    60_000,
  );

  it('while nobody has decided, leaves deadlines that pass while nobody lives, and are carried out once', async () => {
    const id = await die({ target: 'timely' }, 'after-ask');
    await pause(1200);
    await survive(async (flowstone) => {
      await flowstone.run(id).wait({ timeout: '20s' });
      expect(await flowstone.load(Timely)).toEqual({ score: 10, by: null });
      const [approval, ...others] = (await flowstone.approvals.list({ status: 'all' })).items;
      expect(others).toEqual([]);
      expect(await acts(flowstone, approval!.id)).toEqual(['requested -', 'escalated -', 'approved -']);
    });
  }, 60_000);
});
