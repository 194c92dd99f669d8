// Compiles library, migrations, samples, benches and torture into dist/, removes what no source stands for any more and
// makes the embedded database's snapshot. With --if-needed it does nothing when dist/ is newer than every source.
// Files are replaced in place rather than after emptying dist/, so that a program running from it is not pulled away.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const dist = join(root, 'dist');
const stamp = join(dist, '.built');
const snapshotScript = join(root, 'scripts', 'build-snapshot.mjs');
/** Written by the snapshot script, not by the compiler. */
const isSnapshot = (/** @type {string} */ file) => /\.(tar|tar\.gz|tgz)$/.test(file);

if (!process.argv.includes('--if-needed') || !isFresh()) build();

function build() {
  rmSync(stamp, { force: true });
  const emitted = compile();
  for (const file of filesBelow(dist)) if (!emitted.has(file) && !isSnapshot(file)) rmSync(file);
  if (existsSync(snapshotScript)) run([snapshotScript], 'inherit');
  writeFileSync(stamp, '');
}

/** @returns {Set<string>} absolute paths of what the compiler wrote */
function compile() {
  const compiler = join(root, 'node_modules', 'typescript-7', 'bin', 'tsc');
  const output = run([compiler, '-p', 'tsconfig.build.json', '--listEmittedFiles'], 'pipe');
  return new Set(Array.from(output.matchAll(/^TSFILE: (.+)$/gm), ([, file = '']) => resolve(root, file)));
}

/**
 * Runs a Node program in the project's root and ends this one with its exit code if it fails.
 * @param {string[]} args
 * @param {'pipe' | 'inherit'} stdout
 */
function run(args, stdout) {
  const result = spawnSync(process.execPath, args, {
    cwd: root,
    stdio: ['ignore', stdout, 'inherit'],
    encoding: 'utf8',
  });
  if (result.error) throw result.error;
  if (result.status !== 0) {
    process.stderr.write((result.stdout ?? '').replace(/^TSFILE: .*\n/gm, ''));
    process.exit(result.status ?? 1);
  }
  return result.stdout ?? '';
}

function isFresh() {
  if (!existsSync(stamp)) return false;
  const built = statSync(stamp).mtimeMs;
  const sources = [
    'lib',
    'migrations',
    'sample',
    'bench',
    'test/torture',
    'test/crash/invariants.ts',
    'test/services',
    'scripts',
    'package.json',
    'package-lock.json',
    'tsconfig.json',
    'tsconfig.build.json',
  ];
  return sources.every((source) => !existsSync(join(root, source)) || newestBelow(join(root, source)) <= built);
}

/**
 * The newest modification time of a file, or of a directory and what is in it: a removed file changes its directory.
 * @type {(path: string) => number}
 */
function newestBelow(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return readdirSync(path).reduce(
    (/** @type {number} */ newest, name) => Math.max(newest, newestBelow(join(path, name))),
    stat.mtimeMs,
  );
}

function filesBelow(/** @type {string} */ directory) {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
