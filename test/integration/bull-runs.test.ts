// Runs over PostgreSQL and Redis by several applications: news gets everywhere, pauses hold, and whatever Redis does, runs
// end right.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import { Asset, type FlowStoneOptions, type RedisQueue } from '../../lib/index.js';
import { gate, startApp } from '../behaviour/graph.js';
import { startPrivateRedis } from '../services/server.mjs';
import { freshDatabase, redisUrl, type FreshDatabase } from '../services/services.js';
import { executions, Heavy, log, Parts, startBullApp, Total } from './bull-app.js';
import { startOnBull, type BullApp } from './start-on-bull.js';

/** So rarely that nothing is found by polling: what happens is due to rings. */
const NEVER = '1h';
/** The sum of twice 0 to 59. */
const TOTAL = 3540;

let database: FreshDatabase;
let options: Omit<FlowStoneOptions, 'queue'> & { readonly queue: RedisQueue };
let apps: BullApp[];

beforeEach(async () => {
  executions.begun.length = 0;
  log.length = 0;
  executions.hold = async () => undefined;
  database = await freshDatabase();
  apps = [];
  options = {
    storage: { url: database.url },
    directory: await mkdtemp(join(tmpdir(), 'flowstone-')),
    queue: { redis: await redisUrl(), prefix: `test-${randomBytes(6).toString('hex')}` },
    concurrency: 4,
  };
});

afterEach(async () => {
  await Promise.all(apps.map(({ app }) => app.close()));
  await database.drop();
  await rm(options.directory!, { recursive: true, force: true });
});

async function start(who: string, more: FlowStoneOptions = {}): Promise<BullApp> {
  const started = await startBullApp(who, { ...options, ...more });
  apps.push(started);
  return started;
}

/** Resolves once both processes know that the pool is paused, or that it is not. */
async function known(pool: string, paused: boolean): Promise<void> {
  for (const { flowstone } of apps) {
    while ((await flowstone.health()).queue.pools[pool]?.paused !== paused) await new Promise(setImmediate);
  }
}

@Asset()
class Elsewhere {
  execute(): number {
    return 1;
  }
}

