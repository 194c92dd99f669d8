// Automation by the clock and in measure: ticks, ages, retries by time, and flow control by key; on every storage.
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { TestingModule } from '@nestjs/testing';
import {
  and,
  Asset,
  DependsOn,
  eager,
  ExternalAsset,
  never,
  not,
  olderThan,
  onCron,
  Partitions,
  status,
  type AssetContext,
  type FlowStoneService,
} from '../../lib/index.js';
import { gate, startApp } from './graph.js';
import { SAMPLED_STORAGES, testStorage, type TestStorage } from './storages.js';

let computed: string[] = [];
let broken = false;
let held: { readonly opened: Promise<void>; open(): void } | undefined;

@Asset({ external: true })
class Feed extends ExternalAsset<number> {}

@Asset({ automation: onCron('* * * * * *') })
@DependsOn({ feed: Feed })
class Ticking {
  execute(): number {
    computed.push('ticking');
    if (broken) throw new Error('broken');
    return computed.length;
  }
}

@Asset({ automation: olderThan('400ms') })
class Aging {
  execute(): number {
    computed.push('aging');
    return computed.length;
  }
}

@Asset({ automation: { when: eager(), retryAfter: '400ms' } })
class Flaky {
  execute(): number {
    computed.push('flaky');
    if (broken) throw new Error('broken');
    return 1;
  }
}

@Asset({ automation: { when: eager(), debounce: '400ms' } })
@DependsOn({ feed: Feed })
class Calm {
  execute(): number {
    computed.push('calm');
    return computed.length;
  }
}

@Asset({ automation: { when: eager(), debounce: { quiet: '10m', atMost: '600ms' } } })
@DependsOn({ feed: Feed })
class Impatient {
  execute(): number {
    computed.push('impatient');
    return computed.length;
  }
}

@Asset({ automation: { when: eager(), throttle: '1h' } })
@DependsOn({ feed: Feed })
class Throttled {
  execute(): number {
    computed.push('throttled');
    return computed.length;
  }
}

const places = Partitions.multi({ tenant: Partitions.static(['a', 'b']), day: Partitions.static(['1', '2', '3']) });

@Asset({ partitions: places, automation: { when: eager(), concurrency: 1, key: 'tenant', priority: 5 } })
class Shared {
  async execute({ partition, signal }: AssetContext): Promise<string> {
    computed.push(Object.values(partition.dimensions).join(' '));
    const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    await Promise.race([held?.opened, aborted]);
    return partition.key;
  }
}

@Asset({ automation: and(not(status('fresh')), never()) })
class Never {
  execute(): void {}
}

let storage: TestStorage;
let app: TestingModule | undefined;
let flowstone: FlowStoneService;

async function start(...assets: Parameters<typeof startApp>[0][number][]): Promise<void> {
  ({ app, flowstone } = await startApp(assets, { ...storage.options, concurrency: 10 }));
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await wait(10);
}

const idle = async (): Promise<void> => {
  await until(async () => (await flowstone.runs({ status: ['planning', 'running'] })).items.length === 0);
};

