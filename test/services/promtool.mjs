// promtool, which says what is wrong with a page of metrics: on PATH, else the one program taken out of Debian's package of
// Prometheus, which itself is not installed.
import { execFile } from 'node:child_process';
import { access, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { reasonNotToInstall } from './programs.mjs';

const execute = promisify(execFile);

const PLACE = '/var/cache/flowstone-test';

/**
 * The path of promtool, or its name where it is on PATH. Throws an error that says what a person can do instead.
 * @returns {Promise<string>}
 */
export async function requirePromtool() {
  const isOnPath = await execute('promtool', ['--version']).then(
    () => true,
    () => false,
  );
  if (isOnPath) return 'promtool';
  const place = process.env['FLOWSTONE_TEST_DEBIAN'] || PLACE;
  const program = join(place, 'promtool');
  const isThere = await access(program).then(
    () => true,
    () => false,
  );
  if (isThere) return program;
  const refusal = await reasonNotToInstall();
  if (refusal !== undefined) {
    throw new Error(
      `The tests need promtool, and ${refusal}. Install Prometheus, and see that promtool is on PATH; then run the tests again.`,
    );
  }
  await mkdir(place, { recursive: true });
  const folder = await mkdtemp(join(place, 'promtool-'));
  try {
    await execute('apt-get', ['update', '-qq']);
    await execute('apt-get', ['download', '-qq', 'prometheus'], { cwd: folder });
    await execute('sh', ['-c', 'dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x ./usr/bin/promtool'], {
      cwd: folder,
    });
    await rename(join(folder, 'usr/bin/promtool'), program);
  } finally {
    await rm(folder, { recursive: true });
  }
  return program;
}
