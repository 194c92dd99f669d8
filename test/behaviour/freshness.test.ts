// Freshness through the public door, with a clock of its own.
import { describe, expect, it } from '@jest/globals';
import { Asset, ExternalAsset, Partitions, type AssetContext, type FlowStoneService } from '../../lib/index.js';
import { FakeClock, startTestGraph, type TestGraph } from '../../lib/testing/index.js';
import { startApp } from './graph.js';
import { testStorage } from './storages.js';

@Asset({ freshness: { maxLag: '1h' } })
class Prices {
  execute(): number {
    return 1;
  }
}

@Asset({ freshness: { maxLag: '3h', cron: '0 9 * * *', timeZone: 'Europe/Berlin' } })
class Report {
  execute(): string {
    return 'report';
  }
}

@Asset({ partitions: Partitions.daily({ start: '2026-03-01' }), freshness: { maxLag: '2h' } })
class Sales {
  execute({ partition }: AssetContext): string {
    return partition.key;
  }
}

@Asset({ external: true, freshness: { maxLag: '1h' } })
class Feed extends ExternalAsset<string> {}

@Asset({ partitions: Partitions.static(['a', 'b']), freshness: { maxLag: '2s' } })
class Quick {
  execute({ partition }: AssetContext): string {
    return partition.key;
  }
}

@Asset()
class Ageless {
  execute(): number {
    return 1;
  }
}

const begin = '2026-03-02T12:00:00Z';
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

async function start(
  clock: FakeClock,
  ...providers: Parameters<typeof startTestGraph>[0]['providers'][number][]
): Promise<TestGraph> {
  return startTestGraph({ providers, clock, options: { triggers: true } });
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 5));
}

const overdueIn = async (flowstone: FlowStoneService): Promise<string[]> =>
  (await flowstone.freshness.overdue()).map(({ asset, partition }) => `${asset} ${partition}`.trim());

