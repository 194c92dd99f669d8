// Asks for the status of a large asset in a process that knows nothing of it yet: `status.process.js URL HOURS VERSION`.
// Prints what it was and the milliseconds it took.
import { setTimeout as wait } from 'node:timers/promises';
import { derivedFrom } from './status.assets.js';
import { withApplication } from './measured-run.js';

const [url = '', hours = '', version = ''] = process.argv.slice(2);
const assets = derivedFrom(Number(hours), version || undefined);
await withApplication({ assets }, { storage: { url }, role: 'api' }, async (flowstone) => {
  // What the boot left to do later is not the question's.
  await wait(500);
  const start = performance.now();
  const status = await flowstone.status('derived');
  const milliseconds = performance.now() - start;
  if (!('ranges' in status)) throw new Error('it has partitions');
  const { missing, stale, fresh, ranges } = status;
  process.stdout.write(`${JSON.stringify({ milliseconds, missing, stale, fresh, ranges: ranges.length })}\n`);
});
