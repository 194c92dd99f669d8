// Programs of a newer Debian in a folder beside the machine's own system: what is too old here, or not packaged at all.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { installDebianPackages, reasonNotToInstall } from './programs.mjs';

const execute = promisify(execFile);

/** Has all that is wanted, so that one folder serves every test; becomes a stable release, whose name stays. */
const SUITE = 'forky';

/** Nobody of Debian, in its folder as anywhere. */
export const NOBODY = { uid: 65_534, gid: 65_534 };

/** Where the folders are; FLOWSTONE_TEST_DEBIAN names another place. One takes about a gigabyte. */
const PLACE = '/var/cache/flowstone-test';

/**
 * The folder with `packages` of Debian, made by root on Debian and its like when it is not there: in about a minute, by
 * one process at a time, and from the start if a former one was ended amid it. Throws an error whose message continues
 * a sentence.
 * @param {readonly string[]} packages
 * @returns {Promise<string>}
 */
export async function requireDebianFolder(packages) {
  const key = createHash('sha256').update(packages.toSorted().join()).digest('hex').slice(0, 8);
  const place = process.env['FLOWSTONE_TEST_DEBIAN'] || PLACE;
  const folder = join(place, `${SUITE}-${key}`);
  // Root's alone: what runs below it starts with chroot.
  const refusal = await reasonNotToInstall();
  if (refusal !== undefined) throw new Error(refusal);
  if (await isThere(folder)) return folder;
  process.stderr.write(`Installing ${packages.join(', ')} of Debian ${SUITE} into ${folder} ...\n`);
  await mkdir(place, { recursive: true });
  await installDebianPackages(['mmdebstrap', 'debian-archive-keyring']);
  const making = ['--mode=root', '--variant=essential', '--format=directory'];
  const source = [SUITE, `${folder}.partial`, ...(await debianMirror())];
  // The lock ends with whoever holds it, and what stands under the final name is whole. What is mounted meanwhile is so
  // in a namespace, and gone when that is killed; a container that may not mount does without, which some packages mind.
  const script = `[ -d "$0" ] && exit
    rm -rf --one-file-system "$0.partial"
    if unshare --mount true; then set -- unshare --mount mmdebstrap "$@"; else set -- mmdebstrap --skip=chroot/mount "$@"; fi
    "$@" && mv -T "$0.partial" "$0"`;
  const wanted = `--include=${packages.join()}`;
  const options = [...making, ...(await aptOptions()), wanted];
  await execute('flock', [`${folder}.lock`, 'sh', '-c', script, folder, ...options, ...source], {
    maxBuffer: 64 * 1024 * 1024,
  });
  return folder;
}

/**
 * How to run a program of the folder: as nobody, seeing nothing but the folder.
 * @param {string} folder
 * @param {string} program
 * @param {readonly string[]} args
 */
export function inDebianFolder(folder, program, args) {
  return {
    command: 'chroot',
    args: ['--userspec=nobody:nogroup', folder, program, ...args],
    env: { PATH: `${process.env['PATH']}:/usr/sbin:/usr/bin`, HOME: '/tmp', LANG: 'C.UTF-8' },
  };
}

/** How this machine reaches its mirror, and how old it lets the mirror's lists be. */
async function aptOptions() {
  const names = ['Check-Valid-Until', 'Check-Date', 'http', 'https'].map((name) => `Acquire::${name}`);
  const { stdout } = await execute('apt-config', ['dump', ...names]);
  return stdout.split('\n').flatMap((line) => (line.trim() === '' ? [] : [`--aptopt=${line}`]));
}

/** The mirror this machine takes Debian from; none (mmdebstrap then has its own) where it takes another system. */
async function debianMirror() {
  const query = ['indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages', 'Label: Debian'];
  const { stdout } = await execute('apt-get', query);
  return stdout.split('\n').filter(Boolean).slice(0, 1);
}

/** @param {string} folder */
async function isThere(folder) {
  return access(folder).then(
    () => true,
    () => false,
  );
}
