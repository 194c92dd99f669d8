// A process dies before a notice is sent, or after that and before it is recorded; another one goes on: each is sent at
// least once, and a repetition is the same.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { FLOWSTONE_DATA_SOURCE, type FlowStoneOptions } from '../../lib/index.js';
import { startApp } from '../behaviour/graph.js';
import { SERVER_STORAGES, testStorage, type TestStorage } from '../behaviour/storages.js';
import { assets, request } from './crash-graph.mjs';
import { live } from './crash-process.js';
import { build, LASTING, TIMES } from './survivor.js';

interface Told {
  readonly eventType: string;
  readonly run: {
    readonly runId: string;
    readonly facets: { readonly flowstone_materialization: { readonly materialization: number } };
  };
}

beforeAll(build, 120_000);

describe.each(SERVER_STORAGES)('a process that sends notices, its ledger on %s', (kind) => {
  let storage: TestStorage;
  let file: string;

  beforeEach(async () => {
    storage = await testStorage(kind);
    file = join(storage.options.directory!, 'events.jsonl');
  });
  afterEach(() => storage.remove());

  const told = async (): Promise<Told[]> => {
    const lines = await readFile(file, 'utf8').catch(() => '');
    return lines
      .split('\n')
      .filter((line) => line.endsWith('}'))
      .map((line) => JSON.parse(line) as Told);
  };

  it.each(['before-send', 'before-send:3', 'after-send', 'after-send:3'])(
    'by dying at %s, leaves them to the next one',
    async (point) => {
      const options: FlowStoneOptions = { ...storage.options, ...TIMES, openLineage: { file } };
      const life = await live({ options, later: false, shutdown: false }, point);
      expect(life).toMatchObject({ end: 'SIGKILL' });
      const before = await told();
      const { app, flowstone } = await startApp(assets, { ...options, ...LASTING });
      try {
        const run = await request(flowstone, false);
        await run.wait();
        const database: DataSource = app.get(FLOWSTONE_DATA_SOURCE);
        const left = async () =>
          Number((await database.query<[{ left: string }]>('SELECT count(*) AS left FROM flowstone.outbox'))[0].left);
        // What the dead had taken is due once its lease is over.
        await database.query(`UPDATE flowstone.outbox SET due_at = now()`);
        while ((await left()) > 0) await pause(50);
        const all = await told();
        const after = all.slice(before.length);
        // What was written and not recorded comes again, with the same id.
        const ids = new Set(before.map(({ eventType, run: { runId } }) => `${eventType} ${runId}`));
        const again = after.filter(({ eventType, run: { runId } }) => ids.has(`${eventType} ${runId}`));
        expect(again.length > 0 || point.startsWith('before')).toBe(true);
        const { items } = await flowstone.materializations(run.id);
        expect(items.map(({ status }) => status)).toEqual(items.map(() => 'success'));
        const complete = all.filter(({ eventType }) => eventType === 'COMPLETE');
        expect(new Set(complete.map((event) => event.run.facets.flowstone_materialization.materialization))).toEqual(
          new Set(items.map(({ id }) => id)),
        );
        const begun = new Set(all.flatMap(({ eventType, run: { runId } }) => (eventType === 'START' ? [runId] : [])));
        const ended = new Set(all.flatMap(({ eventType, run: { runId } }) => (eventType === 'START' ? [] : [runId])));
        expect(ended).toEqual(begun);
      } finally {
        await app.close();
      }
    },
    60_000,
  );
});
