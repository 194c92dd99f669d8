// The queue over Redis where no runs are needed to see it: processes that outlive their Redis, jobs that were lost, and
// what is refused at boot.
import { fork, spawnSync, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { FlowStoneModule } from '../../lib/index.js';
import { resolveOptions } from '../../lib/flowstone.options.js';
import { FlowStoneBullModule } from '../../lib/queue/bull/index.js';
import { BullQueue } from '../../lib/queue/bull/bull.queue.js';
import type { Delivery } from '../../lib/queue/queue.port.js';
import { projectFile } from '../architecture/source-files.js';
import { startPrivateRedis } from '../services/server.mjs';

type PrivateRedis = Awaited<ReturnType<typeof startPrivateRedis>>;

let redis: PrivateRedis;
const warnings: string[] = [];

beforeEach(async () => {
  redis = await startPrivateRedis();
  warnings.length = 0;
});
afterEach(() => redis.stop());

function newQueue(namespace = 'default', pollInterval = 3_600_000): BullQueue {
  const logger = { log: () => undefined, debug: () => undefined, warn: (line: string) => void warnings.push(line) };
  const prefix = randomBytes(4).toString('hex');
  return new BullQueue({ redis: redis.url, prefix, namespace, pollInterval, sender: 'test', logger });
}

/** Starts a queue; its deliveries are handed out one by one, and last until `end` is called. */
async function deliveriesOf(queue: BullQueue): Promise<() => Promise<{ delivery: Delivery; end: () => void }>> {
  const waiting: { delivery: Delivery; end: () => void }[] = [];
  let told = (): void => undefined;
  await queue.start(
    ['default'],
    (delivery) =>
      new Promise((end) => {
        waiting.push({ delivery, end });
        told();
      }),
    () => undefined,
  );
  return async () => {
    while (waiting.length === 0) await new Promise<void>((resolve) => (told = resolve));
    return waiting.shift()!;
  };
}

/** Redis accepts connections and answers nothing. */
async function hang(): Promise<void> {
  const { hostname, port } = new URL(redis.url);
  const socket = connect(Number(port), hostname);
  socket.write('CLIENT PAUSE 60000 ALL\r\n');
  await once(socket, 'data');
  socket.destroy();
}

describe('a process', () => {
  let child: ChildProcess;

  async function ask(act: string): Promise<unknown> {
    child.send(act);
    const [answer] = await once(child, 'message');
    return answer;
  }

  async function becomes(status: string): Promise<void> {
    while ((await ask('health')) !== status);
  }

  beforeEach(async () => {
    child = fork(join(import.meta.dirname, 'bull.process.mjs'), [redis.url], {
      execArgv: ['--unhandled-rejections=strict'],
    });
    await once(child, 'message');
  });
  afterEach(() => void child.kill('SIGKILL'));

  /** Closes the application; the process must end by itself, with nothing left open and nothing thrown. */
  async function ends(): Promise<unknown[]> {
    const ended = once(child, 'exit');
    child.send('close');
    return ended;
  }

  it('ends by itself when its application is closed', async () => {
    await becomes('up');
    expect(await ask('run')).toBe('success');
    expect(await ends()).toEqual([0, null]);
  });

  it('goes on while Redis is killed, flushed and back, and ends by itself', async () => {
    await becomes('up');
    await redis.down('SIGKILL');
    await becomes('degraded');
    expect(await ask('run')).toBe('success');
    await redis.up();
    await becomes('up');
    expect(await ask('run')).toBe('success');
    await redis.down('SIGTERM');
    expect(await ask('run')).toBe('success');
    await redis.up();
    await becomes('up');
    expect(await ends()).toEqual([0, null]);
  }, 120_000);

  it('ends by itself while Redis is away', async () => {
    await becomes('up');
    await redis.down('SIGKILL');
    await becomes('degraded');
    expect(await ends()).toEqual([0, null]);
  });

  it('ends by itself when Redis hangs', async () => {
    await becomes('up');
    await hang();
    expect(await ends()).toEqual([0, null]);
  });
});

describe('a delivery', () => {
  it('that Bull took for stalled ends quietly, and news goes on', async () => {
    const queue = newQueue();
    const next = await deliveriesOf(queue);
    queue.ring('default');
    const first = await next();
    const bull = queue.bull('default');
    const [job] = await bull.getActive();
    await bull.client.del(`${bull.toKey(String(job!.id))}:lock`);
    first.end();
    queue.ring('default');
    const second = await next();
    second.end();
    expect(warnings).toEqual([]);
    await queue.close();
  });

  it('of a job that a person added by hand is news like any other', async () => {
    const queue = newQueue();
    const next = await deliveriesOf(queue);
    await queue.bull('default').add('look', { why: 'curious' });
    const { delivery, end } = await next();
    expect(delivery.pool).toBe('default');
    end();
    await queue.close();
  });
});

describe('Redis', () => {
  it('that was flushed is noticed at once by what it has forgotten', async () => {
    const queue = newQueue('default', 20);
    let polls = 0;
    await queue.start(
      ['default'],
      async () => undefined,
      () => polls++,
    );
    const bull = queue.bull('default');
    await bull.pause();
    while (!queue.isPaused('default')) await new Promise(setImmediate);
    await bull.client.flushall();
    while (queue.isPaused('default')) await new Promise(setImmediate);
    expect(warnings).toEqual([expect.stringContaining('Redis lost its memory')]);
    expect(polls).toBeGreaterThan(1);
    await queue.close();
  });

  it('that takes no news is told once, and again well when it does', async () => {
    const queue = newQueue();
    const next = await deliveriesOf(queue);
    const { client } = queue.bull('default');
    await client.config('SET', 'maxmemory', '1');
    for (let ring = 0; ring < 3; ring++) {
      queue.ring('default');
      while ((await queue.health()).status === 'up') await new Promise(setImmediate);
    }
    expect(warnings).toEqual([expect.stringMatching(/^Redis takes no news \(.*OOM/)]);
    await client.config('SET', 'maxmemory', '0');
    queue.ring('default');
    (await next()).end();
    expect(await queue.health()).toMatchObject({ status: 'up', problems: [] });
    await queue.close();
  });
});

describe('at boot', () => {
  it('the package bull is named where it is missing', async () => {
    const consumer = await mkdtemp(join(tmpdir(), 'flowstone-'));
    await cp(projectFile('dist/lib'), join(consumer, 'lib'), { recursive: true });
    await writeFile(join(consumer, 'package.json'), '{ "type": "module" }');
    const program = `
      const { createQueue } = await import('./lib/flowstone.transport.js');
      await createQueue({ queue: { redis: 'redis://localhost' } }, console).catch((error) => console.log(error.message));`;
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      cwd: consumer,
      encoding: 'utf8',
    });
    expect(stdout).toBe('A queue over Redis needs the package bull: run `npm install bull`, or leave out `queue`.\n');
    await rm(consumer, { recursive: true });
  });

  it('a module for Bull queues that there are none of is refused', async () => {
    const app = Test.createTestingModule({
      imports: [FlowStoneModule.forRoot({ storage: 'memory' }), FlowStoneBullModule.forPools('default')],
    });
    await expect(app.compile()).rejects.toMatchObject({ code: 'FLOWSTONE_OPTIONS_INVALID' });
  });

  it.each([
    ['a url of another kind', { queue: { redis: 'http://localhost' } }],
    ['no Redis', { queue: {} }],
    ['an empty prefix', { queue: { redis: 'redis://localhost', prefix: '' } }],
    ["ioredis's own prefix", { queue: { redis: { host: 'localhost', keyPrefix: 'mine' } } }],
    ['an unknown role', { role: 'boss' }],
  ])('%s is refused', (_what, options) => {
    expect(() => resolveOptions(options as object)).toThrow(
      expect.objectContaining({ code: 'FLOWSTONE_OPTIONS_INVALID' }),
    );
  });

  it('the environment may name Redis and the role', () => {
    const environment = { FLOWSTONE_QUEUE: 'rediss://example.com', FLOWSTONE_ROLE: 'api' };
    expect(resolveOptions({}, environment)).toMatchObject({ queue: { redis: 'rediss://example.com' }, role: 'api' });
  });
});
