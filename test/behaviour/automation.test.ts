// Automation through the public door, on every storage: what it computes, when, why not, and what it does not repeat.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { TestingModule } from '@nestjs/testing';
import {
  allUpstreams,
  and,
  Asset,
  Checkpoint,
  DependsOn,
  eager,
  ExternalAsset,
  never,
  newest,
  not,
  olderThan,
  onCron,
  onMissing,
  Partitions,
  status,
  within,
  type AssetContext,
  type AutomationExplanation,
  type FlowStoneService,
  type InputsOf,
} from '../../lib/index.js';
import { gate, startApp } from './graph.js';
import { SAMPLED_STORAGES, testStorage, type TestStorage } from './storages.js';

let computed: string[] = [];
let broken = new Set<string>();
let held: { opened: Promise<void>; open(): void } | undefined;

/** Notes that it is computed; waits, or fails, where the test wants that. */
async function compute<T>({ asset, partition }: AssetContext, value: T): Promise<T> {
  computed.push(partition.key === '' ? asset : `${asset} ${partition.key}`);
  if (asset === 'held') await held?.opened;
  if (broken.has(asset)) throw new Error(`${asset} is broken`);
  return value;
}

@Asset({ external: true })
class Feed extends ExternalAsset<number> {}

/** Of what has no automation, what something needs is computed along with it. */
@Asset()
@DependsOn({ feed: Feed })
class Cleaned {
  execute(context: AssetContext): Promise<number> {
    return compute(context, 1);
  }
}

const inputs = { cleaned: Cleaned };
@Asset({ automation: eager() })
@DependsOn(inputs)
class Report {
  execute(context: AssetContext, { cleaned }: InputsOf<typeof inputs>): Promise<string> {
    return compute(context, `report of ${cleaned} ${computed.length}`);
  }
}

@Asset({ automation: eager() })
@DependsOn({ report: Report })
class Digest {
  execute(context: AssetContext): Promise<string> {
    return compute(context, 'digest');
  }
}

@Asset({ automation: never() })
@DependsOn({ feed: Feed })
class ByHand {
  execute(context: AssetContext): Promise<number> {
    return compute(context, computed.length);
  }
}

@Asset({ automation: eager() })
@DependsOn({ hand: ByHand })
class Below {
  execute(context: AssetContext): Promise<number> {
    return compute(context, 2);
  }
}

@Asset({ automation: eager() })
@DependsOn({ feed: Feed })
class Held {
  execute(context: AssetContext): Promise<number> {
    return compute(context, computed.length);
  }
}

@Asset({ automation: onMissing() })
@DependsOn({ feed: Feed })
class Once {
  execute(context: AssetContext): Promise<number> {
    return compute(context, 1);
  }
}

@Asset({ automation: and(not(status('fresh')), allUpstreams('fresh', 'cleaned')) })
@DependsOn({ cleaned: Cleaned })
class Guarded {
  execute(context: AssetContext): Promise<number> {
    return compute(context, 1);
  }
}

@Asset({ automation: olderThan('1h') })
class Polled {
  execute(context: AssetContext): Promise<number> {
    return compute(context, computed.length);
  }
}

@Asset({ automation: onCron('0 6 1 1 *') })
@DependsOn({ feed: Feed })
class Yearly {
  execute(context: AssetContext): Promise<number> {
    return compute(context, 1);
  }
}

const days = Partitions.daily({ start: '2001-01-01', end: '2001-01-05' });

@Asset({ partitions: days, automation: and(eager(), newest(2)) })
class Daily {
  execute(context: AssetContext): Promise<string> {
    return compute(context, context.partition.key);
  }
}

@Asset({ partitions: Partitions.monthly({ start: '2001-01-01', end: '2001-02-01' }), automation: eager() })
@DependsOn({ days: within(Daily) })
class Monthly {
  execute(context: AssetContext): Promise<number> {
    return compute(context, 1);
  }
}

@Checkpoint({ automation: eager() })
@DependsOn({ report: Report })
class Approved {
  condition(): boolean {
    return true;
  }
}

let storage: TestStorage;
let app: TestingModule | undefined;
let flowstone: FlowStoneService;

async function start(...assets: Parameters<typeof startApp>[0][number][]): Promise<void> {
  ({ app, flowstone } = await startApp(assets, { ...storage.options, concurrency: 4 }));
}