describe('work', () => {
  it('that one process requests is done by all that work, on the news alone', async () => {
    await start('one', { role: 'worker', pollInterval: NEVER });
    await start('two', { role: 'worker', pollInterval: NEVER });
    const { flowstone } = await start('asker', { role: 'api', pollInterval: NEVER });
    const both = gate();
    executions.hold = async () => {
      if (new Set(executions.begun.map(({ who }) => who)).size === 2) both.open();
      await both.opened;
    };
    const run = await flowstone.materialize(Parts, { partitions: 'all' });
    await both.opened;
    await run.wait();
    expect(executions.begun).toHaveLength(60);
    expect(executions.repeated).toEqual([]);
    expect(new Set(executions.begun.map(({ who }) => who))).toEqual(new Set(['one', 'two']));
  });

  it('of an idle application begins soon after the request, through the queue', async () => {
    const { flowstone } = await start('worker', { role: 'worker', pollInterval: NEVER });
    const asker = await start('asker', { role: 'api', pollInterval: NEVER });
    await (await asker.flowstone.materialize(Total)).wait();
    expect(await flowstone.load(Total)).toBe(TOTAL);
    expect(await asker.flowstone.load(Total)).toBe(TOTAL);
  });

  it('that ended elsewhere is told at once to who waits for it', async () => {
    await start('worker', { role: 'worker', pollInterval: NEVER });
    const { flowstone } = await start('asker', { role: 'api', pollInterval: NEVER });
    const waits: number[] = [];
    for (let request = 1; request <= 8; request++) {
      const holding = gate();
      executions.hold = () => holding.opened;
      const run = await flowstone.materialize(Parts, { partition: `p${request}` });
      const waiting = run.wait();
      await executions.atLeast(request);
      const opened = performance.now();
      holding.open();
      await waiting;
      waits.push(performance.now() - opened);
    }
    // Asking twice a second, it would wait for more than 400 ms each time. A busy machine may hold up some, not most.
    expect(waits.toSorted((a, b) => a - b)[3]).toBeLessThan(350);
  });

  it('that a busy worker hears of is begun by an idle one, on the news alone', async () => {
    const held = gate();
    executions.hold = ({ who }) => (who === 'idle' ? Promise.resolve() : held.opened);
    const more = { role: 'worker', pollInterval: NEVER, concurrency: 1 } as const;
    const { flowstone } = await start('one', more);
    await start('two', more);
    const heavy = await flowstone.materialize(Heavy, { partitions: 'all' });
    const counts = async () => (await heavy.view()).counts;
    // Each executes one and has two or three ahead.
    while ((await counts()).running < 6) await new Promise(setImmediate);
    await start('idle', more);
    while ((await counts()).success + (await counts()).running < 60) await new Promise(setImmediate);
    const parts = () => executions.begun.filter(({ asset }) => asset === 'parts');
    // News goes to whoever has waited longest for it: to each of them sooner or later.
    for (let request = 1; request <= 4; request++) {
      await flowstone.materialize(Parts, { partition: `p${request}` });
      // What the idle one had claimed of the others may begin between.
      while (parts().length < request) await executions.atLeast(executions.begun.length + 1);
    }
    expect(parts().map(({ who }) => who)).toEqual(Array.from({ length: 4 }, () => 'idle'));
    held.open();
  });

  it('that one worker of the pool hears of and cannot do is begun by another, on the news alone', async () => {
    apps.push(await startOnBull([Elsewhere], [], { ...options, pollInterval: NEVER }));
    await start('able', { role: 'worker', pollInterval: NEVER });
    const { flowstone } = await start('asker', { role: 'api', pollInterval: NEVER });
    for (let request = 1; request <= 4; request++) {
      await (await flowstone.materialize(Parts, { partition: `p${request}` })).wait();
      // One that is to be planned.
      await (await flowstone.materialize(Heavy, { partitions: 'missing' })).wait();
    }
    expect(executions.repeated).toEqual([]);
  });

  it('is news for those who work in its pool, and for no other pool', async () => {
    const { flowstone, bull } = await start('asker', { role: 'api', pollInterval: NEVER });
    await flowstone.materialize(Heavy, { partitions: ['p1'] });
    while ((await bull('heavy').getWaitingCount()) === 0) await new Promise(setImmediate);
    expect(await bull('default').getWaitingCount()).toBe(0);
  });

  it('that a closing process hands back is done by another, on the news alone', async () => {
    const one = await start('one', { pollInterval: NEVER, concurrency: 1 });
    const held = gate();
    executions.hold = ({ who }) => (who === 'one' ? held.opened : Promise.resolve());
    const run = await one.flowstone.materialize(Heavy, { partitions: ['p1', 'p2'] });
    await executions.atLeast(1);
    const { flowstone } = await start('two', { pollInterval: NEVER });
    while ((await run.view()).counts.running < 2) await new Promise(setImmediate);
    const closed = apps.shift()!.app.close();
    await executions.atLeast(2);
    expect(executions.begun.map(({ who }) => who)).toEqual(['one', 'two']);
    held.open();
    await closed;
    expect(await flowstone.run(run.id).wait()).toMatchObject({ status: 'success' });
  });

  it('that a lost process held is done by another, on the news alone, though one of other assets finds the loss', async () => {
    const held = gate();
    executions.hold = ({ who }) => (who === 'lost' ? held.opened : Promise.resolve());
    const worker = { pollInterval: NEVER, sweep: 3_600_000 } as const;
    const { flowstone, bull } = await start('lost', {
      ...worker,
      concurrency: 1,
      lease: 7_200_000,
      heartbeat: 3_600_000,
    });
    const run = await flowstone.materialize(Heavy, { partition: 'p1' });
    await executions.atLeast(1);
    // As one that is dead, it hears of nothing.
    await bull('heavy').pause(true, true);
    await start('other', worker);
    apps.push(
      await startOnBull([Elsewhere], [], {
        ...options,
        pollInterval: NEVER,
        lease: 15_000,
        heartbeat: 200,
        sweep: 100,
      }),
    );
    const ledger = await new DataSource({ type: 'postgres', url: database.url }).initialize();
    await ledger.query(
      `UPDATE flowstone.processes SET lease = 1000, lease_until = now() - interval '1 second' WHERE lease > 3600000`,
    );
    await ledger.destroy();
    expect(await run.wait()).toMatchObject({ status: 'success' });
    expect(executions.begun.map(({ who }) => who)).toEqual(['lost', 'other']);
    held.open();
  });

  it('of a definition that counts again is begun on the news alone', async () => {
    const held = gate();
    const begun: string[] = [];
    const versioned = (codeVersion: string, hold: Promise<unknown>) => {
      @Asset({ name: 'versioned', codeVersion })
      class Versioned {
        async execute(): Promise<number> {
          begun.push(codeVersion);
          await hold;
          return 1;
        }
      }
      return Versioned;
    };
    const more: FlowStoneOptions = { ...options, pollInterval: NEVER, heartbeat: 200 };
    const old = await startOnBull([versioned('old', Promise.resolve())], [], more);
    apps.push(old);
    const Newer = versioned('new', held.opened);
    const newer = await startOnBull([Newer], [], { ...more, drainDeadline: 1 });
    const run = await newer.flowstone.materialize(Newer);
    while (begun.length === 0) await new Promise(setImmediate);
    await newer.app.close();
    expect(await old.flowstone.run(run.id).wait()).toMatchObject({ status: 'success' });
    expect(begun).toEqual(['new', 'old']);
    held.open();
  });

  it('is a job of its pool that lasts as long as the process works for it', async () => {
    const { flowstone, bull } = await start('one', { pollInterval: NEVER, concurrency: 1 });
    const held = gate();
    executions.hold = () => held.opened;
    const run = await flowstone.materialize(Heavy, { partitions: ['p1', 'p2'] });
    await executions.atLeast(1);
    while ((await bull('heavy').getActiveCount()) === 0) await new Promise(setImmediate);
    const [job] = await bull('heavy').getActive();
    expect(job).toMatchObject({ name: 'ring', opts: { attempts: 1, removeOnComplete: true, removeOnFail: true } });
    expect(String(job!.id)).toMatch(/^ring-/);
    held.open();
    await run.wait();
    while ((await bull('heavy').getActiveCount()) > 0) await new Promise(setImmediate);
    expect(await bull('heavy').getJobCounts()).toMatchObject({ waiting: 0, completed: 0, failed: 0 });
  });
});

