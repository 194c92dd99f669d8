// Summaries on real databases: the quick answer amid whatever happens is that from all heads, and nothing that changes
// while an asset begins to be watched is missed.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { TestingModule } from '@nestjs/testing';
import { Client } from 'pg';
import { Asset, DependsOn, Partitions, type FlowStoneService } from '../../lib/index.js';
import { EngineSource } from '../../lib/flowstone.service.js';
import type { SummarizedFacts } from '../../lib/planning/summary-upkeep.js';
import { readQuickStates } from '../../lib/planning/quick-status.js';
import { summarizeStatus } from '../../lib/planning/status.js';
import { startApp } from '../behaviour/graph.js';
import { DURABLE_STORAGES, testStorage, type TestStorage } from '../behaviour/storages.js';
import { Random } from '../torture/random.js';

const partitions = Partitions.static(Array.from({ length: 150 }, (_, index) => `k${index}`));

function graph() {
  const content = { value: 0, broken: new Set<string>() };
  @Asset({ partitions })
  class Readings {
    execute({ partition: { key } }: { partition: { key: string } }): number {
      if (content.broken.has(key)) throw new Error('broken');
      return content.value;
    }
  }
  @Asset()
  class Scale {
    execute(): number {
      return Math.floor(content.value / 2);
    }
  }
  const inputs = { readings: Readings, scale: Scale };
  @Asset({ partitions })
  @DependsOn(inputs)
  class Scaled {
    execute(_: unknown, { readings, scale }: { readings: number; scale: number }): number {
      return Math.floor((readings * scale) / 3);
    }
  }
  return { content, assets: [Readings, Scale, Scaled] };
}

describe.each(DURABLE_STORAGES)('summaries (%s)', (kind) => {
  let where: TestStorage;
  let app: TestingModule;
  let flowstone: FlowStoneService;
  let made: ReturnType<typeof graph>;

  beforeEach(async () => {
    where = await testStorage(kind);
    made = graph();
    ({ app, flowstone } = await startApp(made.assets, where.options));
  });
  afterEach(async () => {
    await app.close();
    await where.remove();
  });

  /** How many of `scaled` are fresh, once both answers are the same. */
  const compared = async (): Promise<number> => {
    const engine = app.get(EngineSource).require();
    const model = await engine.moments.fresh();
    const index = model.requireIndex('scaled');
    const quick = await readQuickStates(model, engine.facts as SummarizedFacts, index, 10);
    const { ranges, failed, fresh } = await summarizeStatus(model, engine.facts, 'scaled');
    const states = ranges.flatMap(({ state, count }) =>
      Array<number>(count).fill(['missing', 'stale', 'fresh'].indexOf(state)),
    );
    expect([...quick!.states]).toEqual(states);
    expect(quick!.failed).toBe(failed);
    return fresh;
  };

  it('tell what all heads tell, whatever happened since they were kept', async () => {
    const dice = new Random(7);
    const random = (): number => dice.next();
    const some = (): string[] => {
      const from = Math.floor(random() * 150);
      return Array.from({ length: 1 + Math.floor(random() * (150 - from)) }, (_, at) => `k${from + at}`);
    };
    const run = async (target: string, options: object): Promise<void> => {
      await (await flowstone.materialize(target, options)).wait().catch(() => undefined);
    };
    await run('scaled', { partitions: 'all' });
    expect(await compared()).toBe(150);
    for (let step = 0; step < 20; step++) {
      const drawn = Math.floor(random() * 6);
      made.content.value = Math.floor(random() * 6);
      made.content.broken = new Set(drawn === 5 ? some() : []);
      if (drawn === 0) await run('readings', { partitions: some(), force: true });
      if (drawn === 1) await run('scaled', { partitions: some() });
      if (drawn === 2) await flowstone.invalidate(random() < 0.5 ? 'readings' : 'scaled', { partitions: some() });
      if (drawn === 3) await flowstone.delete(random() < 0.5 ? 'readings' : 'scaled', { partitions: some() });
      if (drawn === 4) await run('scale', { force: true });
      if (drawn === 5) await run('scaled', { partitions: some(), force: true });
      await compared();
    }
    made.content.broken.clear();
    await run('scaled', { partitions: 'all' });
    expect(await compared()).toBe(150);
  }, 120_000);
});

describe('an asset that begins to be watched', () => {
  it('is not summarized while a transaction is open that may not know of it', async () => {
    const where = await testStorage('postgres');
    const { app } = await startApp(graph().assets, where.options);
    const client = new Client({ connectionString: (where.options.storage as { url: string }).url });
    await client.connect();
    try {
      const { summaries } = app.get(EngineSource).require().ledger;
      await client.query('BEGIN');
      await client.query('SELECT pg_current_xact_id()');
      expect(await summaries!.watch('readings')).toBe(false);
      await client.query('COMMIT');
      expect(await summaries!.watch('readings')).toBe(true);
      // Once that was so, it stays so.
      await client.query('BEGIN');
      await client.query('SELECT pg_current_xact_id()');
      expect(await summaries!.watch('readings')).toBe(true);
    } finally {
      await client.end();
      await app.close();
      await where.remove();
    }
  });
});
