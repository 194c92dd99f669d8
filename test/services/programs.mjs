// Finds the server programs that tests need, and installs Debian's packages where it may; starts nothing.
import { execFile } from 'node:child_process';
import { access, constants, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/**
 * @typedef {object} Service
 * @property {string} title for people
 * @property {string} variable environment variable that names a running server
 * @property {string} server what has to stand behind that variable
 * @property {readonly string[]} programs all needed, in one directory
 * @property {string} debianPackage brings the programs
 * @property {string} composeService name in compose.yaml
 */

/** @type {Service} */
export const POSTGRES = {
  title: 'PostgreSQL (15 or newer)',
  variable: 'FLOWSTONE_TEST_POSTGRES_URL',
  server: 'a running server, as a user who may create databases',
  programs: ['postgres', 'initdb'],
  debianPackage: 'postgresql',
  composeService: 'postgres',
};

/** @type {Service} */
export const REDIS = {
  title: 'Redis (6.2 or newer)',
  variable: 'FLOWSTONE_TEST_REDIS_URL',
  server: 'a running server with maxmemory-policy noeviction',
  programs: ['redis-server'],
  debianPackage: 'redis-server',
  composeService: 'redis',
};

/**
 * The directory that holds all programs of `service`: on PATH, where Debian puts PostgreSQL's, or after installing
 * the package as root on Debian and its like. Throws an error that says what a person can do instead.
 * @param {Service} service
 * @returns {Promise<string>}
 */
export async function requirePrograms(service) {
  const found = await findPrograms(service);
  if (found !== undefined) return found;
  const reason = await install(service);
  const installed = await findPrograms(service);
  if (installed !== undefined) return installed;
  throw new Error(
    [
      `The tests need ${service.title}: neither ${service.variable} nor ${service.programs.join(' and ')} was found, and ${reason}.`,
      'Do one of these and run the tests again:',
      `  - start it with "docker compose up -d ${service.composeService}" and set the variables that compose.yaml names;`,
      `  - install it, e.g. "sudo apt-get install ${service.debianPackage}" on Debian or Ubuntu, and see that ${service.programs.join(' and ')} is on PATH;`,
      `  - set ${service.variable} to the URL of ${service.server}.`,
    ].join('\n'),
  );
}

/** @param {Service} service */
async function findPrograms({ programs }) {
  const postgresRoot = '/usr/lib/postgresql';
  const versions = (await readdir(postgresRoot).catch(() => /** @type {string[]} */ ([])))
    .filter((version) => Number(version) >= 15)
    .toSorted((a, b) => Number(b) - Number(a));
  const directories = [
    ...(process.env['PATH'] ?? '').split(delimiter).filter(Boolean),
    ...versions.map((version) => join(postgresRoot, version, 'bin')),
    '/usr/local/sbin',
    '/usr/sbin',
  ];
  for (const directory of directories) {
    const present = await Promise.all(programs.map((program) => isExecutable(join(directory, program))));
    if (present.every(Boolean)) return directory;
  }
  return undefined;
}

/**
 * Installs the service's Debian package and says what came of it, in words that continue a sentence.
 * @param {Service} service
 */
async function install({ debianPackage, title }) {
  const refusal = await reasonNotToInstall();
  if (refusal !== undefined) return refusal;
  process.stderr.write(`Installing ${title} from Debian's package ${debianPackage} ...\n`);
  try {
    await installDebianPackages([debianPackage]);
    return `Debian's package ${debianPackage}, which was installed, does not bring them`;
  } catch (error) {
    return `installing Debian's package ${debianPackage} failed: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Why nothing can be installed here, in words that continue a sentence; `undefined` if it can. */
export async function reasonNotToInstall() {
  if (process.getuid?.() !== 0) return 'this user may not install packages (not root)';
  if (!(await isExecutable('/usr/bin/apt-get'))) return 'there is no apt-get to install it with';
  return undefined;
}

/** @param {readonly string[]} packages */
export async function installDebianPackages(packages) {
  // Only the programs are wanted: a package must neither start a server nor create a cluster.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  // One test run after another: apt-get does not wait for another one, but fails.
  const aptGet = async (/** @type {readonly string[]} */ args) =>
    execute('flock', [join(tmpdir(), 'flowstone-apt.lock'), 'apt-get', '-qq', ...args], {
      env,
      maxBuffer: 64 * 1024 * 1024,
    });
  await aptGet(['update']);
  await aptGet(['install', '-y', '--no-install-recommends', ...packages]);
}

/** @param {string} file */
async function isExecutable(file) {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}