describe('a paused queue', () => {
  it('lets end what runs, begins nothing of its pool in any process, and goes on when it is resumed', async () => {
    const { flowstone, bull } = await start('one', { pollInterval: 50, concurrency: 1 });
    await start('two', { pollInterval: 50, concurrency: 1 });
    const held = gate();
    executions.hold = ({ asset }) => (asset === 'heavy' ? held.opened : Promise.resolve());
    const heavy = await flowstone.materialize(Heavy, { partitions: ['p1', 'p2', 'p3', 'p4', 'p5'] });
    await executions.atLeast(2);
    await bull('heavy').pause();
    await known('heavy', true);
    held.open();
    // The other pool goes on meanwhile, over several polls.
    await (await flowstone.materialize(Total)).wait();
    expect(executions.begun.filter(({ asset }) => asset === 'heavy')).toHaveLength(2);
    expect(await heavy.view()).toMatchObject({ status: 'running', counts: { success: 2, pending: 3 } });
    await bull('heavy').resume();
    expect(await heavy.wait()).toMatchObject({ status: 'success' });
    expect(executions.repeated).toEqual([]);
  });

  it('in one process alone holds its pool there alone', async () => {
    const one = await start('one', { pollInterval: 50 });
    await one.bull('heavy').pause(true, true);
    while (!(await one.flowstone.health()).queue.pools['heavy']?.paused) await new Promise(setImmediate);
    const run = await one.flowstone.materialize(Heavy, { partitions: ['p1', 'p2', 'p3'] });
    // Over several polls.
    await (await one.flowstone.materialize(Total)).wait();
    expect(await run.view()).toMatchObject({ counts: { success: 0, pending: 3 } });
    await start('two', { pollInterval: 50 });
    await run.wait();
    expect(executions.begun.filter(({ asset }) => asset === 'heavy').map(({ who }) => who)).toEqual([
      'two',
      'two',
      'two',
    ]);
    await one.bull('heavy').resume(true);
    while ((await one.flowstone.health()).queue.pools['heavy']?.paused) await new Promise(setImmediate);
  });

  it('is known to be paused by a process that starts later', async () => {
    const { bull } = await start('one', { pollInterval: 50 });
    await bull('heavy').pause();
    const { flowstone } = await start('two', { pollInterval: 50 });
    await known('heavy', true);
    const heavy = await flowstone.materialize(Heavy, { partitions: ['p1'] });
    await (await flowstone.materialize(Total)).wait();
    expect(await heavy.view()).toMatchObject({ counts: { pending: 1 } });
    await bull('heavy').resume();
    await heavy.wait();
  });
});

