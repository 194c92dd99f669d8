import { randomBytes } from 'node:crypto';
import { describe } from '@jest/globals';
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
});
