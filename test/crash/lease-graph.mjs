// The assets of the lease tests, for the worker processes and the test that watches them: a partition's key says what its
// code does. Each execution writes a line to a journal when it begins and when it ends.
import { appendFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { Asset, Partitions } from 'nestjs-flowstone';

/** @typedef {import('nestjs-flowstone').AssetContext} AssetContext */

/**
 * @typedef {object} JournalLine
 * @property {number} pid
 * @property {string} asset
 * @property {string} partition
 * @property {number} attempt
 * @property {'begins' | 'ends' | 'aborted'} what
 * @property {number} at
 */

const partitions = Partitions.dynamic('acts');

/** @param {AssetContext} context */
async function act({ asset, partition, attempt, signal }) {
  const tell = (/** @type {JournalLine['what']} */ what) => {
    const line = { pid: process.pid, asset, partition: partition.key, attempt, what, at: Date.now() };
    appendFileSync(process.env['FLOWSTONE_TEST_JOURNAL'] ?? '', `${JSON.stringify(line)}\n`);
  };
  const [verb, milliseconds] = partition.key.split(':');
  tell('begins');
  if (verb === 'block') {
    // Holds up the event loop, as parsing or aggregating does.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(milliseconds));
  } else {
    await pause(Number(milliseconds), undefined, { signal }).catch(() => undefined);
  }
  tell(signal.aborted ? 'aborted' : 'ends');
  return partition.key;
}

/** `block:3000:x` holds the event loop up for 3 s, `wait:3000:x` does not. */
export class Act {
  /** @param {AssetContext} context */
  execute(context) {
    return act(context);
  }
}
Asset({ partitions })(Act);

export class Timed {
  /** @param {AssetContext} context */
  execute(context) {
    return act(context);
  }
}
Asset({ partitions, timeout: '700ms' })(Timed);

export const assets = [Act, Timed];
