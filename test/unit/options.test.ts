import { describe, expect, it } from '@jest/globals';
import { resolveOptions } from '../../lib/flowstone.options.js';

const url = 'postgres://user@127.0.0.1/app';
const redis = 'redis://127.0.0.1:6379';

/** What is wrong with options that a compiler may not have seen. */
function problemsOf(options: object, environment: NodeJS.ProcessEnv = {}): readonly string[] {
  try {
    resolveOptions(options, environment);
    return [];
  } catch (error) {
    expect(error).toMatchObject({ code: 'FLOWSTONE_OPTIONS_INVALID' });
    return (error as { context: { problems: string[] } }).context.problems;
  }
}

describe('options', () => {
  it.each<[object, string]>([
    [{ concurency: 2 }, 'unknown option "concurency", did you mean "concurrency"?'],
    [{ concurrency: 0 }, 'concurrency must be a whole number of at least 1'],
    [{ concurrency: NaN }, 'concurrency must be a whole number of at least 1'],
    [{ concurrency: 1e9 }, 'concurrency must be a whole number of at least 1 and at most 100000'],
    [{ lease: -5 }, "lease must be a duration: write '500ms', '10s'"],
    [{ lease: '8s' }, 'heartbeat must be at most half of lease'],
    // A timer of Node cannot wait for so long: it would fire at once.
    [{ pollInterval: '25d' }, 'pollInterval must be at most 24d'],
    [{ pollInterval: 0 }, 'pollInterval must be at least 1 ms'],
    [{ heartbeat: 0 }, 'heartbeat must be at least 1 ms'],
    [{ sweep: 0 }, 'sweep must be at least 1 ms'],
    [{ storage: 'postgress' }, "storage must be 'embedded', 'memory', { url: 'postgres://...' } or { dataSource }"],
    [{ storage: { url: 'mysql://127.0.0.1' } }, "storage must be 'embedded', 'memory', { url: 'postgres://...' }"],
    [{ storage: { url: 5 } }, "storage must be 'embedded', 'memory', { url: 'postgres://...' }"],
    [
      { storage: { url, poolsize: 4 } },
      'storage must be without poolsize (did you mean "poolSize"?): it has url and poolSize',
    ],
    [{ storage: { url, poolSize: 0 } }, 'storage must be given a poolSize that is a whole number of at least 1'],
    [{ storage: { url, poolSize: -3 } }, 'storage must be given a poolSize that is a whole number of at least 1'],
    [{ storage: { dataSource: {} } }, 'storage must be given a DataSource of TypeORM'],
    [{ storage: { dataSource: null } }, 'storage must be given a DataSource of TypeORM'],
    [{ queue: { redis, prefx: 'a' } }, 'queue must be without prefx (did you mean "prefix"?): it has redis and prefix'],
    [{ queue: { redis: 'redis://127.0.0.1:99999' } }, "queue must be 'in-process' or { redis: 'redis://...'"],
    [{ queue: { redis: 6379 } }, "queue must be 'in-process' or { redis: 'redis://...'"],
    [{ managers: { lake: null } }, 'managers must be such that lake is an I/O manager, with store, load and delete'],
  ])('%j: %s', (options, problem) => {
    expect(problemsOf(options)).toEqual([expect.stringContaining(problem)]);
  });

  it('are wrong all at once, and named by the variable they came from', () => {
    expect(problemsOf({ role: 'boss', lease: 'long' }, { FLOWSTONE_SWEEP: '0' })).toEqual([
      "role must be 'all', 'worker' or 'api'",
      expect.stringContaining('lease must be a duration'),
      "FLOWSTONE_SWEEP must be a duration: write '500ms', '10s', '2m', '1h' or '1d', or a number of milliseconds",
    ]);
  });

  it('have defaults, which what is given and the environment replace in this order', () => {
    expect(problemsOf({ storage: { url, poolSize: 4 }, queue: { redis, prefix: 'a' } })).toEqual([]);
    const { concurrency, sweep, storage } = resolveOptions(
      { concurrency: 3 },
      { FLOWSTONE_CONCURRENCY: '5', FLOWSTONE_SWEEP: '2s' },
    );
    expect({ concurrency, sweep, storage }).toEqual({ concurrency: 3, sweep: 2000, storage: 'embedded' });
  });
});
