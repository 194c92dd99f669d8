// Checks through the public door: before the commit, after it, and on demand.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import type { TestingModule } from '@nestjs/testing';
import {
  allUpstreams,
  and,
  Asset,
  Check,
  DependsOn,
  eager,
  ExternalAsset,
  Partitions,
  type AssetContext,
  type BatchContext,
  type BatchItem,
  type BatchResults,
  type CheckAnswer,
  type CheckContext,
  type FlowStoneOptions,
  type FlowStoneService,
  type InputsOf,
  type Rows,
} from '../../lib/index.js';
import { gate, startApp } from './graph.js';
import { SAMPLED_STORAGES, testStorage, type TestStorage } from './storages.js';

interface Order {
  readonly id: number;
  readonly total: number | undefined;
  readonly at: Date;
}

let value: unknown;
let seen: unknown[] = [];
let blocks: (context: CheckContext, value: unknown) => CheckAnswer | Promise<CheckAnswer>;
let tells: (context: CheckContext, value: unknown) => CheckAnswer | Promise<CheckAnswer>;
let rows: () => AsyncIterable<Order>;
let closed = false;

@Asset()
class Total {
  execute(): unknown {
    return value;
  }

  @Check(() => Total, { blocking: true })
  async isRight(context: CheckContext, total: unknown): Promise<CheckAnswer> {
    return blocks(context, total);
  }
}

const totalOf = { total: Total };

@Asset()
@DependsOn(totalOf)
class Report {
  execute(_context: AssetContext, { total }: InputsOf<typeof totalOf>): string {
    return `report of ${String(total)}`;
  }
}

@Asset({ retry: { attempts: 2, delay: 1 } })
class Orders {
  execute(): AsyncIterable<Order> {
    return rows();
  }
}

@Check(Orders, { name: 'has_totals', blocking: true })
class HasTotals {
  async check(context: CheckContext, orders: Rows<Order>): Promise<CheckAnswer> {
    return blocks(context, orders);
  }
}

@Asset({ partitions: Partitions.static(['a', 'b', 'c']), batch: { size: 3 } })
class Batched {
  async *executeMany(_context: BatchContext, items: readonly BatchItem[]): BatchResults<string> {
    for (const { partition } of items) yield [partition.key, `value of ${partition.key}`];
  }
}

@Asset({ external: true })
class Feed extends ExternalAsset<string> {
  override load(): string {
    return 'fetched';
  }
}

@Injectable()
class Quality {
  @Check(Batched, { name: 'no_b', blocking: true })
  noB(_context: CheckContext, given: string): CheckAnswer {
    return given !== 'value of b';
  }

  @Check(Total, { severity: 'warn', description: 'not too large' })
  notLarge(context: CheckContext, given: unknown): CheckAnswer | Promise<CheckAnswer> {
    return tells(context, given);
  }

  @Check(Feed)
  isFetched(_context: CheckContext, given: string): CheckAnswer {
    return { passed: given === 'fetched', metadata: { given } };
  }
}

let storage: TestStorage;
let app: TestingModule;
let flowstone: FlowStoneService;

async function start(options: FlowStoneOptions = {}): Promise<void> {
  const providers = [Total, Report, Orders, HasTotals, Batched, Feed, Quality];
  ({ app, flowstone } = await startApp(providers, {
    triggers: false,
    pollInterval: 50,
    ...storage.options,
    ...options,
  }));
}

const statusesOf = async (asset: Parameters<FlowStoneService['checks']['results']>[0]): Promise<string[]> =>
  (await flowstone.checks.results(asset)).items.map(({ check, status, message }) =>
    `${check} ${status} ${message ?? ''}`.trim(),
  );

