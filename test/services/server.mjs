// Starts PostgreSQL, Redis and S3 servers on loopback for the length of a test run, and stops them by their process.
import { execFile } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { NOBODY } from './debian-folder.mjs';
import { onFreePort, temporaryDirectory, unprivilegedAccount } from './launch.mjs';
import { POSTGRES, REDIS, requirePrograms } from './programs.mjs';
import { MOTO, requireTool } from './tools.mjs';

const execute = promisify(execFile);

/**
 * @typedef {import('./launch.mjs').Server} Server
 * @typedef {import('./launch.mjs').PrivateServer} PrivateServer
 */

/** Nothing that a test stores has to survive a power cut; benches ask for `durable`, PostgreSQL's own defaults. */
const HASTY = ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off'];

/**
 * The server that FLOWSTONE_TEST_POSTGRES_URL names, else a new one.
 * @param {{ durable: boolean }} options
 * @returns {Promise<Server>}
 */
export async function startPostgres({ durable }) {
  const external = process.env[POSTGRES.variable];
  if (external) return { url: external, stop: async () => {} };
  return startPrivatePostgres(durable ? [] : HASTY);
}

/**
 * A PostgreSQL server of the caller's own.
 * @param {readonly string[]} own settings (`name=value`) beside those of every test server
 * @returns {Promise<PrivateServer>}
 */
export async function startPrivatePostgres(own) {
  const programs = await requirePrograms(POSTGRES);
  const account = await unprivilegedAccount();
  const directory = await temporaryDirectory('postgres', account);
  const cluster = join(directory, 'cluster');
  await execute(
    join(programs, 'initdb'),
    [
      '--pgdata',
      cluster,
      '--username',
      'flowstone',
      '--auth',
      'trust',
      '--encoding',
      'UTF8',
      '--no-locale',
      '--no-sync',
    ],
    { ...account, cwd: directory },
  );
  return onFreePort(directory, async (port) => {
    const settings = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', `port=${port}`, 'max_connections=200'];
    const args = [...settings, ...own].flatMap((setting) => ['-c', setting]);
    return {
      command: join(programs, 'postgres'),
      args: ['-D', cluster, ...args],
      account,
      ready: 'database system is ready to accept connections',
      // Immediate shutdown: the files are thrown away.
      stopSignal: 'SIGQUIT',
      url: `postgres://flowstone@127.0.0.1:${port}/postgres`,
    };
  });
}

/**
 * The server that FLOWSTONE_TEST_REDIS_URL names, else a new one that keeps nothing on disk and evicts nothing.
 * @returns {Promise<Server>}
 */
export async function startRedis() {
  const external = process.env[REDIS.variable];
  if (external) return { url: external, stop: async () => {} };
  return startPrivateRedis();
}

/**
 * A Redis server of the caller's own; taken down, it forgets everything.
 * @returns {Promise<PrivateServer>}
 */
export async function startPrivateRedis() {
  const programs = await requirePrograms(REDIS);
  const account = await unprivilegedAccount();
  const directory = await temporaryDirectory('redis', account);
  return onFreePort(directory, async (port) => ({
    command: join(programs, 'redis-server'),
    args: [
      '--bind',
      '127.0.0.1',
      '--port',
      String(port),
      '--dir',
      directory,
      '--save',
      '',
      '--appendonly',
      'no',
    ].concat('--maxmemory-policy', 'noeviction'),
    account,
    ready: 'Ready to accept connections',
    stopSignal: 'SIGKILL',
    url: `redis://127.0.0.1:${port}`,
  }));
}

/**
 * The S3 server that S3_ENDPOINT names, else a new one.
 * @returns {Promise<Server>}
 */
export async function startS3() {
  const external = process.env['S3_ENDPOINT'];
  if (external) return { url: external, stop: async () => {} };
  return startPrivateS3();
}

/**
 * An S3 server of the caller's own, for path-style addresses and any credentials; taken down, it forgets everything.
 *
 * It is moto, which keeps `If-None-Match` on PutObject and on CompleteMultipartUpload (also when both race), the least
 * size and the ETags of parts, ranges, and every key of S3. It looks at no signature, credentials or checksum that a
 * request carries (it stores what came), and completes an upload twice: for these, `npm run test:s3`.
 * @returns {Promise<PrivateServer>}
 */
export async function startPrivateS3() {
  const { root, invoke } = await requireTool(MOTO);
  const account = root === '' ? {} : NOBODY;
  const directory = await temporaryDirectory('s3', account, root === '' ? tmpdir() : join(root, 'tmp'));
  return onFreePort(directory, async (port) => {
    const { env = process.env, ...invocation } = invoke('moto_server', ['-H', '127.0.0.1', '-p', String(port)]);
    return {
      ...invocation,
      // Large objects lie in its temporary files.
      env: { ...env, TMPDIR: directory.slice(root.length) },
      account: {},
      ready: 'Running on http',
      stopSignal: 'SIGKILL',
      url: `http://127.0.0.1:${port}`,
    };
  });
}
