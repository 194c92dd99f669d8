import { describe } from '@jest/globals';
import { InProcessQueue } from '../../lib/queue/in-process/in-process.queue.js';
import { queueSuite } from './queue.suite.js';

describe('the queue in process', () => {
  queueSuite(async () => ({
    queue: () => new InProcessQueue(20),
    settled: () => new Promise((resolve) => setImmediate(resolve)),
    close: async () => undefined,
  }));
});
