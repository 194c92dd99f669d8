// Jest's globalSetup: the broker stands ready, the servers start when a test asks; threads of tests run TypeScript.
import { startBroker } from './start-broker.mjs';

export default async function setup() {
  // Heard by the processes Jest starts for its suites: a thread takes its options from them.
  const threads = new URL('./typescript-threads.mjs', import.meta.url);
  process.env['NODE_OPTIONS'] = `${process.env['NODE_OPTIONS'] ?? ''} --import=${threads.href}`.trim();
  // Theirs too: the embedded database is WebAssembly, and optimizing it for each of the hundreds of times that tests start it
  // for a second took as long as all that ran on it.
  process.execArgv.push('--liftoff-only');
  // The SDK of S3 tells every process on Node.js 20 that its versions of 2027 will not run there.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';
  Reflect.set(globalThis, Symbol.for('flowstone.stopServices'), await startBroker());
}