describe('namespaces', () => {
  it('in one Redis and one database do not meet', async () => {
    const { flowstone, bull } = await start('one', { namespace: 'red', pollInterval: 50 });
    const other = await start('two', { namespace: 'blue', pollInterval: 50 });
    expect([bull('heavy').name, other.bull('heavy').name]).toEqual(['flowstone.red.heavy', 'flowstone.blue.heavy']);
    await bull('heavy').pause();
    const ofRed = await flowstone.materialize(Heavy, { partitions: ['p1'] });
    const ofBlue = await other.flowstone.materialize(Heavy, { partitions: ['p1'] });
    await ofBlue.wait();
    expect(executions.begun.map(({ who }) => who)).toEqual(['two']);
    await bull('heavy').resume();
    await ofRed.wait();
    expect(executions.begun.map(({ who }) => who)).toEqual(['two', 'one']);
  });
});

describe('Redis', () => {
  const FAULTS = {
    'is flushed': async ({ flush }: Faults) => flush(),
    'is killed and comes back empty at once': async ({ down, up }: Faults) => {
      await down('SIGKILL');
      await up();
    },
    'is away for most of the run': async ({ down, up }: Faults) => {
      await down('SIGKILL');
      await executions.atLeast(100);
      await up();
    },
    'is killed and never comes back': async ({ down }: Faults) => down('SIGKILL'),
  };
  interface Faults {
    flush(): Promise<unknown>;
    down(signal: NodeJS.Signals): Promise<void>;
    up(): Promise<void>;
  }

  it.each(Object.entries(FAULTS))('%s: the run ends right all the same', async (_what, fault) => {
    const redis = await startPrivateRedis();
    try {
      options = { ...options, queue: { ...options.queue, redis: redis.url } };
      const more = { pollInterval: 50, concurrency: 2 };
      const { flowstone, bull } = await start('one', more);
      await start('two', more);
      const going = gate();
      executions.hold = () => going.opened;
      const run = await flowstone.materialize(Total);
      await executions.atLeast(4);
      const faulty = fault({ flush: () => bull('default').client.flushall(), down: redis.down, up: redis.up });
      going.open();
      await faulty;
      expect(await run.wait()).toMatchObject({ status: 'success' });
      expect(await flowstone.load(Total)).toBe(TOTAL);
      expect(executions.repeated).toEqual([]);
    } finally {
      await Promise.all(apps.splice(0).map(({ app }) => app.close()));
      await redis.stop();
    }
  });

  it('that comes back carries news again', async () => {
    const redis = await startPrivateRedis();
    try {
      options = { ...options, queue: { ...options.queue, redis: redis.url } };
      await start('worker', { role: 'worker', pollInterval: NEVER });
      const { flowstone } = await start('asker', { role: 'api', pollInterval: NEVER });
      await redis.down('SIGKILL');
      while ((await flowstone.health()).queue.status === 'up') await new Promise(setImmediate);
      // Rung while nobody hears, found when both are connected again.
      const run = await flowstone.materialize(Total);
      await redis.up();
      expect(await run.wait()).toMatchObject({ status: 'success' });
      expect(log.filter((line) => line.startsWith('Redis cannot be reached'))).toHaveLength(apps.length);
      expect(log.filter((line) => line === 'Redis is back.')).toHaveLength(apps.length);
      while ((await flowstone.health()).queue.status !== 'up') await new Promise(setImmediate);
      expect((await flowstone.health()).queue).toMatchObject({ problems: [], maxmemoryPolicy: 'noeviction' });
    } finally {
      await Promise.all(apps.splice(0).map(({ app }) => app.close()));
      await redis.stop();
    }
  });

  it('that cannot be reached at boot is named, and work is found by polling', async () => {
    const away = { ...options.queue, redis: 'redis://127.0.0.1:1' };
    const { flowstone } = await start('one', { queue: away, pollInterval: 50 });
    expect(log.filter((line) => line.startsWith('Redis cannot be reached'))).toHaveLength(1);
    expect(await (await flowstone.materialize(Total)).wait()).toMatchObject({ status: 'success' });
    expect((await flowstone.health()).queue).toMatchObject({
      transport: 'bull',
      status: 'degraded',
      problems: [expect.stringContaining('Redis cannot be reached')],
    });
  });

  it('that may evict what the queues hold is named at boot and in health', async () => {
    const redis = await startPrivateRedis();
    try {
      const first = await start('one', { queue: { ...options.queue, redis: redis.url } });
      await first.bull('default').client.config('SET', 'maxmemory-policy', 'allkeys-lru');
      const { flowstone } = await start('two', { queue: { ...options.queue, redis: redis.url } });
      const problem = 'Redis may evict what the queues hold (maxmemory-policy allkeys-lru): set it to noeviction.';
      expect(log).toContain(problem);
      expect((await flowstone.health()).queue).toMatchObject({
        status: 'up',
        problems: [problem],
        maxmemoryPolicy: 'allkeys-lru',
      });
    } finally {
      await Promise.all(apps.splice(0).map(({ app }) => app.close()));
      await redis.stop();
    }
  });
});

