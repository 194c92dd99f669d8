// A worker process of ours that hears of work over Redis: `flowstone-worker.process.js POSTGRES REDIS COUNT`.
import { withApplication } from './measured-run.js';
import { independent } from './no-op.assets.js';
import { serve } from './worker-processes.js';

const [url = '', redis = '', count = ''] = process.argv.slice(2);
let executed = 0;
const work = independent(Number(count), () => {
  executed += 1;
  return Promise.resolve();
});
await withApplication(work, { storage: { url }, queue: { redis }, role: 'worker' }, () => {
  serve(() => executed);
  // Until it is told to stop, and then at once.
  return new Promise<never>(() => {});
});
