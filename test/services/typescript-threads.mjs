// Preloaded into every test process (jest-setup.mjs): lets a worker thread that is started from lib/ run the TypeScript
// sources, as Jest does in the test's own thread. Nothing else is touched: the main thread registers nothing.
import { register } from 'node:module';
import { isMainThread } from 'node:worker_threads';

if (!isMainThread) register('./typescript-hooks.mjs', import.meta.url);
