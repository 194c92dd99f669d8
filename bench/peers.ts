// Peers that are not among the project's own packages: peers/ is a package of its own, installed when a case needs it.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const DIRECTORY = resolve('bench', 'peers');

/** Measures by `measure(options)` of peers/<name>.mjs, after installing what it imports if need be. */
export async function measurePeer(name: string, options: Readonly<Record<string, string | number>>): Promise<number> {
  install();
  const peer: { measure(given: typeof options): Promise<number> } = await import(
    pathToFileURL(join(DIRECTORY, `${name}.mjs`)).href
  );
  return peer.measure(options);
}

/** What they are measured with, e.g. `bullmq 6.7.0`. */
export function peerVersions(): string[] {
  const { dependencies }: { dependencies: Record<string, string> } = JSON.parse(
    readFileSync(join(DIRECTORY, 'package.json'), 'utf8'),
  );
  return Object.entries(dependencies).map(([name, version]) => `${name} ${version}`);
}

function install(): void {
  const locked = join(DIRECTORY, 'package-lock.json');
  // npm writes it last.
  const installed = join(DIRECTORY, 'node_modules', '.package-lock.json');
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(locked).mtimeMs) return;
  // Not this run's NODE_ENV. What npm prints belongs to standard error: standard output is for figures.
  execFileSync('npm', ['ci', '--no-audit', '--no-fund', '--ignore-scripts'], {
    cwd: DIRECTORY,
    stdio: ['ignore', process.stderr, process.stderr],
  });
}
