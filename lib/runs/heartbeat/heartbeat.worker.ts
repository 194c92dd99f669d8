// The thread of the heartbeat: a loop and a connection that no code of the application can hold up.
import { parentPort, workerData } from 'node:worker_threads';
import { LeaseLedger } from '../../ledger/sql/lease-ledger.js';
import { messageOf } from '../failure.js';
import { LoopHeartbeat } from './loop.heartbeat.js';
import type { FromThread, ThreadSettings, ToThread } from './thread.heartbeat.js';

const { ledger, heartbeat } = workerData as ThreadSettings;
const port = parentPort!;
const post = (message: FromThread): void => port.postMessage(message);

const beating = new LoopHeartbeat(new LeaseLedger(ledger), heartbeat, {
  renewed: (process, renewal) => post({ kind: 'renewed', process, renewal }),
  failed: (error) => post({ kind: 'failed', message: messageOf(error) }),
});

port.on('message', (message: ToThread) => {
  if (message.kind === 'keep') beating.keep(message.process);
  // Nothing keeps the thread alive then.
  else void beating.stop().then(() => port.close());
});