describe.each(SAMPLED_STORAGES)('automation, on %s', (kind) => {
  beforeEach(async () => {
    storage = await testStorage(kind);
    computed = [];
    broken = false;
    held = undefined;
  });
  afterEach(async () => {
    held?.open();
    await app?.close();
    app = undefined;
    await storage.remove();
  });

  it('computes at a tick what is stale then, and what becomes so later at the next', async () => {
    await start(Feed, Ticking);
    await until(() => computed.length === 1);
    await idle();
    await wait(1200);
    expect(computed).toHaveLength(1);
    await flowstone.reportVersion(Feed, { dataVersion: '2' });
    const reported = Date.now();
    expect(computed).toHaveLength(1);
    await until(() => computed.length === 2);
    await idle();
    const [newest] = (await flowstone.history(Ticking)).items;
    // The tick lies between the two.
    expect(Math.floor(newest!.createdAt.getTime() / 1000)).toBeGreaterThanOrEqual(Math.floor(reported / 1000));
    await wait(1200);
    expect(computed).toHaveLength(2);
  });

  it('leaves alone at the next ticks what failed at one, until something changes', async () => {
    broken = true;
    await start(Feed, Ticking);
    await until(() => computed.length === 1);
    await wait(2200);
    expect(computed).toHaveLength(1);
    expect(await flowstone.automation.explain(Ticking)).toMatchObject({ decision: 'failed' });
    broken = false;
    await flowstone.reportVersion(Feed, { dataVersion: '2' });
    await until(() => computed.length === 2);
  });

  it('computes again what is older, though it is fresh', async () => {
    await start(Aging);
    await until(() => computed.length >= 3);
    const { items } = await flowstone.history(Aging);
    const [second, first] = items.filter(({ status: was }) => was === 'success');
    expect(second!.createdAt.getTime() - first!.completedAt!.getTime()).toBeGreaterThanOrEqual(400);
    expect(second!.forced).toBe(true);
  });

  it('requests what failed again by time alone, where that is declared', async () => {
    broken = true;
    await start(Flaky);
    await until(() => computed.length === 1);
    await idle();
    const explained = await flowstone.automation.explain(Flaky);
    expect(explained).toMatchObject({ decision: 'failed', until: expect.any(Date) });
    await until(() => computed.length === 2);
    broken = false;
    await until(() => computed.length === 3);
    await idle();
    await wait(600);
    expect(computed).toHaveLength(3);
  });

  it('waits until changes are over', async () => {
    await start(Feed, Calm);
    for (let version = 1; version <= 5; version++) {
      await flowstone.reportVersion(Feed, { dataVersion: String(version) });
      await wait(120);
    }
    expect(computed).toEqual([]);
    expect(await flowstone.automation.explain(Calm)).toMatchObject({ decision: 'debounce', until: expect.any(Date) });
    await until(() => computed.length === 1);
    await idle();
    await wait(600);
    expect(computed).toEqual(['calm']);
  });

  it('waits for the end of changes no longer than it is told', async () => {
    await start(Feed, Impatient);
    await flowstone.automation.look();
    expect(await flowstone.automation.explain(Impatient)).toMatchObject({ decision: 'debounce' });
    await until(() => computed.length === 1);
  });

  it('requests no more often than it is told, and says until when', async () => {
    await start(Feed, Throttled);
    await until(() => computed.length === 1);
    await idle();
    await flowstone.reportVersion(Feed, { dataVersion: '2' });
    await flowstone.automation.look();
    expect(await flowstone.automation.explain(Throttled)).toMatchObject({
      decision: 'throttle',
      message: expect.stringContaining('it is throttled: next at'),
    });
    expect(computed).toHaveLength(1);
  });

  it('has no more of a key open than it is told, and goes on as soon as one has ended', async () => {
    held = gate();
    await start(Shared);
    await until(() => computed.length === 2);
    await flowstone.automation.look();
    expect(computed.sort()).toEqual(['a 1', 'b 1']);
    expect(await flowstone.automation.explain(Shared, { partition: { tenant: 'a', day: '2' } })).toMatchObject({
      decision: 'concurrency',
      message: '1 of 1 partitions of tenant "a" are open',
    });
    expect((await flowstone.runs()).items[0]).toMatchObject({ priority: 5 });
    held.open();
    await until(() => computed.length === 6);
    expect(new Set(computed).size).toBe(6);
  });

  it('says of each asset when it is computed', async () => {
    await start(Never, Aging, Feed, Ticking);
    const listed = await flowstone.automation.list();
    expect(listed.map(({ asset, when }) => `${asset}: ${when}`)).toEqual([
      'aging: its value is older than 400ms',
      'never: not (it is fresh) and never',
      "ticking: a tick of '* * * * * *' (UTC) is due and (it is missing or it is stale)",
    ]);
    const ticking = listed.find(({ asset }) => asset === 'ticking')!;
    expect(ticking.nextTick!.getTime() % 1000).toBe(0);
  });
});
