// Resources through the public door: set up, looked at, torn down, and what of assets begins meanwhile.
import { afterEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import type { TestingModule } from '@nestjs/testing';
import {
  asResource,
  Asset,
  FlowStoneService,
  Partitions,
  Requires,
  Resource,
  type AssetContext,
  type FlowStoneOptions,
  type ResourceContext,
  type ResourceState,
} from '../../lib/index.js';
import { startTestGraph } from '../../lib/testing/index.js';
import { gate, startApp } from './graph.js';
import { testStorage } from './storages.js';

const QUICK = {
  retry: { delay: 5, max: 10 },
  healthEvery: 10,
  healthTimeout: 40,
  setupTimeout: 40,
  teardownTimeout: 60,
};
let acts: string[] = [];
let setUp: (context: ResourceContext) => unknown;
let check: (context: ResourceContext) => unknown;
let tearDown: () => unknown;

@Resource({ ...QUICK, name: 'geo', description: 'where places are' })
class Geo {
  where(): string {
    return 'here';
  }
  setup(context: ResourceContext): unknown {
    acts.push('set up');
    return setUp(context);
  }
  checkHealth(context: ResourceContext): unknown {
    return check(context);
  }
  teardown(): unknown {
    acts.push('tear down');
    return tearDown();
  }
}

const lentGeo = { geo: Geo };

@Asset()
@Requires(lentGeo)
class Places {
  execute(context: AssetContext<typeof lentGeo>): string {
    acts.push('compute');
    return context.resources.geo.where();
  }
}

let plainGoes: Promise<void>;

@Asset()
class Plain {
  async execute(): Promise<number> {
    await plainGoes;
    return 1;
  }
}

const apps: TestingModule[] = [];

async function start(
  options: FlowStoneOptions = { storage: 'memory' },
  providers: Parameters<typeof startApp>[0] = [Geo, Places, Plain],
): Promise<FlowStoneService> {
  const { app, flowstone } = await startApp(providers, options);
  apps.push(app);
  return flowstone;
}

const stateOf = async (flowstone: FlowStoneService, name = 'geo'): Promise<ResourceState | undefined> =>
  (await flowstone.resources()).find((each) => each.name === name)?.processes.find(({ here }) => here)?.state;

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise(setImmediate);
}

const becomes = (flowstone: FlowStoneService, state: ResourceState, name?: string): Promise<void> =>
  until(async () => (await stateOf(flowstone, name)) === state);

function reset(): void {
  acts = [];
  setUp = () => undefined;
  check = () => undefined;
  tearDown = () => undefined;
  plainGoes = Promise.resolve();
}
reset();

afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
  reset();
});