describe('freshness', () => {
  it('is lost when it was computed too long ago, which is told once, as is the end of that', async () => {
    const clock = new FakeClock(begin);
    await using graph = await start(clock, Prices);
    const { flowstone } = graph;
    const told: string[] = [];
    flowstone.events.of('asset.overdue').subscribe(({ asset, detail }) => told.push(`overdue ${asset} ${detail.due}`));
    flowstone.events.of('asset.on_time').subscribe(({ asset }) => told.push(`on time ${asset}`));
    await flowstone.events.listening();
    await (await flowstone.materialize(Prices)).wait();
    expect(await flowstone.freshness.of(Prices)).toEqual({
      state: 'on_time',
      due: new Date('2026-03-02T13:00:00Z'),
      overdue: [],
    });
    clock.advance(59 * MINUTE);
    expect(await flowstone.freshness.of(Prices)).toMatchObject({ state: 'on_time' });
    clock.advance(2 * MINUTE);
    expect(await flowstone.freshness.of(Prices)).toMatchObject({
      state: 'overdue',
      due: new Date('2026-03-02T13:00:00Z'),
    });
    await until(async () => told.length === 1);
    clock.advance(10 * MINUTE);
    await (await flowstone.materialize(Prices, { force: true })).wait();
    await until(async () => told.length === 2);
    expect(told).toEqual(['overdue prices 2026-03-02T13:00:00.000Z', 'on time prices']);
    expect(await overdueIn(flowstone)).toEqual([]);
  });

  it('counts at the ticks of a clock alone, where it has one', async () => {
    const clock = new FakeClock(begin);
    await using graph = await start(clock, Report);
    const { flowstone } = graph;
    await (await flowstone.materialize(Report)).wait();
    // 13:00 in Berlin: the next tick is at 9, when it is 20 hours old.
    expect(await flowstone.freshness.of(Report)).toMatchObject({
      state: 'on_time',
      due: new Date('2026-03-03T08:00:00Z'),
    });
    clock.advance(21 * HOUR);
    expect(await flowstone.freshness.of(Report)).toMatchObject({ state: 'overdue' });
    await (await flowstone.materialize(Report, { force: true })).wait();
    expect(await flowstone.freshness.of(Report)).toMatchObject({
      state: 'on_time',
      due: new Date('2026-03-04T08:00:00Z'),
    });
    clock.advance(20 * HOUR);
    // At 6 in the morning: young enough at 9.
    await (await flowstone.materialize(Report, { force: true })).wait();
    expect(await flowstone.freshness.of(Report)).toMatchObject({ due: new Date('2026-03-05T08:00:00Z') });
  });

  it('of a window of time is that it is there in time', async () => {
    const clock = new FakeClock(begin);
    await using graph = await start(clock, Sales);
    const { flowstone } = graph;
    // Declared when the first day had ended already.
    expect(await flowstone.freshness.of(Sales)).toMatchObject({
      state: 'on_time',
      due: new Date('2026-03-02T14:00:00Z'),
    });
    clock.advance(2 * HOUR);
    await until(async () => (await overdueIn(flowstone)).length === 1);
    await (await flowstone.materialize(Sales, { partition: '2026-03-01' })).wait();
    await until(async () => (await overdueIn(flowstone)).length === 0);
    expect(await flowstone.freshness.of(Sales, { partition: '2026-03-01' })).toEqual({
      state: 'on_time',
      due: null,
      overdue: [],
    });
    clock.advance(48 * HOUR);
    await until(async () => (await overdueIn(flowstone)).length === 2);
    expect(await overdueIn(flowstone)).toEqual(['sales 2026-03-02', 'sales 2026-03-03']);
    expect((await flowstone.freshness.of(Sales)).overdue.map(({ due }) => due)).toEqual([
      new Date('2026-03-03T02:00:00Z'),
      new Date('2026-03-04T02:00:00Z'),
    ]);
  });

  it('of what is computed elsewhere goes by what was reported', async () => {
    const clock = new FakeClock(begin);
    await using graph = await start(clock, Feed);
    const { flowstone } = graph;
    clock.advance(2 * HOUR);
    await until(async () => (await overdueIn(flowstone)).length === 1);
    await flowstone.reportVersion(Feed, { dataVersion: 'v1' });
    await until(async () => (await overdueIn(flowstone)).length === 0);
    expect(await flowstone.freshness.of(Feed)).toMatchObject({
      state: 'on_time',
      due: new Date('2026-03-02T15:00:00Z'),
    });
  });

  it('of others is told also where the partitions of one asset cannot be', async () => {
    let fails = false;
    const odd = Partitions.custom(
      () => {
        if (fails) throw new Error('the list is away');
        return ['x'];
      },
      { name: 'odd' },
    );
    @Asset({ partitions: odd, freshness: { maxLag: '1h' } })
    class Odd {
      execute(): number {
        return 1;
      }
    }
    const clock = new FakeClock(begin);
    await using graph = await start(clock, Odd, Prices);
    const { flowstone } = graph;
    clock.advance(2 * HOUR);
    await until(async () => (await overdueIn(flowstone)).length === 2);
    fails = true;
    clock.advance(1);
    await (await flowstone.materialize(Prices)).wait();
    await until(async () => (await overdueIn(flowstone)).length === 1);
    expect(await overdueIn(flowstone)).toEqual(['odd x']);
    await expect(flowstone.freshness.of(Odd)).rejects.toMatchObject({ code: 'FLOWSTONE_PARTITION_SCHEME_FAILED' });
  });

  it('is asked of assets that declare it', async () => {
    await using graph = await start(new FakeClock(begin), Ageless);
    await expect(graph.flowstone.freshness.of(Ageless)).rejects.toMatchObject({ code: 'FLOWSTONE_REQUEST_INVALID' });
  });

  it('is told once by any number of processes, from the database', async () => {
    const storage = await testStorage('postgres');
    const options = { ...storage.options, pollInterval: 50 };
    const [one, two] = [await startApp([Quick], options), await startApp([Quick], options)];
    try {
      const { flowstone } = one;
      await (await flowstone.materialize(Quick, { partition: 'a' })).wait();
      await until(async () => (await overdueIn(flowstone)).length === 2);
      await (await two.flowstone.materialize(Quick, { partition: 'b', force: true })).wait();
      await until(async () => (await overdueIn(flowstone)).length === 1);
      expect(await overdueIn(flowstone)).toEqual(['quick a']);
      const database = one.app.get<{ query(text: string): Promise<{ kind: string; partition: string }[]> }>(
        Symbol.for('flowstone:data-source'),
      );
      const told = await database.query(
        `SELECT kind, partition FROM flowstone.events WHERE kind IN ('asset.overdue', 'asset.on_time') ORDER BY id`,
      );
      expect(told.map(({ kind, partition }) => `${kind} ${partition}`).sort()).toEqual([
        'asset.on_time b',
        'asset.overdue a',
        'asset.overdue b',
      ]);
    } finally {
      await one.app.close();
      await two.app.close();
      await storage.remove();
    }
  });

  it.each([
    [{}, "freshness has no maxLag; say how old it may be, { maxLag: '26h' }"],
    [{ maxLag: 'soon' }, "freshness.maxLag is 'soon'"],
    [{ maxLag: 0 }, 'a duration of more than 0'],
    [{ maxLag: '1h', cron: '61 * * * *' }, 'cron'],
    [{ maxLag: '1h', timeZone: 'UTC' }, 'freshness.timeZone is of no clock; add cron'],
    [{ maxLag: '1h', cron: '0 9 * * *', timeZone: 'Mars/Base' }, 'Mars/Base'],
    [{ maxLag: '1h', corn: '0 9 * * *' }, "freshness has no option 'corn'"],
    ['26h', "freshness is '26h'; give it { maxLag: '26h' }"],
  ])('cannot be declared as %j', async (freshness, problem) => {
    @Asset({ freshness: freshness as { maxLag: '1h' } })
    class Wrong {
      execute(): number {
        return 1;
      }
    }
    await expect(startTestGraph({ providers: [Wrong] })).rejects.toThrow(problem);
  });
});