/** Until automation has nothing to request, and all it has requested is over or waits. */
async function settled(): Promise<string[]> {
  for (let runs = -1; ;) {
    expect(await flowstone.automation.look()).toBe(true);
    const { items } = await flowstone.runs({}, { limit: 200 });
    for (const { id } of items)
      await flowstone
        .run(id)
        .wait({ until: 'settled' })
        .catch(() => undefined);
    if (items.length === runs) break;
    runs = items.length;
  }
  return computed.splice(0);
}

const explain = (...args: Parameters<FlowStoneService['automation']['explain']>): Promise<AutomationExplanation> =>
  flowstone.automation.explain(...args);

describe.each(SAMPLED_STORAGES)('automation, on %s', (kind) => {
  beforeEach(async () => {
    storage = await testStorage(kind);
    computed = [];
    broken = new Set();
    held = undefined;
  });
  afterEach(async () => {
    await app?.close();
    app = undefined;
    await storage.remove();
  });

  it('computes what is missing or stale, with what it needs that has no automation of its own, in one run', async () => {
    await start(Feed, Cleaned, Report, Digest);
    expect(await settled()).toEqual(['cleaned', 'report', 'digest']);
    expect((await flowstone.runs()).items).toMatchObject([
      { requestedBy: 'automation', status: 'success', counts: { total: 3 } },
    ]);
    expect(await settled()).toEqual([]);

    await flowstone.reportVersion(Feed, { dataVersion: '2' });
    // Cleaned comes out as it was: nothing below it is computed.
    expect(await settled()).toEqual(['cleaned']);
    await flowstone.invalidate(Report);
    expect(await settled()).toEqual(['report', 'digest']);
    expect(await explain(Report)).toMatchObject({ state: 'fresh', decision: 'fresh' });
  });

  it('wakes by itself as soon as an upstream is committed', async () => {
    await start(Feed, ByHand, Below);
    expect(await settled()).toEqual([]);
    expect(await explain(Below)).toMatchObject({
      decision: 'upstream',
      message: 'it waits for upstream by_hand, which is missing: its condition does not hold',
    });
    await flowstone.materialize(ByHand).then((run) => run.wait());
    await until(() => computed.includes('below'));
    await settled();
    expect((await flowstone.history(Below)).items).toHaveLength(1);
  });

  it('sees a change that comes while it is computed', async () => {
    held = gate();
    await start(Feed, Held);
    void flowstone.automation.look();
    await until(() => computed.includes('held'));
    await flowstone.reportVersion(Feed, { dataVersion: '2' });
    await flowstone.automation.look();
    expect(await explain(Held)).toMatchObject({ decision: 'open', run: expect.any(Number) });
    held.open();
    expect(await settled()).toEqual(['held', 'held']);
    expect(await explain(Held)).toMatchObject({ state: 'fresh' });
  });

  it('does not request again what failed with the same inputs, until one changes or a person retries', async () => {
    broken.add('report');
    await start(Feed, Cleaned, Report, Digest);
    expect(await settled()).toEqual(['cleaned', 'report']);
    expect(await settled()).toEqual([]);
    const [run] = (await flowstone.runs()).items;
    expect(await explain(Report)).toMatchObject({
      decision: 'failed',
      message: `it failed with these inputs in run ${run!.id}`,
      run: run!.id,
    });
    expect(await explain(Digest)).toMatchObject({
      decision: 'upstream',
      message: expect.stringContaining('failed with these inputs'),
    });

    // By hand it fails once more, and is left alone again.
    await flowstone.materialize(Report).then((by) => by.wait().catch(() => undefined));
    expect(await settled()).toEqual(['report']);
    broken.clear();
    await flowstone.retry(run!.id).then((by) => by.wait());
    expect(await settled()).toEqual(['report', 'digest']);
  });

  it('does not request again what a person cancelled, nor what people rejected', async () => {
    held = gate();
    await start(Feed, Held);
    void flowstone.automation.look();
    await until(() => computed.includes('held'));
    const [run] = (await flowstone.runs()).items;
    await flowstone.cancel(run!.id, { by: 'ada' });
    held.open();
    await flowstone
      .run(run!.id)
      .wait()
      .catch(() => undefined);
    expect(await settled()).toEqual(['held']);
    expect(await explain(Held)).toMatchObject({ decision: 'cancelled' });
    await flowstone.reportVersion(Feed, { dataVersion: '2' });
    expect(await settled()).toEqual(['held']);
    await app!.close();

    await start(Feed, Cleaned, Report, Approved);
    expect(await settled()).toEqual(['cleaned', 'report']);
    expect(await explain(Approved)).toMatchObject({
      decision: 'open',
      message: expect.stringContaining('waits for a decision'),
    });
    const [approval] = (await flowstone.approvals.list()).items;
    await flowstone.approvals.reject(approval!.id, { by: 'ada', reason: 'no' });
    expect(await settled()).toEqual([]);
    expect(await explain(Approved)).toMatchObject({ decision: 'rejected' });
  });

  it('computes once what is to be computed once, and leaves alone what is never', async () => {
    await start(Feed, Once, ByHand);
    expect(await settled()).toEqual(['once']);
    await flowstone.reportVersion(Feed, { dataVersion: '2' });
    expect(await settled()).toEqual([]);
    expect(await explain(Once)).toMatchObject({ state: 'stale', decision: 'not_wanted' });
    expect(await explain(ByHand)).toMatchObject({
      state: 'missing',
      decision: 'not_wanted',
      condition: { message: 'never', holds: false },
    });
  });

  it('judges conditions over upstreams', async () => {
    await start(Feed, Cleaned, Guarded);
    expect(await settled()).toEqual([]);
    expect(await explain(Guarded)).toMatchObject({
      decision: 'not_wanted',
      condition: {
        holds: false,
        message: 'not (it is fresh) and each upstream of cleaned is fresh',
        parts: [{ holds: true }, { holds: false, message: 'each upstream of cleaned is fresh' }],
      },
    });
    await flowstone.materialize(Cleaned).then((run) => run.wait());
    await settled();
    expect(await explain(Guarded)).toMatchObject({ state: 'fresh' });
  });

  it('computes by age what is missing or old, and not what is young', async () => {
    await start(Polled);
    expect(await settled()).toEqual(['polled']);
    expect(await settled()).toEqual([]);
  });

  it('does not count ticks before it was declared as due', async () => {
    await start(Feed, Yearly);
    expect(await settled()).toEqual([]);
    expect(await explain(Yearly)).toMatchObject({ state: 'missing', decision: 'not_wanted' });
    const [listed] = await flowstone.automation.list();
    expect(listed).toMatchObject({
      asset: 'yearly',
      when: "a tick of '0 6 1 1 *' (UTC) is due and (it is missing or it is stale)",
      paused: null,
    });
    expect(listed!.nextTick!.toISOString()).toMatch(/-01-01T06:00:00.000Z$/);
  });

  it('computes the partitions that its condition names, and below them what has all it needs', async () => {
    await start(Daily, Monthly);
    expect(await settled()).toEqual(['daily 2001-01-03', 'daily 2001-01-04']);
    expect(await explain(Daily, { partition: '2001-01-01' })).toMatchObject({ decision: 'not_wanted' });
    expect(await explain(Monthly, { partition: '2001-01' })).toMatchObject({ decision: 'upstream' });
    await flowstone.materialize(Daily, { partitions: 'all' }).then((run) => run.wait());
    expect((await settled()).sort()).toEqual(['daily 2001-01-01', 'daily 2001-01-02', 'monthly 2001-01']);
  });

  it('requests nothing while a person has paused it, and what is due when it is resumed', async () => {
    await start(Feed, Cleaned, Report);
    expect(await flowstone.automation.pause(Report, { by: 'ada', reason: 'migration' })).toBe(true);
    expect(await flowstone.automation.pause(Report, { by: 'bob' })).toBe(false);
    await settled();
    await flowstone.delete(Report);
    computed = [];
    expect(await settled()).toEqual([]);
    expect(await explain(Report)).toMatchObject({ decision: 'paused' });
    expect(await flowstone.automation.list()).toMatchObject([{ paused: { by: 'ada', reason: 'migration' } }]);
    expect(await flowstone.automation.resume(Report, { by: 'ada' })).toBe(true);
    expect(await settled()).toEqual(expect.arrayContaining(['report']));
  });

  it('keeps what it decided', async () => {
    broken.add('report');
    await start(Feed, Cleaned, Report, Digest);
    await settled();
    const { items } = await flowstone.automation.decisions({ asset: Report });
    expect(items.at(-1)).toMatchObject({ run: expect.any(Number), detail: { counts: { requested: 1 } } });
    expect(items[0]).toMatchObject({
      run: null,
      detail: { counts: { failed: 1 }, partitions: [{ partition: '', kind: 'failed' }] },
    });
    await expect(flowstone.automation.decisions({ asset: Cleaned })).rejects.toMatchObject({
      code: 'FLOWSTONE_REQUEST_INVALID',
    });
  });
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
