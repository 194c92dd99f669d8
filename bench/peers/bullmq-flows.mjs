// BullMQ's flows with jobs that do nothing: trees of 13, where a job waits for three children and each of them for
// three of its own. A flow is a tree, so the layered graph, where three wait for one, cannot be said in flows.
import { randomBytes } from 'node:crypto';
import { FlowProducer, Queue, Worker } from 'bullmq';

const TREE = 13;
/** Trees a call adds. */
const BULK = 50;
const CONCURRENCY = 50;

/**
 * Jobs per second from the first add to the last job's end, all in one process.
 * @param {{ redis: string, jobs: number }} options about so many jobs: whole trees
 */
export async function measure({ redis, jobs }) {
  const { hostname: host, port } = new URL(redis);
  const connection = { host, port: Number(port), maxRetriesPerRequest: null };
  const name = `bench-${randomBytes(6).toString('hex')}`;
  const flows = new FlowProducer({ connection });
  const trees = Math.floor(jobs / TREE);
  let left = trees * TREE;
  const worker = new Worker(name, () => Promise.resolve(), { connection, concurrency: CONCURRENCY, autorun: false });
  await Promise.all([worker.waitUntilReady(), flows.waitUntilReady()]);
  /** @type {Promise<void>} */
  const done = new Promise((resolve, reject) => {
    worker.on('completed', () => (left -= 1) === 0 && resolve());
    worker.on('failed', (_job, error) => reject(error));
  });
  const start = performance.now();
  const running = worker.run();
  for (let added = 0; added < trees; added += BULK) {
    await flows.addBulk(Array.from({ length: Math.min(BULK, trees - added) }, () => node(name, 2)));
  }
  await Promise.race([done, running.then(() => done)]);
  const seconds = (performance.now() - start) / 1000;
  await Promise.all([worker.close(), flows.close()]);
  const queue = new Queue(name, { connection });
  await queue.obliterate({ force: true });
  await queue.close();
  return (trees * TREE) / seconds;
}

/**
 * @param {string} queueName
 * @param {number} levels below it
 * @returns {import('bullmq').FlowJob}
 */
function node(queueName, levels) {
  const children = levels === 0 ? [] : Array.from({ length: 3 }, () => node(queueName, levels - 1));
  return { name: 'nothing', queueName, data: { levels }, opts: { removeOnComplete: true }, children };
}