describe('a resource', () => {
  it('is set up before what requires it begins, and torn down after it has ended', async () => {
    const go = gate();
    setUp = () => go.opened;
    const flowstone = await start();
    const run = await flowstone.materialize(Places);
    expect(await (await flowstone.materialize(Plain)).wait()).toMatchObject({ status: 'success' });
    expect(acts).toEqual(['set up']);
    expect(await stateOf(flowstone)).toBe('setting_up');
    go.open();
    expect(await run.wait()).toMatchObject({ status: 'success' });
    expect(await flowstone.load(Places)).toBe('here');
    await apps.pop()!.close();
    expect(acts).toEqual(['set up', 'compute', 'tear down']);
  });

  it('holds what requires it while its setup fails, with the reason, and is set up again until it succeeds', async () => {
    let failures = 0;
    const go = gate();
    setUp = async () => {
      if (++failures <= 3) throw new Error(`no route ${failures}`);
      await go.opened;
    };
    const flowstone = await start();
    const run = await flowstone.materialize(Places);
    expect(await run.wait({ until: 'settled' })).toMatchObject({ status: 'waiting' });
    await until(async () => failures === 4);
    await until(async () => (await run.waits())[0]?.message.endsWith('no route 3') === true);
    const [wait] = await run.waits();
    expect(wait).toMatchObject({ kind: 'resource', asset: 'places', resource: 'geo' });
    expect(wait!.message).toMatch(
      /^resource geo, which is healthy on no worker that declares places since .*: its setup failed: no route 3$/,
    );
    expect(await (await flowstone.plan(Places, { force: true })).waits()).toMatchObject([{ kind: 'resource' }]);
    expect(await (await flowstone.materialize(Plain)).wait()).toMatchObject({ status: 'success' });
    go.open();
    expect(await run.wait()).toMatchObject({ status: 'success' });
    expect(acts.filter((act) => act === 'set up')).toHaveLength(4);
    const kinds = (await firstEvents(flowstone)).filter((kind) => kind.startsWith('resource.'));
    expect(kinds).toEqual(['resource.unhealthy', 'resource.healthy']);
  });

  it('is looked at from then on: what requires it begins only while it is healthy', async () => {
    const flowstone = await start();
    await becomes(flowstone, 'healthy');
    check = () => false;
    await becomes(flowstone, 'unhealthy');
    const run = await flowstone.materialize(Places);
    expect(await run.wait({ until: 'settled' })).toMatchObject({ status: 'waiting' });
    check = () => {
      throw new Error('timed out at the far end');
    };
    await until(async () =>
      (await flowstone.whyWaiting(await firstOf(flowstone, run.id)))!.message.includes('far end'),
    );
    check = () => true;
    expect(await run.wait()).toMatchObject({ status: 'success' });
    expect(acts).toEqual(['set up', 'compute']);
  });

  it('lets go on what runs when it becomes unhealthy, and begins nothing that was claimed ahead', async () => {
    const go = gate();
    const begun: string[] = [];
    const begins = gate();
    @Asset({ partitions: Partitions.static(['a', 'b', 'c']) })
    @Requires(lentGeo)
    class Tiles {
      async execute({ partition }: AssetContext): Promise<string> {
        begun.push(partition.key);
        begins.open();
        await go.opened;
        return partition.key;
      }
    }
    const flowstone = await start({ storage: 'memory', concurrency: 1 }, [Geo, Tiles]);
    await becomes(flowstone, 'healthy');
    const run = await flowstone.materialize(Tiles, { partitions: 'all' });
    await begins.opened;
    check = () => false;
    await becomes(flowstone, 'unhealthy');
    go.open();
    expect(await run.wait({ until: 'settled' })).toMatchObject({
      status: 'waiting',
      counts: { success: 1, pending: 2 },
    });
    expect(begun).toHaveLength(1);
    check = () => true;
    expect(await run.wait()).toMatchObject({ status: 'success' });
    expect(begun.sort()).toEqual(['a', 'b', 'c']);
  });

  it('stops neither the start nor the end of an application by calls that hang', async () => {
    let signal: AbortSignal | undefined;
    setUp = (context) => {
      signal = context.signal;
      return new Promise(() => undefined);
    };
    const flowstone = await start();
    await becomes(flowstone, 'unhealthy');
    expect(signal!.aborted).toBe(true);
    const [geo] = await flowstone.resources();
    expect(geo!.processes[0]!.message).toBe('its setup has not ended for 40 ms');
    await apps.pop()!.close();
    expect(acts).toEqual(['set up']);

    reset();
    tearDown = () => new Promise(() => undefined);
    const other = await start();
    await becomes(other, 'healthy');
    check = () => new Promise(() => undefined);
    await becomes(other, 'unhealthy');
    expect((await other.resources())[0]!.processes[0]!.message).toBe('its health check has not ended for 40 ms');
    await apps.pop()!.close();
    expect(acts).toEqual(['set up', 'tear down']);
  });

  it('is never set up twice at a time: what ends late has ended', async () => {
    const go = gate();
    setUp = () => go.opened;
    const flowstone = await start();
    await becomes(flowstone, 'unhealthy');
    go.open();
    await becomes(flowstone, 'healthy');
    expect(acts).toEqual(['set up']);
  });

  it('is torn down after what it was given to: setups follow constructors', async () => {
    const order: string[] = [];
    const go = gate();
    @Resource(QUICK)
    class Connection {
      async setup(): Promise<void> {
        await go.opened;
        order.push('connection up');
      }
      teardown(): void {
        order.push('connection down');
      }
    }
    @Resource(QUICK)
    class Client {
      constructor(readonly connection: Connection) {}
      setup(): void {
        order.push('client up');
      }
      teardown(): void {
        order.push('client down');
      }
    }
    const flowstone = await start({ storage: 'memory' }, [Client, Connection]);
    expect(await stateOf(flowstone, 'client')).toBe('setting_up');
    go.open();
    await becomes(flowstone, 'healthy', 'client');
    await apps.pop()!.close();
    expect(order).toEqual(['connection up', 'client up', 'client down', 'connection down']);
  });

  it('may be a provider without a decorator', async () => {
    @Injectable()
    class Warehouse {
      up = true;
    }
    const lent = { warehouse: Warehouse };
    @Asset()
    @Requires(lent)
    class Stock {
      execute(context: AssetContext<typeof lent>): boolean {
        return context.resources.warehouse.up;
      }
    }
    const warehouse = asResource(Warehouse, { ...QUICK, checkHealth: ({ up }) => up });
    const flowstone = await start({ storage: 'memory', resources: [warehouse] }, [Warehouse, Stock]);
    await (await flowstone.materialize(Stock)).wait();
    apps[0]!.get(Warehouse).up = false;
    await becomes(flowstone, 'unhealthy', 'warehouse');
    const run = await flowstone.materialize(Stock, { force: true });
    expect(await run.wait({ until: 'settled' })).toMatchObject({ status: 'waiting' });
    apps[0]!.get(Warehouse).up = true;
    expect(await run.wait()).toMatchObject({ status: 'success' });
  });

  it('is whatever a test puts in its place', async () => {
    setUp = () => {
      throw new Error('no test has a route');
    };
    await using graph = await startTestGraph({
      providers: [Geo, Places],
      overrides: [[Geo, { where: () => 'there' }]],
    });
    expect(await (await graph.flowstone.materialize(Places)).wait()).toMatchObject({ status: 'success' });
    expect(await graph.flowstone.load(Places)).toBe('there');
    expect((await graph.flowstone.resources()).map(({ name, assets }) => [name, assets])).toEqual([
      ['geo', ['places']],
    ]);
    expect(acts).toEqual(['compute']);
  });

  it('is shown in health', async () => {
    const flowstone = await start();
    await becomes(flowstone, 'healthy');
    expect(await flowstone.health()).toMatchObject({
      closing: false,
      database: { status: 'up' },
      workers: 1,
      resources: [
        { name: 'geo', description: 'where places are', state: 'healthy', message: null, assets: ['places'] },
      ],
    });
    await until(async () => (await flowstone.resources())[0]!.checkedAt !== null);
  });

  it('is asked by the function of a custom scheme only once it is known how it is', async () => {
    let failing = true;
    setUp = () => {
      if (failing) throw new Error('no route');
    };
    const lent = { geo: Geo };
    @Asset({
      partitions: Partitions.custom(({ resources: given }) => [(given['geo'] as Geo).where()], { name: 'spots' }),
    })
    @Requires(lent)
    class Spots {
      execute(): number {
        return 1;
      }
    }
    const flowstone = await start({ storage: 'memory' }, [Geo, Spots]);
    await expect(flowstone.partitions(Spots)).rejects.toMatchObject({
      code: 'FLOWSTONE_RESOURCE_UNHEALTHY',
      message: expect.stringContaining(
        'The custom scheme "spots" requires the resource \'geo\', which is not healthy: its setup failed: no route',
      ),
    });
    failing = false;
    await becomes(flowstone, 'healthy');
    expect(await (await flowstone.materialize(Spots, { partitions: 'all' })).wait()).toMatchObject({
      status: 'success',
    });
  });
});

