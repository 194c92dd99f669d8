// Codes that no other test expects, raised as applications meet them.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Test, type TestingModule } from '@nestjs/testing';
import type { DataSource } from 'typeorm';
import {
  after,
  all,
  Asset,
  DependsOn,
  FLOWSTONE_DATA_SOURCE,
  FlowStoneModule,
  FlowStoneService,
  Partitions,
  type AssetContext,
  type Failure,
  type InputsOf,
  type IoManager,
} from '../../lib/index.js';
import { gate, startApp } from './graph.js';
import { DURABLE_STORAGES, testStorage } from './storages.js';

let held: Promise<void> | undefined;
let customCalls = 0;

@Asset()
class Slow {
  async execute(): Promise<string> {
    await held;
    return 'done';
  }
}
@Asset()
class Base {
  execute(): number {
    return 1;
  }
}
const aboveInputs = { base: Base, slow: after(Slow) };
@Asset()
@DependsOn(aboveInputs)
class Above {
  execute(_context: AssetContext, { base }: InputsOf<typeof aboveInputs>): number {
    return base;
  }
}
@Asset({ timeout: '20ms' })
class Endless {
  async execute({ signal }: AssetContext): Promise<void> {
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
  }
}
@Asset()
class Effect {
  execute(): void {}
}
const effectInputs = { effect: Effect };
@Asset()
@DependsOn(effectInputs)
class WantsEffect {
  execute(): number {
    return 1;
  }
}
@Asset({ partitions: Partitions.static(['a']) })
class Letters {
  execute(): string {
    return 'A';
  }
}
const letterInputs = { letters: all(Letters) };
@Asset()
@DependsOn(letterInputs)
class WantsB {
  execute(_context: AssetContext, { letters }: InputsOf<typeof letterInputs>): Promise<string> {
    return letters.get('b');
  }
}
@Asset()
class Nested {
  constructor(private readonly flowstone: FlowStoneService) {}
  async execute(): Promise<void> {
    await this.flowstone.ensure(Base);
  }
}
// Read once for the request and once for its plan: the first of every two calls works.
const tenants = Partitions.custom(
  () => {
    if (++customCalls === 2) throw new Error('the list of tenants is away');
    return ['t'];
  },
  { name: 'tenants' },
);
@Asset({ partitions: tenants })
class PerTenant {
  execute(): string {
    return 't';
  }
}
const ASSETS = [Slow, Base, Above, Endless, Effect, WantsEffect, Letters, WantsB, Nested];

