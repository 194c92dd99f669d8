// What assets, hooks and callers do at the edges: odd errors, long timeouts, retired keys, failing schemes, closing.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { TestingModule } from '@nestjs/testing';
import {
  after,
  Asset,
  currentContext,
  DependsOn,
  FlowStoneError,
  Partitions,
  type AssetContext,
  type Failure,
  type FlowStoneOptions,
  type FlowStoneService,
  type InputsOf,
} from '../../lib/index.js';
import { FakeClock, startTestGraph } from '../../lib/testing/index.js';
import { gate, startApp } from './graph.js';
import { STORAGES, testStorage, type TestStorage } from './storages.js';

let act: (context: AssetContext) => unknown;
let begun: ReturnType<typeof gate<void>>;
let schemeFails = false;
let schemeHangs: Promise<void> | undefined;
let schemeCalls = 0;

@Asset()
class Source {
  execute(context: AssetContext): unknown {
    begun.open();
    return act(context);
  }
}
const sourceInputs = { source: Source };
@Asset()
@DependsOn(sourceInputs)
class Sink {
  execute(_context: AssetContext, { source }: InputsOf<typeof sourceInputs>): unknown {
    return { source };
  }
}
@Asset({ timeout: '60d' })
class Patient {
  execute({ signal }: AssetContext): boolean {
    return signal.aborted;
  }
}
@Asset({ timeout: 50, io: 'memory' })
class Blocking {
  execute(): number {
    const until = performance.now() + 100;
    while (performance.now() < until);
    return 1;
  }
}
@Asset()
class Silent {
  execute(): void {}
}
@Asset({ partitions: Partitions.dynamic('tenants') })
class Tenant {
  execute(context: AssetContext): unknown {
    begun.open();
    return act(context);
  }
}
const tenantInputs = { tenant: Tenant };
@Asset({ partitions: 'inherit' })
@DependsOn(tenantInputs)
class Invoice {
  execute(_context: AssetContext, { tenant }: InputsOf<typeof tenantInputs>): unknown {
    return { tenant };
  }
}
@Asset()
@DependsOn({ source: after(Source), silent: after(Silent) })
class Later {
  execute(): number {
    return 1;
  }
}
const asked = async (): Promise<string[]> => {
  schemeCalls++;
  await schemeHangs;
  if (schemeFails) throw new Error('the shop list cannot be reached');
  return ['north', 'south'];
};
@Asset({ partitions: Partitions.custom(asked, { name: 'shops' }) })
@DependsOn(sourceInputs)
class Shop {
  execute({ partition }: AssetContext): string {
    return partition.key;
  }
}