describe('mistakes in resources', () => {
  it('are reported at boot, with all others', async () => {
    @Resource({ name: 'same', healthEvery: 'often' as '1s' })
    class Wrong {}
    @Resource({ name: 'geo' })
    class Twin {}
    @Resource({ setupTimout: '1s' } as object)
    class Misspelt {}
    @Injectable()
    class Absent {}
    const options = { storage: 'memory', resources: [asResource(Absent, {})] } as const;
    const error = await startApp([Geo, Wrong, Twin, Misspelt, Places], options).catch((thrown: Error) => thrown);
    expect(error).toMatchObject({ code: 'FLOWSTONE_DECLARATION_INVALID' });
    const { message } = error as Error;
    expect(message).toContain("healthEvery must be a duration: write '500ms'");
    expect(message).toContain("it has the name 'geo', as Geo does");
    expect(message).toContain('it has no option setupTimout (did you mean "setupTimeout"?)');
    expect(message).toContain('Absent: forRoot({ resources }) names it, and it is no provider');
  });

  it('are refused among the options', async () => {
    const wrong = (resources: unknown) => startApp([], { storage: 'memory', resources } as FlowStoneOptions);
    await expect(wrong({})).rejects.toMatchObject({ code: 'FLOWSTONE_OPTIONS_INVALID' });
    await expect(wrong([{ provide: Geo, setup: 1 }])).rejects.toThrow('setup is a function');
    await expect(wrong([{ provide: 'geo' }])).rejects.toThrow('provide is the class');
  });
});

