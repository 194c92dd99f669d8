import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { BullQueue } from '../../lib/queue/bull/bull.queue.js';
import { redisUrl } from '../services/services.js';
import { queueSuite, type QueueWorld } from './queue.suite.js';

const silent = { log: () => undefined, warn: () => undefined, debug: () => undefined };

async function bullWorld(): Promise<QueueWorld> {
  const redis = await redisUrl();
  const prefix = `test-${randomBytes(6).toString('hex')}`;
  const options = { redis, prefix, namespace: 'default', pollInterval: 20, sender: 'test', logger: silent };
  return {
    queue: () => new BullQueue(options),
    settled: async (queue, pool) => {
      const bull = (queue as BullQueue).bull(pool);
      const jobs = async (): Promise<number> => (await bull.getWaitingCount()) + (await bull.getActiveCount());
      while ((await jobs()) > 0) await new Promise(setImmediate);
    },
    close: async () => undefined,
  };
}

describe('the queue over Redis', () => {
  queueSuite(bullWorld);

  it('delivers news of a pool to those who work for it, not to who rings it', async () => {
    const world = await bullWorld();
    const [ringing, working] = [world.queue(), world.queue()];
    const news = { ringing: 0, working: 0 };
    const count = (who: keyof typeof news) => async () => void news[who]++;
    let polls = 0;
    await ringing.start(['default'], count('ringing'), () => void polls++);
    await working.start(['heavy'], count('working'), () => undefined);
    for (let ring = 1; ring <= 20; ring++) {
      ringing.ring('heavy');
      while (news.working < ring) await new Promise(setImmediate);
      // Until it has looked once more at the queues it knows.
      const seen = polls;
      while (polls === seen) await new Promise(setImmediate);
    }
    expect(news).toEqual({ ringing: 0, working: 20 });
    await Promise.all([ringing.close(), working.close()]);
  });

  it('tells a process without work which pools are paused', async () => {
    const world = await bullWorld();
    const watching = world.queue();
    await watching.start(['default'], undefined, () => undefined);
    const bull = (watching as BullQueue).bull('default');
    expect((await watching.health()).pools).toMatchObject({ default: { paused: false } });
    await bull.pause();
    while (!watching.isPaused('default')) await new Promise(setImmediate);
    await bull.resume();
    while (watching.isPaused('default')) await new Promise(setImmediate);
    await watching.close();
  });
});