describe.each(STORAGES)('edges on %s', (kind) => {
  let storage: TestStorage;
  let app: TestingModule;
  let flowstone: FlowStoneService;
  let failures: Failure[];

  const start = async (options: FlowStoneOptions = {}): Promise<void> => {
    const onFailure = (failure: Failure): void => void failures.push(failure);
    const assets = [Source, Sink, Patient, Blocking, Silent, Tenant, Invoice, Shop, Later];
    ({ app, flowstone } = await startApp(assets, { ...storage.options, onFailure, ...options }));
  };
  const run = async (...request: Parameters<FlowStoneService['materialize']>) =>
    (await flowstone.materialize(...request)).wait({ timeout: '10s' });

  beforeEach(async () => {
    act = () => 1;
    begun = gate();
    schemeFails = false;
    schemeHangs = undefined;
    failures = [];
    storage = await testStorage(kind);
    await start();
  });
  afterEach(async () => {
    await app.close();
    await storage.remove();
  });

  it.each([
    ['undefined', undefined],
    ['an object without a text', Object.create(null)],
    [
      'an error whose context is no JSON',
      new FlowStoneError('FLOWSTONE_REQUEST_INVALID', 'no', { context: { n: 1n } }),
    ],
  ])('ends the run when %s is thrown', async (_name, thrown) => {
    act = () => {
      throw thrown;
    };
    await expect(run(Source)).rejects.toMatchObject({ code: 'FLOWSTONE_RUN_FAILED' });
    expect(failures).toHaveLength(1);
  });

  it('hears of a failure hook that rejects, and goes on', async () => {
    await app.close();
    await start({ onFailure: () => Promise.reject(new Error('the tracker is down')) as unknown as void });
    act = () => Promise.reject(new Error('no source'));
    await expect(run(Source)).rejects.toMatchObject({ code: 'FLOWSTONE_RUN_FAILED' });
    act = () => 2;
    expect(await run(Source)).toMatchObject({ status: 'success' });
  });

  it('writes one line per run and per failure, and shows every failure to the hook', async () => {
    const lines: string[] = [];
    const lastLine = gate();
    const write = (line: unknown): void => {
      lines.push(String(line));
      if (String(line).startsWith('Run 5 ended')) lastLine.open();
    };
    Logger.overrideLogger({ log: write, error: write, warn: write });
    const request = async (...args: Parameters<FlowStoneService['materialize']>): Promise<void> =>
      void (await run(...args).catch(() => undefined));
    await request(Source);
    await request(Source);
    await request(Sink, { upstream: 'none' });
    await flowstone.delete(Source);
    await request(Sink, { upstream: 'none', force: true });
    act = () => Promise.reject(new Error('no source'));
    await request(Source);
    await lastLine.opened;
    Logger.overrideLogger(false);
    const runLines = lines.filter((line) => /^Run \d+ ended/.test(line));
    expect(runLines.map((line) => line.split(' ').slice(0, 4).join(' ')).sort()).toEqual([
      'Run 1 ended success',
      'Run 2 ended success',
      'Run 3 ended success',
      'Run 4 ended failed',
      'Run 5 ended failed',
    ]);
    expect(failures.map(({ asset, run: id }) => [asset, id])).toEqual([
      ['sink', 4],
      ['source', 5],
    ]);
    expect(lines.filter((line) => /FLOWSTONE_\w+, run/.test(line))).toHaveLength(2);
  });

  it('awaits within its context what begins only when it is awaited, as queries do', async () => {
    act = ({ report, asset }) => ({
      // oxlint-disable-next-line unicorn/no-thenable -- what is tested
      then(resolve: (value: unknown) => void) {
        report({ metadata: { seen: currentContext()?.asset === asset } });
        resolve({ rows: 3 });
      },
    });
    await run(Source);
    expect(await flowstone.load(Source)).toEqual({ rows: 3 });
    const [newest] = (await flowstone.history(Source)).items;
    expect(newest!.metadata).toEqual({ seen: true });
  });

  it('takes timeouts of months', async () => {
    await run(Patient);
    expect(await flowstone.load(Patient)).toBe(false);
  });

  it('fails and tells an attempt that blocked the event loop past its deadline', async () => {
    await expect(run(Blocking)).rejects.toMatchObject({
      result: { failures: [{ error: { code: 'FLOWSTONE_EXECUTE_TIMEOUT' } }] },
    });
    expect(failures).toMatchObject([{ asset: 'blocking', retrying: false }]);
  });

  it('takes durations in words wherever one waits', async () => {
    const holding = gate();
    act = () => holding.opened.then(() => 1);
    const handle = await flowstone.materialize(Source);
    await expect(handle.wait({ timeout: '20ms' })).rejects.toMatchObject({ code: 'FLOWSTONE_RUN_WAIT_TIMEOUT' });
    await expect(flowstone.ensure(Source, { timeout: '20ms' })).rejects.toMatchObject({
      code: 'FLOWSTONE_ENSURE_TIMEOUT',
    });
    holding.open();
    await handle.wait();
    const head = await flowstone.ensure(Source, { maxAge: '1h' });
    expect(await head.load()).toBe(1);
  });

  it('answers plainly about ids and pages that cannot be', async () => {
    await run(Source);
    for (const id of [NaN, 1.5, -1, 1e30]) {
      await expect(flowstone.run(id).view()).rejects.toMatchObject({ code: 'FLOWSTONE_RUN_NOT_FOUND' });
      await expect(flowstone.load(Source, { version: id })).rejects.toMatchObject({ code: 'FLOWSTONE_VALUE_MISSING' });
      const page = flowstone.history(Source, { limit: id });
      await expect(page).rejects.toMatchObject({ code: 'FLOWSTONE_REQUEST_INVALID' });
    }
    await expect(flowstone.runs({}, { limit: 0 })).rejects.toMatchObject({ code: 'FLOWSTONE_REQUEST_INVALID' });
  });

  it('deletes the heads of assets that store nothing', async () => {
    await run(Silent);
    expect(await flowstone.delete(Silent)).toBe(1);
    expect(await flowstone.delete(Silent)).toBe(0);
    expect(await flowstone.status(Silent)).toMatchObject({ state: 'missing' });
  });

  it('never executes a partition without the inputs it declares', async () => {
    await flowstone.addPartitions('tenants', ['a']);
    const holding = gate();
    act = () => holding.opened.then(() => 1);
    const handle = await flowstone.materialize(Invoice, { partition: 'a' });
    await begun.opened;
    await flowstone.removePartitions('tenants', ['a']);
    holding.open();
    await expect(handle.wait()).rejects.toMatchObject({
      result: { failures: [{ asset: 'invoice', error: { code: 'FLOWSTONE_PARTITION_UNKNOWN' } }] },
    });
    await flowstone.addPartitions('tenants', ['a']);
    await (await flowstone.retry(handle.id)).wait();
    expect(await flowstone.load(Invoice, { partition: 'a' })).toEqual({ tenant: 1 });
  });

  it('executes nothing after what was deleted, though it was there a moment ago', async () => {
    const holding = gate();
    act = () => holding.opened.then(() => 1);
    const handle = await flowstone.materialize(Later);
    await begun.opened;
    await run(Silent);
    await flowstone.delete(Silent);
    holding.open();
    await expect(handle.wait()).rejects.toMatchObject({
      result: { failures: [{ asset: 'later', error: { code: 'FLOWSTONE_INPUT_MISSING' } }] },
    });
    await run(Later);
    expect(await flowstone.status(Silent)).toMatchObject({ state: 'fresh' });
  });

  it('keeps the value and the history of a retired partition within reach', async () => {
    await flowstone.addPartitions('tenants', ['a']);
    await run(Tenant, { partition: 'a' });
    await flowstone.removePartitions('tenants', ['a']);
    expect(await flowstone.load(Tenant, { partition: 'a' })).toBe(1);
    expect((await flowstone.history(Tenant, { partition: 'a' })).items).toHaveLength(1);
    const unknown = { code: 'FLOWSTONE_PARTITION_UNKNOWN' };
    await expect(flowstone.load(Tenant, { partition: 'b' })).rejects.toMatchObject(unknown);
    await expect(flowstone.delete(Tenant, { partitions: ['a', 'b'] })).rejects.toMatchObject(unknown);
    expect(await flowstone.delete(Tenant, { partition: 'a' })).toBe(1);
    await expect(flowstone.load(Tenant, { partition: 'a' })).rejects.toMatchObject({ code: 'FLOWSTONE_VALUE_MISSING' });
  });

  it('lets only those wait for a custom scheme that need it', async () => {
    schemeFails = true;
    expect(await run(Sink)).toMatchObject({ status: 'success' });
    await expect(run(Shop, { partition: 'north' })).rejects.toMatchObject({
      code: 'FLOWSTONE_PARTITION_SCHEME_FAILED',
    });
    schemeFails = false;
    expect(await run(Shop, { partition: 'north' })).toMatchObject({ status: 'success' });
  });

  it('fails what cannot be looked at any more once it is claimed', async () => {
    const holding = gate();
    act = () => holding.opened.then(() => 1);
    const handle = await flowstone.materialize(Shop, { partition: 'north' });
    await begun.opened;
    schemeFails = true;
    // A change of partitions has all schemes asked anew.
    await flowstone.addPartitions('tenants', ['a']);
    holding.open();
    await expect(handle.wait()).rejects.toMatchObject({
      result: { failures: [{ asset: 'shop', error: { code: 'FLOWSTONE_PARTITION_SCHEME_FAILED' } }] },
    });
    expect(failures).toMatchObject([{ asset: 'shop', partition: 'north' }]);
    schemeFails = false;
    expect(await (await flowstone.retry(handle.id)).wait()).toMatchObject({ status: 'success' });
  });

  it('heeds no progress of code that has ended', async () => {
    let ended: AssetContext | undefined;
    const go = gate();
    act = (context) => {
      ended = context;
      context.progress(1, 2);
      return go.opened;
    };
    const handle = await flowstone.materialize(Source);
    await begun.opened;
    const first = (await handle.progress().next()).value!;
    expect(first.executing).toMatchObject([{ done: 1, total: 2 }]);
    go.open();
    await handle.wait();
    ended!.progress(2, 2);
    expect((await handle.progress().next()).value!.executing).toEqual([]);
  });

  it('says that it closes, and works on, for the grace of a shutdown', async () => {
    await app.close();
    await start({ shutdownGrace: 300 });
    act = () => 1;
    expect(await flowstone.health()).toMatchObject({ closing: false });
    const closed = app.close();
    while (!(await flowstone.health()).closing) await new Promise(setImmediate);
    expect(await (await flowstone.materialize(Source)).wait()).toMatchObject({ status: 'success' });
    await closed;
    await expect(flowstone.health()).rejects.toMatchObject({ code: 'FLOWSTONE_NOT_STARTED' });
    await start();
  });

  it('begins work of others while the function of a custom scheme hangs', async () => {
    const holding = gate();
    act = () => holding.opened.then(() => 1);
    const shops = await flowstone.materialize(Shop, { partition: 'north' });
    const handle = await flowstone.materialize(Sink);
    await begun.opened;
    const hanging = gate();
    schemeHangs = hanging.opened;
    const calls = schemeCalls;
    await flowstone.addPartitions('tenants', ['a']);
    holding.open();
    // Released together, by the end of what both come after.
    expect(await handle.wait({ timeout: '10s' })).toMatchObject({ status: 'success' });
    expect(await flowstone.load(Sink)).toEqual({ source: 1 });
    expect((await flowstone.history(Shop)).items).toMatchObject([{ status: 'running' }]);
    expect(schemeCalls - calls).toBe(1);
    hanging.open();
    expect(await shops.wait({ timeout: '10s' })).toMatchObject({ status: 'success' });
  });

  it('tells those who wait that the application was closed', async () => {
    await app.close();
    await start({ drainDeadline: 50 });
    act = () => new Promise(() => undefined);
    const handle = await flowstone.materialize(Source);
    const waiting = handle.wait().catch((error: unknown) => error);
    await begun.opened;
    await app.close();
    expect(await waiting).toBeInstanceOf(FlowStoneError);
    act = () => 1;
    await start();
    if (kind === 'memory') return;
    expect(await flowstone.run(handle.id).wait()).toMatchObject({ status: 'success' });
    expect((await flowstone.history(Source)).items).toMatchObject([{ attempts: 1 }]);
  });
});

it('recomputes what is both stale and too old, though nothing above it changes', async () => {
  act = () => 1;
  begun = gate();
  const clock = new FakeClock('2024-01-01T00:00:00Z');
  await using graph = await startTestGraph({ providers: [Source, Sink], clock });
  const before = await graph.flowstone.ensure(Sink);
  clock.advance(120_000);
  await graph.flowstone.invalidate(Source);
  const ensured = await graph.flowstone.ensure(Sink, { maxAge: '1m' });
  expect(ensured.completedAt).toEqual(clock.now());
  expect(ensured.dataVersion).toBe(before.dataVersion);
});
