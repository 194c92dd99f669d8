// How a test server is launched on loopback: its account, its files, its port, and its end by its own process.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

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
export async function onFreePort(directory, plan) {
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
 * Starts a server and waits until it says that it is ready.
 * @param {Pick<Launch, 'command' | 'args' | 'env' | 'account' | 'ready'>} launch
 * @param {string} directory its working directory
 * @returns {Promise<(signal: NodeJS.Signals) => Promise<void>>} ends it, if it has not ended
 */
export async function launchServer({ command, args, env, account, ready }, directory) {
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
export async function unprivilegedAccount() {
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
export async function temporaryDirectory(name, { uid, gid }, parent = tmpdir()) {
  const directory = await mkdtemp(join(parent, `flowstone-${name}-`));
  if (uid !== undefined && gid !== undefined) await chown(directory, uid, gid);
  return directory;
}

/** @returns {Promise<number>} */
export async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (address === null || typeof address === 'string') throw new Error('The probe has no port.');
  return address.port;
}
