// A process dies before it moves hooks on, after that, or before and after it has called one: nothing that was committed is
// missed, and a repetition is the same.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { FLOWSTONE_DATA_SOURCE } from '../../lib/index.js';
import { startApp } from '../behaviour/graph.js';
import { SERVER_STORAGES, testStorage, type TestStorage } from '../behaviour/storages.js';
import { liveAs } from './crash-process.js';
import { assets, Parts } from './hook-graph.mjs';
import { build, LASTING, TIMES } from './survivor.js';

interface Written {
  readonly event: number;
  readonly partition: string;
  readonly delivery: string;
}

beforeAll(build, 120_000);

describe.each(SERVER_STORAGES)('a process with a hook, its ledger on %s', (kind) => {
  let storage: TestStorage;
  let file: string;

  beforeEach(async () => {
    storage = await testStorage(kind);
    file = join(storage.options.directory!, 'written.jsonl');
  });
  afterEach(() => storage.remove());

  const written = async (): Promise<Written[]> => {
    const lines = await readFile(file, 'utf8').catch(() => '');
    return lines
      .split('\n')
      .filter((line) => line.endsWith('}'))
      .map((line) => JSON.parse(line) as Written);
  };

  it.each(['before-relay', 'after-relay', 'before-send', 'after-send'])(
    'by dying at %s, leaves nothing untold',
    async (point) => {
      const options = { ...storage.options, ...TIMES };
      const life = await liveAs('hook.process.mjs', { options, file }, point);
      expect(life).toMatchObject({ end: 'SIGKILL' });
      const { app, flowstone } = await startApp(assets(file), { ...options, ...LASTING });
      try {
        const run = await flowstone.materialize(Parts, { partitions: 'all', runKey: 'the run' });
        await run.wait();
        const database: DataSource = app.get(FLOWSTONE_DATA_SOURCE);
        // What the dead had taken is due once its lease is over.
        await database.query(`UPDATE flowstone.outbox SET due_at = now()`);
        let all = await written();
        while (new Set(all.map(({ event }) => event)).size < 6) {
          await pause(50);
          all = await written();
        }
        expect([...new Set(all.map(({ partition }) => partition))].sort()).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
        const deliveries = new Map(all.map(({ event, delivery }) => [event, delivery]));
        for (const { event, delivery } of all) expect(delivery).toBe(deliveries.get(event));
        // Told again is at most what had been told when the process died and was not recorded.
        expect(all.length).toBeLessThanOrEqual(6 + (point === 'after-send' ? 8 : 0));
      } finally {
        await app.close();
      }
    },
    60_000,
  );
});
