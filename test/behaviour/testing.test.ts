// nestjs-flowstone/testing as its users meet it.
import { describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { IsInt, Max } from 'class-validator';
import {
  Asset,
  Checkpoint,
  DependsOn,
  eager,
  Partitions,
  Requires,
  rowsOf,
  Schedule,
  type AssetContext,
  type BatchContext,
  type BatchItem,
  type BatchResults,
  type Decision,
  type InputsOf,
} from '../../lib/index.js';
import { executeAsset, executeBatch, executeCheckpoint, FakeClock, startTestGraph } from '../../lib/testing/index.js';

@Injectable()
class Geo {
  placeOf(code: string): string {
    throw new Error(`no network in tests: ${code}`);
  }
}
const resources = { geo: Geo };

@Asset({ partitions: Partitions.daily({ start: '2001-01-01' }) })
class Codes {
  async *execute({ partition, progress }: AssetContext): AsyncGenerator<{ code: string }> {
    progress(1, 2);
    yield { code: `${partition.key}-A` };
    yield { code: `${partition.key}-B` };
  }
}
const inputs = { codes: Codes };
@Asset({ partitions: 'inherit', retry: { attempts: 2, delay: '1h' } })
@DependsOn(inputs)
@Requires(resources)
class Places {
  async execute(context: AssetContext<typeof resources>, { codes }: InputsOf<typeof inputs>): Promise<string[]> {
    context.report({ metadata: { attempt: context.attempt } });
    const rows = await codes.toArray();
    return rows.map(({ code }) => context.resources.geo.placeOf(code));
  }
}

const codes = rowsOf([{ code: 'X' }]);

describe('executeAsset', () => {
  it('runs one asset with given inputs and resources', async () => {
    const geo = { placeOf: (code: string) => `place of ${code}` };
    const { value, reports } = await executeAsset<typeof Places>(new Places(), {
      inputs: { codes },
      resources: { geo },
    });
    expect(value).toEqual(['place of X']);
    expect(reports).toEqual([{ metadata: { attempt: 1 } }]);
  });

  it('gives yielded rows as a consumer would get them', async () => {
    const { value, progress } = await executeAsset<typeof Codes>(new Codes(), { partition: { key: '2001-01-01' } });
    expect(await value.toArray()).toEqual([{ code: '2001-01-01-A' }, { code: '2001-01-01-B' }]);
    expect(progress).toEqual([[1, 2]]);
  });
});

@Asset({ partitions: 'inherit', batch: { size: 9 } })
@DependsOn(inputs)
@Requires(resources)
class Labels {
  async *executeMany(
    context: BatchContext<typeof resources>,
    items: readonly BatchItem<InputsOf<typeof inputs>>[],
  ): BatchResults<AsyncIterable<{ label: string }>> {
    for (const { partition, inputs: given, previous } of items) {
      const { key } = partition;
      context.report(key, { metadata: { previous } });
      const label = context.resources.geo.placeOf((await given.codes.toArray())[0]!.code);
      if (key === 'forgotten') continue;
      if (key === 'refused') yield [key, context.fail(key, new Error(label))];
      else yield [key, this.rows(label)];
    }
  }
  private async *rows(label: string): AsyncGenerator<{ label: string }> {
    yield { label };
    if (label === 'place of broken') throw new Error(label);
  }
}

describe('executeBatch', () => {
  const items = (...keys: string[]) =>
    keys.map((key) => ({ partition: { key }, inputs: { codes: rowsOf([{ code: key }]) } }));

  it('runs a batch with given items and resources, by its rules', async () => {
    const geo = { placeOf: (code: string) => `place of ${code}` };
    const [first, ...others] = items('a', 'refused', 'forgotten', 'broken');
    const { values, failures, reports } = await executeBatch<typeof Labels>(new Labels(), {
      items: [{ ...first!, previous: 'v1' }, ...others],
      resources: { geo },
    });
    expect([...values.keys()]).toEqual(['a']);
    expect(await values.get('a')!.toArray()).toEqual([{ label: 'place of a' }]);
    expect(failures.get('refused')).toEqual(new Error('place of refused'));
    expect(failures.get('forgotten')).toMatchObject({ code: 'FLOWSTONE_BATCH_KEY_MISSING' });
    expect(failures.get('broken')).toEqual(new Error('place of broken'));
    expect(reports.get('a')).toEqual([{ metadata: { previous: 'v1' } }]);
  });

  it('fails what was left when the code threw', async () => {
    const geo = {
      placeOf(code: string) {
        if (code === 'b') throw new Error('no network');
        return code;
      },
    };
    const { values, failures } = await executeBatch<typeof Labels>(new Labels(), {
      items: items('a', 'b', 'c'),
      resources: { geo },
    });
    expect([...values.keys()]).toEqual(['a']);
    expect([...failures]).toEqual(['b', 'c'].map((key) => [key, new Error('no network')]));
  });
});

class Amount {
  @IsInt()
  @Max(10)
  amount!: number;
}

@Checkpoint({ message: 'So much?', modification: Amount })
@DependsOn({ asked: Codes })
class Allowed {
  condition({ partition }: AssetContext): boolean {
    return partition.key !== 'free';
  }
  onSkip(): number {
    return 0;
  }
  onApprove(_context: AssetContext, { asked }: { asked: unknown }, { by }: Decision): string {
    return `${String(asked)} by ${by}`;
  }
  onModify(_context: AssetContext, _inputs: object, { value }: Decision<Amount>): number {
    return value instanceof Amount ? value.amount : -1;
  }
}

describe('executeCheckpoint', () => {
  const run = (options: object) =>
    executeCheckpoint<typeof Allowed>(new Allowed(), { inputs: { asked: 5 }, ...options });

  it('tells whether it asks, and what', async () => {
    expect(await run({})).toMatchObject({ asks: 'So much?', value: undefined });
    expect(await run({ partition: { key: 'free' } })).toMatchObject({ asks: undefined, value: 0 });
  });

  it('tells what follows from a decision', async () => {
    const decided = await run({ decision: { action: 'approve', by: 'zoe' } });
    expect(decided).toMatchObject({ asks: undefined, value: '5 by zoe' });
    expect(decided.reports).toEqual([{ metadata: { approval: 1, decision: 'approve', decidedBy: 'zoe' } }]);
    expect((await run({ decision: { action: 'modify', value: { amount: 7 } } })).value).toBe(7);
    await expect(run({ decision: { action: 'modify', value: { amount: 70 } } })).rejects.toMatchObject({
      code: 'FLOWSTONE_APPROVAL_INVALID',
    });
    await expect(run({ decision: { action: 'reject', reason: 'no' } })).rejects.toMatchObject({
      code: 'FLOWSTONE_CHECKPOINT_REJECTED',
      context: { by: 'anna', reason: 'no' },
    });
    await expect(run({ decision: { action: 'timeout' } })).rejects.toMatchObject({
      code: 'FLOWSTONE_CHECKPOINT_TIMED_OUT',
    });
  });
});

describe('startTestGraph', () => {
  const providers = [Codes, Places, Geo];

  it('overrides resources, and time decides which partitions exist', async () => {
    const clock = new FakeClock('2001-01-02T12:00:00Z');
    const overrides = [[Geo, { placeOf: (code: string) => code.toLowerCase() }]] as const;
    await using graph = await startTestGraph({ providers, overrides, clock });
    expect((await graph.flowstone.partitions(Places)).size).toBe(1);
    await (await graph.flowstone.materialize(Places, { partitions: 'all' })).wait();
    expect(await graph.flowstone.load(Places, { partition: '2001-01-01' })).toEqual(['2001-01-01-a', '2001-01-01-b']);
    clock.advance(24 * 3_600_000);
    expect(await graph.flowstone.status(Places)).toMatchObject({ partitions: 2, fresh: 1, missing: 1 });
  });

  it('retries when the clock has moved past the delay', async () => {
    const clock = new FakeClock('2001-01-02T12:00:00Z');
    let calls = 0;
    const geo = {
      placeOf: (code: string) => {
        if (++calls === 1) throw new Error('busy');
        return code;
      },
    };
    await using graph = await startTestGraph({ providers, overrides: [[Geo, geo]], clock });
    const handle = await graph.flowstone.materialize(Places, { partition: '2001-01-01' });
    const attempts = async () => (await graph.flowstone.history(Places)).items[0]?.attempts;
    while ((await attempts()) !== 1) await new Promise(setImmediate);
    clock.advance(2 * 3_600_000);
    await handle.wait();
    expect(await graph.flowstone.load(Places, { partition: '2001-01-01' })).toHaveLength(2);
    const [record] = (await graph.flowstone.history(Places, { partition: '2001-01-01' })).items;
    expect(record).toMatchObject({ status: 'success', attempts: 2, metadata: { attempt: 2 } });
  });
});

@Asset({ automation: eager() })
class Automated {
  execute(): number {
    return 1;
  }
}

@Schedule({ cron: '0 6 * * *' })
@Asset()
class Scheduled {
  execute(): number {
    return 2;
  }
}

describe('a test graph with automation and schedules', () => {
  it('requests nothing by itself, and what is due when it is told to look', async () => {
    await using graph = await startTestGraph({ providers: [Automated, Scheduled] });
    const { flowstone } = graph;
    expect(await flowstone.automation.explain(Automated)).toMatchObject({ decision: 'requested' });
    expect((await flowstone.runs()).items).toEqual([]);
    expect(await flowstone.automation.look()).toBe(true);
    const [run] = (await flowstone.runs()).items;
    await flowstone.run(run!.id).wait();
    expect(await flowstone.load(Automated)).toBe(1);
    await flowstone.run(await flowstone.schedules.runNow('scheduled')).wait();
    expect(await flowstone.load(Scheduled)).toBe(2);
  });

  it('fires what has come due by its clock, where it is to', async () => {
    const clock = new FakeClock(new Date('2024-03-06T05:59:59Z'));
    await using graph = await startTestGraph({ providers: [Scheduled], clock, options: { triggers: true } });
    const { flowstone } = graph;
    const ticks = async () => (await flowstone.schedules.ticks('scheduled')).items;
    expect(await ticks()).toEqual([]);
    clock.advance(1000);
    while ((await ticks()).length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(await ticks()).toMatchObject([{ tick: new Date('2024-03-06T06:00:00Z'), status: 'fired' }]);
  });
});
