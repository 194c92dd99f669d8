// A process beside a test run that starts a server when the first test asks for it: a run of unit tests starts none.
// It ends, and stops what it started, when its standard input closes: also when the test run is killed.
import { createServer } from 'node:http';
import { startPostgres, startRedis, startS3 } from './server.mjs';

/** @typedef {import('./server.mjs').Server} Server */

const durable = process.argv.includes('--durable');
/** @type {Readonly<Record<string, () => Promise<Server>>>} */
const starters = { '/postgres': () => startPostgres({ durable }), '/redis': startRedis, '/s3': startS3 };
/** @type {Map<string, Promise<Server>>} */
const servers = new Map();

/** @param {string} path */
function serverAt(path) {
  const start = starters[path];
  const running = servers.get(path);
  if (running !== undefined || start === undefined) return running;
  const starting = start();
  servers.set(path, starting);
  return starting;
}

const broker = createServer(async (request, response) => {
  try {
    const server = await serverAt(request.url ?? '');
    response.statusCode = server === undefined ? 404 : 200;
    response.end(server?.url);
  } catch (error) {
    response.statusCode = 503;
    response.end(error instanceof Error ? error.message : String(error));
  }
});

let stopping = false;
async function stop() {
  if (stopping) return;
  stopping = true;
  await Promise.allSettled(Array.from(servers.values(), async (server) => (await server).stop()));
  process.exit(0);
}

process.stdin.on('end', stop).resume();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, stop);

broker.listen(0, '127.0.0.1', () => {
  const address = broker.address();
  if (address !== null && typeof address === 'object') process.stdout.write(`http://127.0.0.1:${address.port}\n`);
});
