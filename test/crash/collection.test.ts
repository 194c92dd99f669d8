// A process dies while it collects; another one goes on: nothing that is referenced is gone, nothing else is left.
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { FLOWSTONE_DATA_SOURCE, type FlowStoneOptions } from '../../lib/index.js';
import { startApp } from '../behaviour/graph.js';
import { DURABLE_STORAGES, testStorage, type TestStorage } from '../behaviour/storages.js';
import { assets, Total } from './crash-graph.mjs';
import { live } from './crash-process.js';
import { build, TIMES } from './survivor.js';

/** Materializations of the graph that store a value: letters, sums, total. */
const VALUES = 9;

beforeAll(build, 120_000);

describe.each(DURABLE_STORAGES)('a process that collects, its ledger on %s', (kind) => {
  let storage: TestStorage;

  beforeEach(async () => {
    storage = await testStorage(kind);
  });
  afterEach(() => storage.remove());

  it.each(['after-condemn', 'after-delete', 'before-run-removal'])(
    'by dying at %s, leaves the rest to the next one',
    async (point) => {
      const retention = { every: false, runs: 0, events: 0, orphans: 0, versions: { keep: 1 } } as const;
      const options: FlowStoneOptions = { ...storage.options, ...TIMES, retention };
      const life = await live({ options, later: false, shutdown: false, collect: true }, point);
      expect(life).toMatchObject({ end: 'SIGKILL' });
      const { app, flowstone } = await startApp(assets, options);
      try {
        // The turn of the dead is over once its lease is.
        const database: DataSource = app.get(FLOWSTONE_DATA_SOURCE);
        await database.query(`UPDATE flowstone.namespaces SET collect_at = now()`);
        while (Object.values(await flowstone.collect()).some((count) => count > 0));
        expect(await flowstone.load(Total)).toBe(12);
        const heads = await database.query<{ id: string; io: string; path: string | null; asset: string }[]>(
          `SELECT m.id, m.io, m.location ->> 'path' AS path, a.key AS asset FROM flowstone.heads h
          JOIN flowstone.materializations m ON m.id = h.materialization_id JOIN flowstone.assets a ON a.id = m.asset_id
          WHERE m.location IS NOT NULL ORDER BY m.id`,
        );
        expect(heads).toHaveLength(VALUES);
        const entries = await readdir(join(options.directory!, 'values'), { recursive: true, withFileTypes: true });
        const files = entries.filter((entry) => entry.isFile()).map(({ name }) => name);
        expect(files.sort()).toEqual(heads.flatMap(({ path }) => (path === null ? [] : basename(path))).sort());
        const idsOf = (wanted: string) => heads.filter(({ asset }) => asset === wanted).map(({ id }) => id);
        for (const [table, asset] of [
          ['value_documents', 'sums'],
          ['value_slices', 'letters'],
        ] as const) {
          const kept = `SELECT v.materialization_id AS id FROM flowstone.${table} v ORDER BY 1`;
          const found = await database.query<{ id: string }[]>(kept);
          expect(found.map(({ id }) => id)).toEqual(idsOf(asset));
        }
        expect((await flowstone.runs()).items).toEqual([]);
        const [left] = await database.query<[{ superseded: string; collections: string }]>(
          `SELECT (SELECT count(*) FROM flowstone.superseded) AS superseded,
            (SELECT count(*) FROM flowstone.collections) AS collections`,
        );
        expect(left).toEqual({ superseded: '0', collections: '0' });
      } finally {
        await app.close();
      }
    },
    60_000,
  );
});
