// Automation of an asset of many partitions, and beside one that cannot be told of.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { TestingModule } from '@nestjs/testing';
import {
  Asset,
  DependsOn,
  eager,
  mapped,
  mapping,
  onMissing,
  Partitions,
  type AssetContext,
  type FlowStoneService,
} from '../../lib/index.js';
import { startApp } from '../behaviour/graph.js';
import { testStorage, type TestStorage } from '../behaviour/storages.js';

/** More than are looked at in one pass, and summarized. */
const COUNT = 24_000;
const numbers = Partitions.static(Array.from({ length: COUNT }, (_, number) => `n${number}`));

let computed = 0;

@Asset({ partitions: numbers, automation: onMissing() })
class Many {
  execute(): void {
    computed++;
  }
}

const few = Partitions.static(['a', 'b']);

@Asset({ partitions: few, automation: eager() })
class Good {
  execute({ partition }: AssetContext): string {
    return partition.key;
  }
}

@Asset({ partitions: few, automation: eager() })
@DependsOn({
  good: mapped(
    Good,
    mapping.many({
      upstream: () => {
        throw new Error('this mapping is broken');
      },
    }),
  ),
})
class Bad {
  execute(): number {
    return 1;
  }
}

describe('automation on postgres', () => {
  let storage: TestStorage;
  let app: TestingModule;
  let flowstone: FlowStoneService;

  beforeEach(async () => {
    storage = await testStorage('postgres');
    computed = 0;
  });
  afterEach(async () => {
    await app.close();
    await storage.remove();
  });

  it('computes what is missing of very many partitions, each once', async () => {
    ({ app, flowstone } = await startApp([Many], { ...storage.options, concurrency: 50 }));
    while (computed < COUNT) await new Promise((resolve) => setTimeout(resolve, 100));
    await flowstone.automation.look();
    for (const { id } of (await flowstone.runs({}, { limit: 100 })).items) await flowstone.run(id).wait();
    const { items } = await flowstone.runs({}, { limit: 100 });
    expect(items.reduce((sum, { counts }) => sum + counts.success, 0)).toBe(COUNT);
    expect(items.every(({ requestedBy, counts }) => requestedBy === 'automation' && counts.total <= 5000)).toBe(true);
    expect(computed).toBe(COUNT);
    expect(await flowstone.status(Many)).toMatchObject({ fresh: COUNT });
  }, 120_000);

  it('goes on with all others where one cannot be told of', async () => {
    ({ app, flowstone } = await startApp([Good, Bad], storage.options));
    const isFresh = async (partition: string) => (await flowstone.status(Good, partition)).state === 'fresh';
    while (!(await isFresh('a')) || !(await isFresh('b'))) await new Promise((resolve) => setTimeout(resolve, 20));
    await expect(flowstone.automation.explain(Bad, { partition: 'a' })).rejects.toMatchObject({
      code: 'FLOWSTONE_PARTITION_MAPPING_FAILED',
    });
  });
});