async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe.each(SAMPLED_STORAGES)('checks on %s', (kind) => {
  beforeEach(async () => {
    storage = await testStorage(kind);
    value = 1;
    seen = [];
    closed = false;
    blocks = () => true;
    tells = () => true;
    rows = async function* () {
      yield* [];
    };
    await start();
  });

  afterEach(async () => {
    await app.close();
    await storage.remove();
  });

  it('keep a value from being committed, by what they find wrong with it', async () => {
    await (await flowstone.materialize(Report)).wait();
    value = 2;
    blocks = (context, total) => {
      seen.push([context.check, context.asset, context.partition.key, total]);
      return { passed: false, message: 'two is wrong', metadata: { total } };
    };
    const failing = await flowstone.materialize(Total, { force: true });
    await expect(failing.wait()).rejects.toMatchObject({
      result: {
        failures: [
          {
            asset: 'total',
            attempts: 1,
            error: {
              code: 'FLOWSTONE_CHECK_FAILED',
              retryable: false,
              message: expect.stringContaining('a check failed: is_right (two is wrong)'),
              context: { checks: [{ check: 'is_right', message: 'two is wrong', metadata: { total: 2 } }] },
            },
          },
        ],
      },
    });
    expect(seen).toEqual([['is_right', 'total', '', 2]]);
    expect(await flowstone.load(Total)).toBe(1);
    expect(await flowstone.status(Report)).toMatchObject({ state: 'fresh' });
    const { items } = await flowstone.checks.results(Total, { status: 'failed' });
    expect(items).toMatchObject([{ check: 'is_right', severity: 'error', metadata: { total: 2 }, onDemand: false }]);
    expect(items[0]!.epoch).not.toBeNull();
    blocks = () => true;
    await (await flowstone.retry(failing.id)).wait();
    expect(await flowstone.load(Total)).toBe(2);
  });

  it('look at rows that come once as often as they like, and these are stored as they were', async () => {
    const at = new Date(0);
    const all: Order[] = Array.from({ length: 1000 }, (_, id) => ({
      id,
      total: id % 7 === 0 ? undefined : id / 4,
      at,
    }));
    rows = async function* () {
      yield* all;
    };
    await (await flowstone.materialize(Orders)).wait();
    const { items: before } = await flowstone.history(Orders);
    blocks = async (_context, given) => {
      let count = 0;
      for await (const { at: time } of given as Rows<Order>) if (time instanceof Date) count++;
      const again = await (given as Rows<Order>).toArray();
      seen.push(
        count,
        again.length,
        (await (given as Rows<Order>).slice(998).toArray()).map(({ id }) => id),
      );
      return { passed: again.length === 1000 };
    };
    await (await flowstone.materialize(Orders, { force: true })).wait();
    expect(seen).toEqual([1000, 1000, [998, 999]]);
    const { items: after } = await flowstone.history(Orders, { limit: 1 });
    expect(after[0]!.dataVersion).toBe(before[0]!.dataVersion);
    expect(await (await flowstone.load(Orders)).toArray()).toHaveLength(1000);
    blocks = () => false;
    all.push({ id: 1000, total: 1, at });
    await expect((await flowstone.materialize(Orders, { force: true })).wait()).rejects.toMatchObject({
      result: { failures: [{ error: { code: 'FLOWSTONE_CHECK_FAILED' } }] },
    });
    expect(await (await flowstone.load(Orders)).toArray()).toHaveLength(1000);
  });

  it('fail one key of a batch alone', async () => {
    const run = await flowstone.materialize(Batched, { partitions: 'all' });
    await expect(run.wait()).rejects.toMatchObject({
      result: {
        counts: { success: 2, failed: 1 },
        failures: [{ partition: 'b', error: { code: 'FLOWSTONE_CHECK_FAILED' } }],
      },
    });
    expect(await statusesOf(Batched)).toHaveLength(3);
    expect((await flowstone.checks.results(Batched, { partition: 'b' })).items).toMatchObject([{ status: 'failed' }]);
    expect(await flowstone.checks.latest(Batched, { partition: 'a' })).toMatchObject([
      { check: 'no_b', status: 'passed' },
    ]);
  });

  it('that throw before the commit have the attempt tried again', async () => {
    let calls = 0;
    blocks = () => {
      if (++calls === 1) throw new Error('the reference list is away');
      return true;
    };
    const run = await flowstone.materialize(Orders);
    expect(await run.wait()).toMatchObject({ status: 'success' });
    expect(await statusesOf(Orders)).toEqual(['has_totals passed', 'has_totals errored the reference list is away']);
    calls = -10;
    blocks = () => {
      throw new Error('for good');
    };
    await expect((await flowstone.materialize(Orders, { force: true })).wait()).rejects.toMatchObject({
      result: { failures: [{ attempts: 2, error: { code: 'FLOWSTONE_CHECK_ERRORED' } }] },
    });
  });

  it('tell after the commit what they find, and change nothing', async () => {
    tells = (context, given) => {
      seen.push([context.check, given]);
      return { passed: false, message: 'large' };
    };
    await (await flowstone.materialize(Report)).wait();
    await until(async () => (await flowstone.checks.latest(Total)).length === 2);
    expect(seen).toEqual([['not_large', 1]]);
    const latest = await flowstone.checks.latest(Total);
    expect(latest.map(({ check, status, severity, epoch }) => [check, status, severity, epoch === null])).toEqual([
      ['is_right', 'passed', 'error', false],
      ['not_large', 'failed', 'warn', true],
    ]);
    expect(await flowstone.load(Report)).toBe('report of 1');
    tells = () => {
      throw new Error('cannot tell');
    };
    await (await flowstone.materialize(Total, { force: true })).wait();
    await until(async () => (await flowstone.checks.latest(Total)).some(({ status }) => status === 'errored'));
  });

  it('look at reported versions of what is computed elsewhere', async () => {
    await flowstone.reportVersion(Feed, { dataVersion: 'v1' });
    await until(async () => (await flowstone.checks.latest(Feed)).length > 0);
    expect(await flowstone.checks.latest(Feed)).toMatchObject([
      { check: 'is_fetched', status: 'passed', metadata: { given: 'fetched' } },
    ]);
  });

  it('look now, for whoever asks, and it is kept who did', async () => {
    await (await flowstone.materialize(Total)).wait();
    blocks = () => ({ passed: false, message: 'by now' });
    const results = await flowstone.checks.run(Total, { checks: ['is_right'], by: 'ann' });
    expect(results).toMatchObject([
      { check: 'is_right', status: 'failed', message: 'by now', onDemand: true, by: 'ann' },
    ]);
    expect((await flowstone.checks.latest(Total)).find(({ check }) => check === 'is_right')).toMatchObject({
      by: 'ann',
    });
    expect(await flowstone.load(Total)).toBe(1);
    await expect(flowstone.checks.run(Total, { checks: ['is_rigth'] })).rejects.toMatchObject({
      code: 'FLOWSTONE_CHECK_UNKNOWN',
      message: expect.stringContaining('did you mean "is_right"?'),
    });
    await expect(flowstone.checks.run(Report)).rejects.toMatchObject({ code: 'FLOWSTONE_CHECK_UNKNOWN' });
    await expect(flowstone.checks.run(Orders)).rejects.toMatchObject({ code: 'FLOWSTONE_VALUE_MISSING' });
    expect(flowstone.checks.declared(Total)).toEqual([
      { asset: 'total', name: 'is_right', description: undefined, blocking: true, severity: 'error' },
      { asset: 'total', name: 'not_large', description: 'not too large', blocking: false, severity: 'warn' },
    ]);
  });

  it('are what automation may wait for', async () => {
    await app.close();
    const inputs = { total: Total };
    @Asset({ automation: and(eager(), allUpstreams('fresh'), allUpstreams('checked')) })
    @DependsOn(inputs)
    class Careful {
      execute(_context: AssetContext, { total }: InputsOf<typeof inputs>): unknown {
        return total;
      }
    }
    @Injectable()
    class Strict {
      @Check(Total, { name: 'strict' })
      strict(context: CheckContext, given: unknown): CheckAnswer | Promise<CheckAnswer> {
        return tells(context, given);
      }
    }
    const options = { pollInterval: 50, ...storage.options };
    ({ app, flowstone } = await startApp([Total, Strict, Careful], options));
    tells = (_context, given) => given !== 2;
    await (await flowstone.materialize(Total)).wait();
    await until(async () => (await flowstone.status(Careful, '')).state === 'fresh');
    value = 2;
    await (await flowstone.materialize(Total, { force: true })).wait();
    await until(async () => (await flowstone.checks.latest(Total)).some(({ status }) => status === 'failed'));
    await flowstone.automation.look();
    const explained = await flowstone.automation.explain(Careful);
    expect(explained).toMatchObject({ decision: 'not_wanted', condition: { holds: false } });
    expect(JSON.stringify(explained.condition)).toContain('each upstream has passed its checks');
    expect(await flowstone.load(Careful)).toBe(1);
    value = 3;
    await (await flowstone.materialize(Total, { force: true })).wait();
    await until(async () => (await flowstone.status(Careful, '')).state === 'fresh');
    expect(await flowstone.load(Careful)).toBe(3);
  });

  it('stop with their attempt, and with the rows they were to look at', async () => {
    const begun = gate();
    rows = async function* () {
      try {
        yield { id: 1, total: 1, at: new Date(0) };
      } finally {
        closed = true;
      }
    };
    let signal: AbortSignal | undefined;
    blocks = (context) => {
      signal = context.signal;
      begun.open();
      return new Promise(() => undefined);
    };
    const run = await flowstone.materialize(Orders);
    await begun.opened;
    await run.cancel();
    await expect(run.wait()).rejects.toMatchObject({ code: 'FLOWSTONE_RUN_CANCELLED' });
    expect([signal!.aborted, closed]).toEqual([true, true]);
  });
});

