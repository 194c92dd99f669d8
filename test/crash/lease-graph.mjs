// The assets of the lease tests, for the worker processes and the test that watches them: a partition's key says what its
// code does. Each execution writes a line to a journal when it begins and when it ends.
import { appendFileSync, existsSync } from 'node:fs';
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
const journal = process.env['FLOWSTONE_TEST_JOURNAL'] ?? '';

/** @param {AssetContext} context */
async function act({ asset, partition, attempt, signal }) {
  const tell = (/** @type {JournalLine['what']} */ what) => {
    const line = { pid: process.pid, asset, partition: partition.key, attempt, what, at: Date.now() };
    appendFileSync(journal, `${JSON.stringify(line)}\n`);
  };
  const [verb, milliseconds] = partition.key.split(':');
  tell('begins');
  if (verb === 'block') {
    // Holds up the event loop, as parsing or aggregating does.
    block(Number(milliseconds));
  } else if (verb === 'hold') {
    for (let looks = 0; looks < 3000 && !existsSync(`${journal}.released`); looks++) block(20);
  } else {
    await pause(Number(milliseconds), undefined, { signal }).catch(() => undefined);
  }
  tell(signal.aborted ? 'aborted' : 'ends');
  return partition.key;
}

/** @param {number} milliseconds */
function block(milliseconds) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

/** `block:3000:x` holds the event loop up for 3 s, `hold::x` until `release()`, for a minute at most; `wait:3000:x` does not. */
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
Asset({ partitions, timeout: '2s' })(Timed);

export const assets = [Act, Timed];