describe('the service', () => {
  let app: TestingModule;
  let flowstone: FlowStoneService;

  beforeEach(async () => {
    held = undefined;
    ({ app, flowstone } = await startApp(ASSETS));
  });
  afterEach(() => app.close());

  const failureOf = (asset: Parameters<FlowStoneService['materialize']>[0]): Promise<unknown> =>
    flowstone.materialize(asset, { partitions: 'missing' }).then((run) => run.wait());
  const failedWith = (code: string): unknown =>
    expect.objectContaining({
      code: 'FLOWSTONE_RUN_FAILED',
      result: expect.objectContaining({
        failures: [expect.objectContaining({ error: expect.objectContaining({ code }) })],
      }),
    });

  it.each([
    ['FLOWSTONE_EXECUTE_TIMEOUT', Endless],
    ['FLOWSTONE_INPUT_WITHOUT_VALUE', WantsEffect],
    ['FLOWSTONE_INPUT_KEY_UNKNOWN', WantsB],
    ['FLOWSTONE_NESTED_MATERIALIZATION', Nested],
  ])('records %s with what failed', async (code, asset) => {
    await expect(failureOf(asset)).rejects.toEqual(failedWith(code));
  });

  it('fails what lost an input between plan and claim with FLOWSTONE_INPUT_MISSING', async () => {
    await (await flowstone.materialize(Base)).wait();
    const holding = gate();
    held = holding.opened;
    const run = await flowstone.materialize(Above);
    await flowstone.delete(Base);
    holding.open();
    await expect(run.wait()).rejects.toEqual(failedWith('FLOWSTONE_INPUT_MISSING'));
  });

  it('stops waiting in time, and the work goes on', async () => {
    const holding = gate();
    held = holding.opened;
    const run = await flowstone.materialize(Slow);
    await expect(run.wait({ timeout: 1 })).rejects.toMatchObject({ code: 'FLOWSTONE_RUN_WAIT_TIMEOUT' });
    await expect(flowstone.ensure(Slow, { timeout: 1 })).rejects.toMatchObject({ code: 'FLOWSTONE_ENSURE_TIMEOUT' });
    holding.open();
    expect(await run.wait()).toMatchObject({ status: 'success' });
  });

  it('says what is not there', async () => {
    await expect(flowstone.load(Base)).rejects.toMatchObject({ code: 'FLOWSTONE_VALUE_MISSING' });
    await expect(flowstone.run(12345).view()).rejects.toMatchObject({ code: 'FLOWSTONE_RUN_NOT_FOUND' });
  });

  it.each([
    ['both partition and partitions', () => flowstone.plan(Letters, { partition: 'a', partitions: 'all' })],
    ['both in a deletion', () => flowstone.delete(Letters, { partition: 'a', partitions: 'all' })],
    ['both in an invalidation', () => flowstone.invalidate(Letters, { partition: 'a', partitions: ['a'] })],
    ['a partition of what has none', () => flowstone.plan(Base, { partition: 'a' })],
    ['a version of what is computed here', () => flowstone.reportVersion(Base, { dataVersion: '1' })],
    ['keys of an unknown dynamic scheme', () => flowstone.addPartitions('tenants', ['t'])],
    ['a tag that no database can hold', () => flowstone.materialize(Base, { tags: { by: 'half \ud800' } })],
    ['a run key with NUL', () => flowstone.materialize(Base, { runKey: 'a\0b' })],
    ['a reason with NUL', () => flowstone.cancel(1, { reason: 'a\0b' })],
    ['a name with NUL', () => flowstone.invalidate(Base, { by: 'a\0b' })],
    ['a priority that is no number', () => flowstone.materialize(Base, { priority: Number.NaN })],
  ])('refuses %s with FLOWSTONE_REQUEST_INVALID', async (_what, ask) => {
    await expect(ask()).rejects.toMatchObject({ code: 'FLOWSTONE_REQUEST_INVALID' });
  });

  it('deletes nothing of an asset without partitions of which one is named', async () => {
    await (await flowstone.materialize(Base)).wait();
    await expect(flowstone.delete(Base, { partition: 'a' })).rejects.toMatchObject({ family: 'request' });
    expect(await flowstone.load(Base)).toBe(1);
  });

  const wrong = (options: object): never => options as never;
  it.each<[string, (run: number) => Promise<unknown>]>([
    [
      'materialize() has no option forse (did you mean "force"?)',
      () => flowstone.materialize(Base, wrong({ forse: 1 })),
    ],
    [
      'plan() has no option upstreams (did you mean "upstream"?)',
      () => flowstone.plan(Base, wrong({ upstreams: 'all' })),
    ],
    ['plan() has no option manager', () => flowstone.plan(Base, wrong({ manager: {} }))],
    ['ensure() has no option maxage (did you mean "maxAge"?)', () => flowstone.ensure(Base, wrong({ maxage: '1s' }))],
    ['load() has no option verson (did you mean "version"?)', () => flowstone.load(Base, wrong({ verson: 1 }))],
    ['wait() has no option timout (did you mean "timeout"?)', (run) => flowstone.run(run).wait(wrong({ timout: 1 }))],
    ['runs() has no option stauts', () => flowstone.runs(wrong({ stauts: ['failed'] }))],
    ['A page has no option befor', () => flowstone.runs({}, wrong({ limit: 1, befor: 2 }))],
    ['A page has no option after', (run) => flowstone.materializations(run, wrong({ limit: 1, after: 2 }))],
    ['history() has no option partitions', () => flowstone.history(Base, wrong({ partitions: ['a'] }))],
    ['retry() has no option by', (run) => flowstone.retry(run, wrong({ by: 'ann' }))],
    ['cancel() has no option why: it has by, reason.', (run) => flowstone.cancel(run, wrong({ why: 'x' }))],
    ['invalidate() has no option partiton', () => flowstone.invalidate(Letters, wrong({ partiton: 'a' }))],
    ['delete() has no option resaon', () => flowstone.delete(Letters, wrong({ partitions: 'all', resaon: 'x' }))],
    [
      'reportVersion() has no option reson',
      () => flowstone.reportVersion(Base, { dataVersion: '1' }, wrong({ reson: 1 })),
    ],
    ['The version of reportVersion() has no option key', () => flowstone.reportVersion(Base, wrong({ key: 'a' }))],
    ['dataVersion of The version of reportVersion() must be', () => flowstone.reportVersion(Base, wrong({}))],
    ['addPartitions() has no option from', () => flowstone.addPartitions('tenants', ['a'], wrong({ from: 1 }))],
    ['removePartitions() has no option from', () => flowstone.removePartitions('tenants', ['a'], wrong({ from: 1 }))],
    [
      "upstream of materialize() must be 'stale', 'all' or 'none', not 'some'",
      () => flowstone.materialize(Base, wrong({ upstream: 'some' })),
    ],
    ['failFast of materialize() must be true or false', () => flowstone.materialize(Base, wrong({ failFast: 'no' }))],
    ['partitions of plan() must be', () => flowstone.plan(Letters, wrong({ partitions: 'al' }))],
    ['partitions of plan() must be', () => flowstone.plan(Letters, wrong({ partitions: { from: 'a', till: 'b' } }))],
    ["stale of ensure() must be 'ok', not true", () => flowstone.ensure(Base, wrong({ stale: true }))],
    ["until of wait() must be 'ended' or 'settled'", (run) => flowstone.run(run).wait(wrong({ until: 'setled' }))],
    ['status of runs() must be', () => flowstone.runs(wrong({ status: ['sucess'] }))],
    ["partitions of delete() must be a list or 'all'", () => flowstone.delete(Letters, wrong({ partitions: 'al' }))],
    ['load() takes its options as an object', () => flowstone.load(Base, '2001-01-01' as never)],
  ])('says of a wrong option: %s', async (message, ask) => {
    const run = await flowstone.materialize(Letters, { partitions: 'all' });
    await run.wait();
    await expect(ask(run.id)).rejects.toMatchObject({
      code: 'FLOWSTONE_REQUEST_INVALID',
      message: expect.stringContaining(message),
    });
    expect((await flowstone.runs()).items).toHaveLength(1);
    expect(await flowstone.status(Letters)).toMatchObject({ fresh: 1 });
  });
});

