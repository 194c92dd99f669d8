// Sensors over processes that die: whatever they see is requested once, and nothing of it is lost.
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { FlowStoneOptions, FlowStoneService } from '../../lib/index.js';
import { startApp } from '../behaviour/graph.js';
import { SERVER_STORAGES, testStorage, type TestStorage } from '../behaviour/storages.js';
import { liveAs, type SensorSettings } from './crash-process.js';
import { delivery, LAST, ofDeliveries, ofSource, ofTime, Source } from './sensor-graph.mjs';
import { build, LASTING, TIMES } from './survivor.js';

beforeAll(build, 120_000);

const EVENTS = Array.from({ length: LAST }, (_, n) => String(n + 1));

async function tagged(flowstone: FlowStoneService, tag: string): Promise<string[]> {
  const { items } = await flowstone.runs({}, { limit: 1000 });
  return items.flatMap(({ tags }) => tags[tag] ?? []).sort((a, b) => Number(a) - Number(b));
}

describe.each(SERVER_STORAGES)('a process that evaluates sensors, its ledger on %s', (kind) => {
  let storage: TestStorage;
  let options: FlowStoneOptions;

  beforeEach(async () => {
    storage = await testStorage(kind);
    options = { ...storage.options, ...TIMES };
  });
  afterEach(() => storage.remove());

  const die = async (point: string, settings: Omit<SensorSettings, 'options'>): Promise<void> => {
    const life = await liveAs('sensors.process.mjs', { options, ...settings }, point);
    expect(life).toMatchObject({ end: 'SIGKILL' });
  };

  it.each(['before-sensor-commit:3', 'after-sensor-commit'])(
    'by dying at %s, loses and repeats no event',
    async (point) => {
      await die(point, { providers: 'ofTime', deliveries: [] });
      const { app, flowstone } = await startApp(ofTime, { ...options, ...LASTING });
      try {
        while ((await flowstone.sensors.get('numbers')).cursor !== LAST) await pause(50);
        expect(await tagged(flowstone, 'event')).toEqual(EVENTS);
      } finally {
        await app.close();
      }
    },
    60_000,
  );

  it.each(['before-sensor-commit:2', 'after-sensor-commit:3'])(
    'by dying at %s, sees each materialization once',
    async (point) => {
      await die(point, { providers: 'ofSource', deliveries: [] });
      const { app, flowstone } = await startApp(ofSource, { ...options, ...LASTING });
      try {
        await (await flowstone.materialize(Source, { force: true, tags: { source: 'last' } })).wait();
        const { items } = await flowstone.runs({}, { limit: 1000 });
        const sources = items.filter(({ tags }) => tags['source'] !== undefined).map(({ id }) => id);
        for (const id of sources) await flowstone.run(id).wait();
        while ((await tagged(flowstone, 'of')).length < sources.length) await pause(50);
        // What it would see twice it would see by now.
        await flowstone.sensors.pause('echoes');
        expect(await tagged(flowstone, 'of')).toEqual(sources.sort((one, other) => one - other).map(String));
      } finally {
        await app.close();
      }
    },
    60_000,
  );

  it.each(['before-sensor-commit:2', 'after-sensor-commit:2'])(
    'by dying at %s, takes each delivery that is sent until it is answered once',
    async (point) => {
      await die(point, { providers: 'ofDeliveries', deliveries: [1, 2, 3] });
      const { app, flowstone } = await startApp(ofDeliveries, { ...options, ...LASTING });
      try {
        // The second was not answered, and comes again; the third as well, and the first by mistake.
        for (const n of [1, 2, 3, 3]) {
          expect(await flowstone.sensors.receive('inbox', delivery(n))).toMatchObject({ status: 200 });
        }
        expect(await tagged(flowstone, 'delivery')).toEqual(['1', '2', '3']);
      } finally {
        await app.close();
      }
    },
    60_000,
  );
});
