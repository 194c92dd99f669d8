// Runs the benches with a broker of test servers beside them, PostgreSQL with its own durable settings.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { startBroker } from '../test/services/start-broker.mjs';

const stopServices = await startBroker({ durable: true });
try {
  const bench = spawn(process.execPath, ['--enable-source-maps', 'dist/bench/cases/lab.mjs'], {
    stdio: 'inherit',
    env: { ...process.env, NODE_ENV: 'production' },
  });
  const [code] = await once(bench, 'exit');
  process.exitCode = code ?? 1;
} finally {
  await stopServices();
}