it('fails a run whose partitions cannot be computed with FLOWSTONE_PARTITION_SCHEME_FAILED', async () => {
  customCalls = 0;
  const { app, flowstone } = await startApp([PerTenant]);
  const run = await flowstone.materialize(PerTenant, { partitions: 'all' });
  await expect(run.wait()).rejects.toMatchObject({ result: { error: { code: 'FLOWSTONE_PARTITION_SCHEME_FAILED' } } });
  await app.close();
});

it('fails a run whose plan stumbles over a broken I/O manager with FLOWSTONE_PLANNING_FAILED', async () => {
  let broken = false;
  const odd: IoManager = {
    versions: 'kept',
    store: async () => ({ location: 1, size: 1, hash: 'x', rows: null }),
    load: async () => 1,
    delete: async () => undefined,
    lost() {
      if (broken) throw new Error('no idea');
      return undefined;
    },
  };
  const { app, flowstone } = await startApp([Letters], { storage: 'memory', managers: { odd }, io: 'odd' });
  await (await flowstone.materialize(Letters, { partitions: 'all' })).wait();
  broken = true;
  const run = await flowstone.materialize(Letters, { partitions: 'all' });
  await expect(run.wait()).rejects.toMatchObject({ result: { error: { code: 'FLOWSTONE_PLANNING_FAILED' } } });
  await app.close();
});

it('refuses to work before the application is initialised with FLOWSTONE_NOT_STARTED', async () => {
  const app = await Test.createTestingModule({ imports: [FlowStoneModule.forRoot({ storage: 'memory' })] }).compile();
  await expect(app.get(FlowStoneService).runs()).rejects.toMatchObject({ code: 'FLOWSTONE_NOT_STARTED' });
  await app.close();
});

it('refuses to wait for a run whose transaction is open with FLOWSTONE_RUN_NOT_COMMITTED', async () => {
  const storage = await testStorage('postgres');
  const { app, flowstone } = await startApp([Base], storage.options);
  const run = await app.get<DataSource>(FLOWSTONE_DATA_SOURCE).transaction(async (manager) => {
    const requested = await flowstone.materialize(Base, { manager });
    await expect(requested.wait()).rejects.toMatchObject({ code: 'FLOWSTONE_RUN_NOT_COMMITTED' });
    return requested;
  });
  expect(await run.wait()).toMatchObject({ status: 'success' });
  await app.close();
  await storage.remove();
});

it('tells who ensures that only a worker is missing with FLOWSTONE_WAITING_APPROVAL', async () => {
  const storage = await testStorage('postgres');
  const holding = gate();
  held = holding.opened;
  const quick = { ...storage.options, heartbeat: 50, lease: 15_000, cancelGrace: 0, drainDeadline: 0 };
  const worker = await startApp([Slow], quick);
  await worker.flowstone.materialize(Slow);
  const asker = await startApp([Slow], { ...quick, role: 'api' });
  const asked = asker.flowstone.ensure(Slow).catch((error: unknown) => error);
  const isPlanned = async () => (await worker.flowstone.runs({ status: ['running'] })).items.length === 2;
  while (!(await isPlanned())) await new Promise(setImmediate);
  await worker.app.close();
  expect(await asked).toMatchObject({ code: 'FLOWSTONE_WAITING_APPROVAL' });
  holding.open();
  await asker.app.close();
  await storage.remove();
});

it.each(DURABLE_STORAGES)('tells of an outcome that %s refuses with FLOWSTONE_LEDGER_OUTCOME_REFUSED', async (kind) => {
  const storage = await testStorage(kind);
  const halves: IoManager = {
    versions: 'kept',
    store: async () => ({ location: 'somewhere', size: 1.5, hash: null, rows: null }),
    load: async () => undefined,
    delete: async () => undefined,
  };
  const failures: Failure[] = [];
  const onFailure = (failure: Failure): void => void failures.push(failure);
  const options = { ...storage.options, managers: { halves }, io: 'halves', onFailure };
  const { app, flowstone } = await startApp([Letters], options);
  const run = await flowstone.materialize(Letters, { partition: 'a' });
  await expect(run.wait()).rejects.toMatchObject({ code: 'FLOWSTONE_RUN_FAILED' });
  const error = { code: 'FLOWSTONE_LEDGER_OUTCOME_REFUSED', message: expect.stringContaining('1.5') };
  expect(failures).toMatchObject([
    { run: run.id, asset: 'letters', partition: 'a', attempt: 1, retrying: false, error },
  ]);
  await app.close();
  await storage.remove();
});