describe('a check whose process ends before it has answered', () => {
  it('is run by the next one', async () => {
    storage = await testStorage('postgres');
    try {
      const begun = gate();
      blocks = () => true;
      value = 1;
      tells = () => {
        begun.open();
        return new Promise(() => undefined);
      };
      await start();
      await (await flowstone.materialize(Total)).wait();
      await begun.opened;
      await app.close();
      tells = () => false;
      await start();
      await until(async () => (await flowstone.checks.latest(Total)).length === 2);
      expect(await statusesOf(Total)).toEqual(['not_large failed', 'is_right passed']);
    } finally {
      await app.close();
      await storage.remove();
    }
  });
});

describe('mistakes in checks', () => {
  it('are reported at boot, all at once', async () => {
    class Nothing {}
    @Injectable()
    class Wrong {
      @Check(Nothing as never)
      ofNothing(): boolean {
        return true;
      }
      @Check(Total, { blocking: true, destination: true })
      both(): boolean {
        return true;
      }
      @Check(Total, { blocking: true, severity: 'warn' })
      warns(): boolean {
        return true;
      }
      @Check(Total, { severty: 'warn', timeout: 'soon' } as never)
      misspelt(): boolean {
        return true;
      }
      @Check(Total, { name: 'not_large', timeout: 0 })
      timeless(): boolean {
        return true;
      }
      @Check(Total, { name: 'not_large' })
      twin(): boolean {
        return true;
      }
      @Check(Feed, { blocking: true })
      elsewhere(): boolean {
        return true;
      }
    }
    const failed = await startApp([Total, Feed, Quality, Batched, Wrong], { storage: 'memory' }).catch(
      (error: Error) => error,
    );
    expect(failed).toMatchObject({ code: 'FLOWSTONE_DECLARATION_INVALID' });
    const { message } = failed as Error;
    for (const problem of [
      'its check of_nothing looks at no asset of this application',
      'its check both is blocking and looks at the destination',
      'its check warns is blocking and only warns',
      'its check misspelt has no option severty (did you mean "severity"?)',
      'its check not_large has a wrong timeout: it must be a duration of more than 0',
      'its check not_large has the name of another check of total',
      'its check elsewhere would block what is computed elsewhere',
    ])
      expect(message).toContain(problem);
  });
});