describe('the roles of processes', () => {
  it('other than all are refused with values in the memory of one', async () => {
    @Asset({ io: 'memory' })
    class Local {
      execute(): number {
        return 1;
      }
    }
    for (const role of ['worker', 'api'] as const) {
      await expect(startApp([Local], { ...options, role })).rejects.toMatchObject({
        code: 'FLOWSTONE_DECLARATION_INVALID',
        message: expect.stringContaining('memory of one process'),
      });
    }
    const { app } = await startApp([Local], { ...options, role: 'all' });
    await app.close();
  });

  it('without workers plan a small request themselves, whatever else is to be planned', async () => {
    const { flowstone } = await start('asker', { role: 'api', pollInterval: NEVER });
    const large = await flowstone.materialize(Heavy, { partitions: 'all' });
    const small = await flowstone.materialize(Parts, { partition: 'p1' });
    expect(await large.view()).toMatchObject({ status: 'planning' });
    expect(await small.view()).toMatchObject({ status: 'waiting', counts: { total: 1, pending: 1 } });
  });

  it('without workers leave the jobs to others', async () => {
    const { flowstone, bull } = await start('asker', { role: 'api', pollInterval: 50 });
    const run = await flowstone.materialize(Total);
    while ((await bull('default').getWaitingCount()) === 0) await new Promise(setImmediate);
    await start('worker', { role: 'worker', pollInterval: NEVER });
    expect(await run.wait()).toMatchObject({ status: 'success' });
  });
});
