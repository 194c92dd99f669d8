// The thread of the heartbeat: a loop and a connection that no code of the application can hold up. While the event loop
// of the application does not turn, it counts the timeouts in its stead.
import { parentPort, workerData } from 'node:worker_threads';
import { LeaseLedger } from '../../ledger/sql/lease-ledger.js';
import { messageOf } from '../failure.js';
import { isOutage } from '../patience.js';
import { timedOut } from '../timed-out.js';
import { BlockWatch, type Block } from './block.watch.js';
import { LoopHeartbeat } from './loop.heartbeat.js';
import { Pulse } from './pulse.js';
import type { FromThread, ThreadSettings, ToThread } from './thread.heartbeat.js';

/** After a report of a block, shorter or equal ones are not reported for so many ms. */
const QUIET = 10_000;

const { ledger, heartbeat, blockedAfter, pulse, limits } = workerData as ThreadSettings;
const port = parentPort!;
const post = (message: FromThread): void => port.postMessage(message);
const failed = (error: unknown): void => post({ kind: 'failed', message: messageOf(error), outage: isOutage(error) });

const leases = new LeaseLedger(ledger);
const beating = new LoopHeartbeat(leases, heartbeat, {
  renewed: (process, renewal) => post({ kind: 'renewed', process, renewal }),
  failed,
});
const watch = new BlockWatch(new Pulse(pulse), blockedAfter);
let member: string | undefined;
let reported = { milliseconds: 0, at: -QUIET };
let busy: Promise<void> | undefined;

async function fenceOverdue(process: string): Promise<void> {
  if (limits.size === 0) return;
  const due = await leases.overdue(process);
  if (due.length === 0) return;
  const ends = due.map((deadline) => ({ deadline, ...timedOut(deadline, limits.get(deadline.asset), Math.random()) }));
  const { verdicts, endedRuns, rings } = await leases.settle(ends.map(({ outcome }) => outcome));
  // Of what another process, or the attempt itself, ended first, that one tells.
  const committed = ends.filter((_, index) => verdicts[index] === 'committed');
  const fenced = committed.map(({ deadline, failure: { retrying } }) => ({ deadline, retrying }));
  post({ kind: 'timedOut', fenced, endedRuns, rings });
}

async function report(process: string, { milliseconds, executing }: Block): Promise<void> {
  if (performance.now() - reported.at < QUIET && milliseconds <= reported.milliseconds) return;
  reported = { milliseconds, at: performance.now() };
  post({ kind: 'blocked', milliseconds, executing: await leases.tellBlock(process, milliseconds, executing) });
}

const looking = setInterval(() => {
  const { blocked, over } = watch.look();
  if (member === undefined || busy) return;
  if (blocked) busy = fenceOverdue(member);
  else if (over) busy = report(member, over);
  // One after the other: while one waits for the database, nothing is lost by not looking.
  busy = busy?.catch(failed).finally(() => (busy = undefined));
}, blockedAfter / 4);

async function stop(): Promise<void> {
  clearInterval(looking);
  await busy;
  await beating.stop();
  // Nothing keeps the thread alive then.
  port.close();
}

port.on('message', (message: ToThread) => {
  if (message.kind === 'stop') return void stop();
  member = message.process;
  beating.keep(member);
});