describe('resources of several processes', () => {
  it('are each their own: another process takes what one cannot begin, and what none can waits', async () => {
    const storage = await testStorage('postgres');
    try {
      const healthy = new Map([
        ['one', true],
        ['two', false],
      ]);
      const computedBy: string[] = [];
      const makeApp = (name: string) => {
        @Resource({ ...QUICK, name: 'geo' })
        class Link {
          checkHealth = (): boolean => healthy.get(name)!;
        }
        const lent = { link: Link };
        @Asset({ name: 'places' })
        @Requires(lent)
        class Linked {
          execute(): number {
            computedBy.push(name);
            return computedBy.length;
          }
        }
        return start({ ...storage.options, pollInterval: 50, heartbeat: 100 }, [Link, Linked]);
      };
      const [one, two] = [await makeApp('one'), await makeApp('two')];
      await becomes(one, 'healthy');
      await becomes(two, 'unhealthy');
      for (let round = 0; round < 2; round++) await (await two.materialize('places', { force: true })).wait();
      expect(computedBy).toEqual(['one', 'one']);

      healthy.set('one', false);
      await becomes(one, 'unhealthy');
      const run = await two.materialize('places', { force: true });
      expect(await run.wait({ until: 'settled' })).toMatchObject({ status: 'waiting' });
      expect(await run.waits()).toMatchObject([{ kind: 'resource', resource: 'geo' }]);
      const [geo] = await two.resources();
      expect(geo!.processes.map(({ here, state, message }) => [here, state, message])).toEqual([
        [false, 'unhealthy', 'its health check says so'],
        [true, 'unhealthy', 'its health check says so'],
      ]);

      healthy.set('two', true);
      expect(await run.wait()).toMatchObject({ status: 'success' });
      expect(computedBy.at(-1)).toBe('two');
    } finally {
      for (const app of apps.splice(0)) await app.close();
      await storage.remove();
    }
  });
});

async function firstOf(flowstone: FlowStoneService, run: number): Promise<number> {
  return (await flowstone.materializations(run)).items[0]!.id;
}

async function firstEvents(flowstone: FlowStoneService): Promise<string[]> {
  const { ledger } = (
    flowstone as unknown as { source: { require(): { ledger: import('../../lib/ledger/ledger.port.js').Ledger } } }
  ).source.require();
  return (await ledger.events({}, { limit: 100 })).items.map(({ kind }) => kind).toReversed();
}
