// Starts the broker of test servers and tells this process's children where it is.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/**
 * Puts the broker's URL into FLOWSTONE_TEST_SERVICES. The returned function stops it and every server it started.
 * @param {{ durable?: boolean }} [options] `durable`: PostgreSQL with its own settings rather than the hasty ones
 * @returns {Promise<() => Promise<void>>}
 */
export async function startBroker({ durable = false } = {}) {
  const file = join(import.meta.dirname, 'broker.mjs');
  const broker = spawn(process.execPath, [file, ...(durable ? ['--durable'] : [])], {
    stdio: ['pipe', 'pipe', 'inherit'],
    // A group of its own: Ctrl-C ends the test run, and the broker then stops its servers by itself.
    detached: true,
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  const ended = once(broker, 'exit');
  const [url] = await once(createInterface({ input: broker.stdout }), 'line');
  process.env['FLOWSTONE_TEST_SERVICES'] = url;
  broker.unref();
  return async () => {
    // Waited for from here on: a process with nothing left to wait for would end amid this, and with exit code 0.
    broker.ref();
    broker.stdin.end();
    await ended;
  };
}
