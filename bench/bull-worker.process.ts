// A worker process of bare Bull: `bull-worker.process.js REDIS QUEUE`.
import Bull from 'bull';
import { CONCURRENCY } from './measured-run.js';
import { serve } from './worker-processes.js';

const [redis = '', name = ''] = process.argv.slice(2);
const queue = new Bull(name, redis);
let executed = 0;
await queue.isReady();
void queue.process(CONCURRENCY, () => {
  executed += 1;
  return Promise.resolve();
});
serve(() => executed);
