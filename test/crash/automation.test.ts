// Processes die while automation works; others go on: what is stale becomes fresh all the same, each once.
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { FlowStoneOptions, FlowStoneService } from '../../lib/index.js';
import { startApp } from '../behaviour/graph.js';
import { SERVER_STORAGES, testStorage, type TestStorage } from '../behaviour/storages.js';
import { assets, Feed } from './automation-graph.mjs';
import { liveAs, type Life } from './crash-process.js';
import { build, LASTING, TIMES } from './survivor.js';

beforeAll(build, 120_000);

interface Place {
  readonly asset: string;
  readonly partition?: string;
}

const PLACES: readonly Place[] = [
  ...['x', 'y', 'z'].map((partition) => ({ asset: 'parts', partition })),
  { asset: 'joined' },
  { asset: 'report' },
];

/** Until all is fresh, without anybody asking. */
async function untilFresh(flowstone: FlowStoneService): Promise<void> {
  const isFresh = async ({ asset, partition }: Place): Promise<boolean> => {
    const status = await (partition === undefined ? flowstone.status(asset) : flowstone.status(asset, partition));
    return 'state' in status && status.state === 'fresh';
  };
  while (!(await Promise.all(PLACES.map(isFresh))).every(Boolean)) await pause(50);
}

/** For the versions that one consumed, it was computed once. */
async function computedTwice(flowstone: FlowStoneService): Promise<string[]> {
  const twice: string[] = [];
  for (const { asset, ...place } of PLACES) {
    const { items } = await flowstone.history(asset, { ...place, limit: 100 });
    const seen = new Set<string>();
    for (const { id, status } of items) {
      if (status !== 'success') continue;
      const { nodes } = await flowstone.lineage.upstream(asset, { ...place, version: id, depth: 1 });
      const consumed = nodes.filter(({ depth }) => depth === 1).map(({ materialization }) => materialization);
      const text = `${asset} ${place.partition ?? ''} of ${consumed.sort((a, b) => a - b).join()}`;
      if (seen.has(text)) twice.push(text);
      seen.add(text);
    }
  }
  return twice;
}

describe.each(SERVER_STORAGES)('automation, its ledger on %s', (kind) => {
  let storage: TestStorage;

  beforeEach(async () => {
    storage = await testStorage(kind);
  });
  afterEach(() => storage.remove());

  it.each([
    'before-automation',
    'before-automation, before-automation',
    'before-automation:2',
    'after-automation',
    'after-automation:2, after-automation',
    'before-execute:3',
    'after-commit, after-commit:2',
  ])(
    'loses nothing when processes die at %s',
    async (points) => {
      const options: FlowStoneOptions = { ...storage.options, ...TIMES };
      for (const [number, point] of points.split(', ').entries()) {
        const life = await liveAs('automation.process.mjs', { options, versions: [`${number}`] }, point);
        expect(life).toMatchObject({ end: 'SIGKILL' });
      }
      const { app, flowstone } = await startApp(assets, { ...options, ...LASTING });
      try {
        await untilFresh(flowstone);
        expect(await computedTwice(flowstone)).toEqual([]);
        const { items } = await flowstone.runs({}, { limit: 100 });
        for (const { id } of items) await flowstone.run(id).wait();
        expect(items.every(({ requestedBy }) => requestedBy === 'automation')).toBe(true);
      } finally {
        await app.close();
      }
    },
    60_000,
  );
});

describe('automation of several processes on one database', () => {
  it('goes on when the one that decides is killed, again and again', async () => {
    const storage = await testStorage('postgres');
    const options: FlowStoneOptions = { ...storage.options, ...TIMES };
    const lives: Promise<Life>[] = [];
    for (let number = 0; number < 6; number++) {
      const versions = [0, 1, 2].map((n) => `${number}.${n}`);
      // Each is killed while the next ones already live.
      lives.push(liveAs('automation.process.mjs', { options, versions }, '', { after: 900, from: 'work' }));
      await pause(700);
    }
    expect((await Promise.all(lives)).map(({ end }) => end)).toEqual(lives.map(() => 'SIGKILL'));
    const { app, flowstone } = await startApp(assets, { ...options, ...LASTING });
    try {
      await flowstone.reportVersion(Feed, { dataVersion: 'last' });
      await untilFresh(flowstone);
      expect(await computedTwice(flowstone)).toEqual([]);
      const { items } = await flowstone.runs({}, { limit: 200 });
      // Nothing that was under way is repeated by whoever decides next: no run has but joined another.
      for (const { id, counts } of items) {
        const { items: rows } = await flowstone.materializations(id);
        const joined = rows.filter(({ skipped }) => skipped?.reason === 'joined');
        expect(joined.length === 0 || counts.success > 0).toBe(true);
      }
    } finally {
      await app.close();
      await storage.remove();
    }
  }, 90_000);
});
