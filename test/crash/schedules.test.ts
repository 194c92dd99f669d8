// Ticks over processes that die, and over many whose clocks are wrong: each fires once, and none is lost.
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { FLOWSTONE_DATA_SOURCE, type FlowStoneOptions, type FlowStoneService } from '../../lib/index.js';
import { startApp } from '../behaviour/graph.js';
import { SERVER_STORAGES, testStorage, type TestStorage } from '../behaviour/storages.js';
import { liveAs } from './crash-process.js';
import { assets } from './schedule-graph.mjs';
import { build, LASTING, TIMES } from './survivor.js';

beforeAll(build, 120_000);

/** Of each second from the first tick to the last there is one tick, which fired, and one run. */
async function expectEachSecondOnce(flowstone: FlowStoneService): Promise<number> {
  const { items } = await flowstone.schedules.ticks('each', { limit: 1000 });
  const times = items.map(({ tick }) => tick.getTime()).toReversed();
  expect(times).toEqual(times.map((_, second) => times[0]! + second * 1000));
  expect(items.filter(({ status }) => status !== 'fired')).toEqual([]);
  const { items: runs } = await flowstone.runs({}, { limit: 1000 });
  expect(runs.map(({ id }) => id).sort((a, b) => a - b)).toEqual(items.map(({ run }) => run!).sort((a, b) => a - b));
  return times.length;
}

describe.each(SERVER_STORAGES)('a process that attends to schedules, its ledger on %s', (kind) => {
  let storage: TestStorage;

  beforeEach(async () => {
    storage = await testStorage(kind);
  });
  afterEach(() => storage.remove());

  it.each(['before-tick', 'before-tick:2', 'after-tick', 'after-tick:3'])(
    'by dying at %s, loses and repeats no tick',
    async (point) => {
      const options: FlowStoneOptions = { ...storage.options, ...TIMES };
      const life = await liveAs('schedules.process.mjs', { options, skew: 0, stay: 20_000 }, point);
      expect(life).toMatchObject({ end: 'SIGKILL' });
      await pause(1500);
      const { app, flowstone } = await startApp(assets, { ...options, ...LASTING });
      try {
        const database: DataSource = app.get(FLOWSTONE_DATA_SOURCE);
        // What the dead attended to is left to others once its lease is over.
        await database.query('UPDATE flowstone.schedules SET held_until = now() WHERE held_until IS NOT NULL');
        while ((await flowstone.schedules.ticks('each', { limit: 10 })).items.length < 5) await pause(50);
        await flowstone.schedules.pause('each');
        expect(await expectEachSecondOnce(flowstone)).toBeGreaterThanOrEqual(5);
      } finally {
        await app.close();
      }
    },
    60_000,
  );
});

/** A thousand ticks over twenty processes take some minutes: FLOWSTONE_TEST_TICKS=1000. */
const TICKS = Number(process.env['FLOWSTONE_TEST_TICKS'] ?? 50);
const PROCESSES = TICKS < 1000 ? 5 : 20;

describe(`${PROCESSES} processes with wrong clocks`, () => {
  it(`fire each of ${TICKS} ticks once`, async () => {
    const storage = await testStorage('postgres');
    // Few connections for each, since the server has not that many.
    const { url } = storage.options.storage as { readonly url: string };
    const options: FlowStoneOptions = {
      ...{ ...storage.options, storage: { url, poolSize: 3 } },
      ...{ lease: '60s', heartbeat: '20s', concurrency: 2 },
    };
    const { app, flowstone } = await startApp(assets, { ...options, role: 'api' });
    try {
      // Declared by a first one, which is gone; then so many seconds go by, and all come at once.
      await liveAs('schedules.process.mjs', { options, skew: 0, stay: 100 }, '');
      const database: DataSource = app.get(FLOWSTONE_DATA_SOURCE);
      await database.query(`UPDATE flowstone.schedules SET watermark = watermark - $1 * interval '1 second'`, [TICKS]);
      const lives = Array.from({ length: PROCESSES }, (_, number) =>
        liveAs('schedules.process.mjs', { options, skew: (number - PROCESSES / 2) * 3_600_000, stay: 300_000 }, ''),
      );
      const [before] = await database.query<[{ watermark: Date }]>('SELECT watermark FROM flowstone.schedules');
      const late = async (): Promise<number> => {
        const [row] = await database.query<[{ late: string }]>(
          'SELECT extract(epoch FROM now() - watermark) AS late FROM flowstone.schedules',
        );
        return Number(row.late);
      };
      while ((await late()) > 2) await pause(200);
      await flowstone.schedules.pause('each');
      expect((await Promise.all(lives)).map(({ end }) => end)).toEqual(lives.map(() => 0));
      const [count] = await database.query<[{ ticks: string; runs: string; seconds: string }]>(
        `SELECT (SELECT count(*) FROM flowstone.schedule_ticks WHERE status = 'fired' AND tick > $1) AS ticks,
          (SELECT count(DISTINCT run_id) FROM flowstone.schedule_ticks) AS runs,
          (SELECT extract(epoch FROM max(tick) - min(tick)) + 1 FROM flowstone.schedule_ticks WHERE tick > $1) AS seconds`,
        [before.watermark],
      );
      expect(Number(count.ticks)).toBeGreaterThanOrEqual(TICKS);
      expect(Number(count.seconds)).toBe(Number(count.ticks));
      const [runs] = await database.query<[{ runs: string }]>('SELECT count(*) AS runs FROM flowstone.runs');
      expect(Number(runs.runs)).toBe(Number(count.runs));
    } finally {
      await app.close();
      await storage.remove();
    }
  }, 600_000);
});
