// The strict S3 server, for `npm run test:s3`: Ceph's object gateway before a cluster of one monitor and one store, all
// on loopback and in memory, for as long as the tests run.
import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { inDebianFolder, NOBODY, requireDebianFolder } from './debian-folder.mjs';
import { freePort, launchServer, temporaryDirectory } from './launch.mjs';

const execute = promisify(execFile);

/**
 * @typedef {import('./launch.mjs').Server & { accessKey: string, secretKey: string }} Gateway
 */

/**
 * A gateway of the caller's own, whose one user may create buckets, on Debian and as root only. It keeps what moto keeps,
 * and refuses signatures, keys and checksums that are wrong.
 * @returns {Promise<Gateway>}
 */
export async function startGateway() {
  const folder = await requireDebianFolder(['radosgw', 'ceph-mon', 'ceph-osd']);
  const directory = await temporaryDirectory('gateway', NOBODY, join(folder, 'tmp'));
  const home = directory.slice(folder.length);
  /** @type {((signal: NodeJS.Signals) => Promise<void>)[]} */
  const ends = [];
  const stop = async () => {
    await Promise.all(ends.map(async (end) => end('SIGKILL')));
    await rm(directory, { recursive: true, force: true });
  };
  const configured = ['-c', `${home}/ceph.conf`];
  const run = async (/** @type {string} */ program, /** @type {string[]} */ ...args) => {
    const { command, args: full, env } = inDebianFolder(folder, program, args);
    await execute(command, full, { env, timeout: 60_000 });
  };
  // From `/`, where the store looks for its plugins; `-d` has them say when they are ready.
  const launch = async (
    /** @type {string} */ ready,
    /** @type {string} */ program,
    /** @type {string[]} */ ...args
  ) => {
    const invocation = inDebianFolder(folder, program, ['-d', ...configured, ...args]);
    ends.push(await launchServer({ ...invocation, account: {}, ready }, '/'));
  };
  try {
    const [monitor, port] = [await freePort(), await freePort()];
    const fsid = randomUUID();
    await writeFile(join(directory, 'ceph.conf'), configuration({ home, fsid, monitor, port }));
    await run('mkdir', `${home}/monitor`, `${home}/store`, `${home}/gateway`);
    await makeKeyring(run, `${home}/keyring`);
    const address = `[v2:127.0.0.1:${monitor}]`;
    await run('monmaptool', '--create', '--fsid', fsid, '--addv', 'a', address, `${home}/monmap`);
    await run('ceph-mon', ...configured, '--mkfs', '-i', 'a', '--monmap', `${home}/monmap`);
    await launch('is new leader', 'ceph-mon', '-i', 'a');
    const store = randomUUID();
    await run('ceph', ...configured, 'osd', 'new', store);
    await run('ceph-osd', ...configured, '--mkfs', '-i', '0', '--osd-uuid', store);
    await launch('booting -> active', 'ceph-osd', '-i', '0');
    const [accessKey, secretKey] = ['flowstone', randomBytes(20).toString('hex')];
    const keys = ['--access-key', accessKey, '--secret-key', secretKey];
    await run('radosgw-admin', ...configured, 'user', 'create', '--uid=tests', '--display-name=tests', ...keys);
    await launch('starting handler', 'radosgw', '-n', 'client.admin');
    return { url: `http://127.0.0.1:${port}`, accessKey, secretKey, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * @param {(program: string, ...args: string[]) => Promise<void>} run
 * @param {string} keyring
 */
async function makeKeyring(run, keyring) {
  const all = ['--cap', 'mon', 'allow *', '--cap', 'osd', 'allow *'];
  await run('ceph-authtool', '--create-keyring', keyring, '--gen-key', '-n', 'mon.', ...all);
  for (const name of ['client.admin', 'osd.0']) await run('ceph-authtool', keyring, '--gen-key', '-n', name, ...all);
}

/** @param {{ home: string, fsid: string, monitor: number, port: number }} cluster */
function configuration({ home, fsid, monitor, port }) {
  return `[global]
fsid = ${fsid}
mon_initial_members = a
mon_host = v2:127.0.0.1:${monitor}
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
keyring = ${home}/keyring
run_dir = ${home}
mon_data = ${home}/monitor
osd_data = ${home}/store
rgw_data = ${home}/gateway
# One store, which keeps each object once.
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pg_autoscale_mode = off
mon_allow_pool_size_one = true
osd_crush_chooseleaf_type = 0
osd_objectstore = memstore
memstore_device_bytes = 4294967296
# The disk is whoever's: how full it is does not matter.
mon_data_avail_warn = 1
mon_data_avail_crit = 1

[client]
keyring = ${home}/keyring
rgw_frontends = beast endpoint=127.0.0.1:${port} tcp_nodelay=1
`;
}
