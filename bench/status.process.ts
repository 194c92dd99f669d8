// Asks for the status of a large asset in a process that has read nothing of it yet: `status.process.js URL HOURS QUESTIONS
// VERSION`, after so many questions about the smaller one. Prints what it was and the milliseconds it took.
import { setTimeout as wait } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { bothPairs, OTHER } from './status.assets.js';
import { withApplication } from './measured-run.js';

const [url = '', hours = '', questions = '', version = ''] = process.argv.slice(2);
const assets = bothPairs(Number(hours), version || undefined);
await withApplication({ assets }, { storage: { url }, role: 'api' }, async (flowstone) => {
  // What the boot left to do later is not the question's, nor is the garbage of what was before.
  await wait(500);
  for (let asked = 0; asked < Number(questions); asked++) await flowstone.status(`${OTHER}derived`);
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  await wait(200);
  const start = performance.now();
  const status = await flowstone.status('derived');
  const milliseconds = performance.now() - start;
  if (!('ranges' in status)) throw new Error('it has partitions');
  const { missing, stale, fresh, ranges } = status;
  process.stdout.write(`${JSON.stringify({ milliseconds, missing, stale, fresh, ranges: ranges.length })}\n`);
});
