// Two versions of the assets of one application, for the worker processes of the upgrade tests and the test that watches
// them. Each execution writes a line to the journal of the lease tests. A partition's key says how long it takes.
import { appendFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { Asset, DependsOn, Partitions } from 'nestjs-flowstone';

/** @typedef {import('nestjs-flowstone').AssetContext} AssetContext */

const partitions = Partitions.dynamic('keys');

/**
 * A class whose value says which version computed it.
 * @param {string} version
 */
function computedBy(version) {
  return class {
    /** @param {AssetContext} context */
    async execute({ asset, partition, attempt, signal }) {
      const tell = (/** @type {import('./lease-graph.mjs').JournalLine['what']} */ what) => {
        const line = { pid: process.pid, asset, partition: partition.key, attempt, what, at: Date.now() };
        appendFileSync(process.env['FLOWSTONE_TEST_JOURNAL'] ?? '', `${JSON.stringify(line)}\n`);
      };
      tell('begins');
      const [milliseconds] = partition.key.split(':');
      await pause(Number(milliseconds), undefined, { signal }).catch(() => undefined);
      tell(signal.aborted ? 'aborted' : 'ends');
      return version;
    }
  };
}

/**
 * What both versions have: `source`, whose code changes; `derived`, which does not and consumes it; `timed`, whose options
 * change; and one asset that only this version has.
 * @param {string} version
 * @param {string} only
 * @param {import('nestjs-flowstone').AssetOptions} limits
 */
function versionOf(version, only, limits) {
  const Source = computedBy(version);
  Asset({ name: 'source', partitions, codeVersion: version })(Source);
  const Derived = computedBy(version);
  Asset({ name: 'derived', partitions })(Derived);
  DependsOn({ source: Source })(Derived);
  const Only = computedBy(version);
  Asset({ name: only, partitions })(Only);
  DependsOn({ source: Source })(Only);
  const Timed = computedBy(version);
  Asset({ name: 'timed', partitions, ...limits })(Timed);
  return [Source, Derived, Only, Timed];
}

/** @type {import('nestjs-flowstone').AssetOptions} */
const tried = { timeout: '2s', retry: { attempts: 2, delay: '1h' } };
const OnlyTimed = computedBy('2');
Asset({ name: 'new_timed', partitions, ...tried })(OnlyTimed);

export const versions = {
  v1: versionOf('1', 'old_only', { timeout: '2s' }),
  v2: [...versionOf('2', 'new_only', tried), OnlyTimed],
};
