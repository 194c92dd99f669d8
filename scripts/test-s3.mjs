// Runs every test that uses a bucket against a strict S3 server: the one that S3_ENDPOINT names, else Ceph's gateway.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { startGateway } from '../test/services/gateway.mjs';

const root = join(import.meta.dirname, '..');
const gateway = process.env['S3_ENDPOINT'] ? undefined : await startGateway();
try {
  const env = gateway && {
    S3_ENDPOINT: gateway.url,
    AWS_ACCESS_KEY_ID: gateway.accessKey,
    AWS_SECRET_ACCESS_KEY: gateway.secretKey,
  };
  const jest = ['--experimental-vm-modules', '--no-warnings=ExperimentalWarning', 'node_modules/jest/bin/jest.js'];
  const tests = ['--findRelatedTests', 'test/services/buckets.ts', ...process.argv.slice(2)];
  const run = spawn(process.execPath, [...jest, ...tests], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  // The gateway ends after the tests, however they end.
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) process.on(signal, () => run.kill(signal));
  const [code] = await once(run, 'exit');
  process.exitCode = code ?? 1;
} finally {
  await gateway?.stop();
}
