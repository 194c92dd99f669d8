// Starts PostgreSQL, Redis and S3 servers on loopback for the length of a test run, and stops them by their process.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { POSTGRES, REDIS, requirePrograms } from './programs.mjs';
import { MOTO, requireTool } from './tools.mjs';

const execute = promisify(execFile);

/**
 * @typedef {object} Server
 * @property {string} url
 * @property {() => Promise<void>} stop ends the server and removes its files; safe to call twice
 *
 * @typedef {Server & Outages} PrivateServer one that nobody else uses, so that it may be taken down
 * @typedef {object} Outages
 * @property {(signal: NodeJS.Signals) => Promise<void>} down ends the process and keeps its files. PostgreSQL: SIGINT is
 *   its fast shutdown, SIGQUIT the immediate one, which is a crash
 * @property {() => Promise<void>} up starts it again, on the same port and files; waits until it accepts connections
 *
 * @typedef {object} Account what a server runs as: PostgreSQL refuses to run as root
 * @property {number} [uid]
 * @property {number} [gid]
 */

/** Debian's number for nobody and nogroup, in its folder as anywhere. */
const NOBODY = 65_534;

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
  const account = root === '' ? {} : { uid: NOBODY, gid: NOBODY };
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

/**
 * @typedef {object} Launch
 * @property {string} command
 * @property {string[]} args
 * @property {NodeJS.ProcessEnv} [env]
 * @property {Account} account
 * @property {string} ready the output that says it accepts connections
 * @property {NodeJS.Signals} stopSignal
 * @property {string} url
 */

/**
 * Starts a server on a port that was free a moment ago; another program may have taken it since, so it tries thrice.
 * @param {string} directory removed when the server stops
 * @param {(port: number) => Promise<Launch>} plan
 * @returns {Promise<PrivateServer>}
 */
async function onFreePort(directory, plan) {
  /** @type {unknown} */
  let failure;
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const launch = await plan(await freePort());
    try {
      let end = await launchServer(launch, directory);
      return {
        url: launch.url,
        down: (signal) => end(signal),
        up: async () => {
          end = await launchServer(launch, directory);
        },
        stop: async () => {
          await end(launch.stopSignal);
          await rm(directory, { recursive: true, force: true });
        },
      };
    } catch (error) {
      failure = error;
    }
  }
  await rm(directory, { recursive: true, force: true });
  throw failure;
}

/**
 * @param {Launch} launch
 * @param {string} directory
 * @returns {Promise<(signal: NodeJS.Signals) => Promise<void>>} ends it, if it has not ended
 */
async function launchServer({ command, args, env, account, ready }, directory) {
  const server = spawn(command, args, { ...account, env, cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(server, 'exit');
  /** @type {string[]} */
  const output = [];
  await new Promise((resolve, reject) => {
    for (const stream of [server.stdout, server.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        if (output.length < 100) output.push(line);
        if (line.includes(ready)) resolve(undefined);
      });
    }
    server.once('error', reject);
    ended.then(() => reject(new Error([`${command} ended before it was ready:`, ...output].join('\n'))), reject);
  });
  return async (signal) => {
    server.kill(signal);
    await ended;
  };
}

/** @returns {Promise<Account>} */
async function unprivilegedAccount() {
  if (process.getuid?.() !== 0) return {};
  const names = ['postgres', 'nobody'];
  for (const name of names) {
    const lookUp = async (/** @type {string} */ flag) => Number((await execute('id', [flag, name])).stdout);
    try {
      return { uid: await lookUp('-u'), gid: await lookUp('-g') };
    } catch {
      // No such user on this machine: the next name.
    }
  }
  throw new Error(`PostgreSQL does not run as root, and there is no user ${names.join(' or ')} to run it as.`);
}

/**
 * @param {string} name
 * @param {Account} account
 * @param {string} [parent]
 */
async function temporaryDirectory(name, { uid, gid }, parent = tmpdir()) {
  const directory = await mkdtemp(join(parent, `flowstone-${name}-`));
  if (uid !== undefined && gid !== undefined) await chown(directory, uid, gid);
  return directory;
}

/** @returns {Promise<number>} */
async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (address === null || typeof address === 'string') throw new Error('The probe has no port.');
  return address.port;
}
