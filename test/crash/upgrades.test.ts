// Workers of two versions of an application side by side on one PostgreSQL database: a rollout, a rollback, a rolling
// restart under load.
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Failure, FlowStoneOptions, FlowStoneService, RunHandle } from '../../lib/index.js';
import { startApp } from '../behaviour/graph.js';
import { violations } from './invariants.js';
import { recordedValues } from './recorded-values.js';
import { journalOf, journalWith, type LeaseProcess } from './lease-process.js';
import { build } from './survivor.js';
import { versions } from './upgrade-graph.mjs';
import { Workplace } from './workplace.js';

const TIMES = { lease: 60_000, heartbeat: 250, sweep: 250, pollInterval: 100 };
/** Of those that are to lose it, once they are killed. */
const SHORT = { lease: 4000 };

// Every test starts several processes, one after the other where the machine is busy.
jest.setTimeout(120_000);

/** Its application is of the old version. */
let place: Workplace;
let flowstone: FlowStoneService;
let journal: string;

beforeAll(build);

beforeEach(async () => {
  place = await Workplace.open(versions.v1, TIMES);
  ({ flowstone, journal } = place);
});

afterEach(() => place.close());

const work = (version: keyof typeof versions, more?: FlowStoneOptions): Promise<LeaseProcess> =>
  place.work(more, { module: './upgrade-graph.mjs', version });

async function kill(worker: LeaseProcess): Promise<void> {
  worker.signal('SIGKILL');
  await worker.end();
}

/** Distinct keys of executions that take so many ms. */
function keys(count: number, milliseconds = 0): string[] {
  return Array.from({ length: count }, () => `${milliseconds}:${key++}`);
}
let key = 0;

async function ask(asset: string, partitions: readonly string[]): Promise<RunHandle> {
  await flowstone.addPartitions('keys', partitions);
  return flowstone.materialize(asset, { partitions });
}

/** The processes that executed any of these partitions of an asset. */
function whoDid(asset: string, partitions: readonly string[]): number[] {
  const lines = journalOf(journal).filter(
    (line) => line.asset === asset && line.what === 'begins' && partitions.includes(line.partition),
  );
  expect(lines.map(({ partition }) => partition).sort()).toEqual([...partitions].sort());
  return [...new Set(lines.map(({ pid }) => pid))];
}

/** Resolves once `read` gives something that `met` accepts. */
async function eventually<T>(read: () => Promise<T>, met: (value: T) => boolean): Promise<T> {
  for (;;) {
    const value = await read();
    if (met(value)) return value;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('with workers of an old and a new version', () => {
  it('only those of the definition first registered latest execute, and a restarted old one changes nothing', async () => {
    const old = await work('v1');
    const before = keys(3);
    await (await ask('source', before)).wait();
    expect(whoDid('source', before)).toEqual([old.pid]);

    const renewed = await work('v2');
    const during = keys(40);
    await (await ask('derived', during)).wait();
    expect(whoDid('source', during)).toEqual([renewed.pid]);

    await old.end();
    expect(old.output).toContain('A newer definition is current of source, timed:');
    await work('v1');
    const after = keys(40);
    await (await ask('derived', after)).wait();
    expect(whoDid('source', after)).toEqual([renewed.pid]);
    expect(await flowstone.load('source', { partition: after[0]! })).toBe('2');
  });

  it('none of the old version begins anything after a new one is there, however much is ready', async () => {
    // Longer than the test: it does not learn of the new one by its heartbeat.
    const old = await work('v1', { concurrency: 1, heartbeat: 20_000 });
    const partitions = keys(30, 100);
    const run = await ask('source', partitions);
    await journalWith(journal, ({ length }) => length > 5);
    const renewed = await work('v2', { concurrency: 1 });
    const entered = Date.now();
    await run.wait();
    expect(whoDid('source', partitions).sort()).toEqual([old.pid, renewed.pid].sort());
    // What it had claimed already, one ahead, it may still begin.
    const late = journalOf(journal).filter(({ pid, what, at }) => pid === old.pid && what === 'begins' && at > entered);
    expect(late.length).toBeLessThanOrEqual(1);
  });

  it('what runs on the old one when a new one comes ends there, commits, and is stale by its code', async () => {
    const old = await work('v1');
    const [partition] = keys(1, 3000);
    const run = await ask('source', [partition!]);
    await journalWith(journal, ({ length }) => length === 1);
    await work('v2');
    expect((await run.wait()).counts).toMatchObject({ success: 1 });
    expect(whoDid('source', [partition!])).toEqual([old.pid]);
    const { items } = await flowstone.history('source');
    expect(items).toMatchObject([{ status: 'success', epoch: 1, attempts: 1, codeVersion: '1' }]);
    const status = await eventually(
      () => flowstone.status('source', partition!),
      ({ state }) => state === 'stale',
    );
    expect(status.reasons).toMatchObject([{ kind: 'code_changed' }]);
    const again = await flowstone.materialize('source', { partition: partition! });
    expect((await again.wait()).counts).toMatchObject({ success: 1 });
    expect(await flowstone.status('source', partition!)).toMatchObject({ state: 'fresh' });
  });

  it('the old definition is current again once the new processes are gone, also by a crash', async () => {
    const old = await work('v1');
    const renewed = await work('v2', SHORT);
    const [first, second] = [keys(5), keys(5)];
    await (await ask('source', first)).wait();
    expect(whoDid('source', first)).toEqual([renewed.pid]);
    await kill(renewed);
    await (await ask('source', second)).wait();
    expect(whoDid('source', second)).toEqual([old.pid]);
    expect((await flowstone.status('source', second[0]!)).state).toBe('fresh');
    // The old one has another code version than what the new one computed.
    expect(await flowstone.status('source', first[0]!)).toMatchObject({
      state: 'stale',
      reasons: [{ kind: 'code_changed' }],
    });
    expect(old.output).toContain('are the current ones again');
  });

  it('an asset that only one of them declares is shown, planned and executed by that one', async () => {
    const old = await work('v1');
    const partitions = keys(3);
    await flowstone.addPartitions('keys', partitions);
    await expect(flowstone.materialize('new_only', { partitions })).rejects.toMatchObject({
      code: 'FLOWSTONE_SELECTION_UNKNOWN',
    });
    const renewed = await work('v2');
    const known = await eventually(
      async () => flowstone.graph().nodes.map((node) => node.key),
      (nodes) => nodes.includes('new_only'),
    );
    expect(known).toEqual(['derived', 'new_only', 'new_timed', 'old_only', 'source', 'timed']);
    expect(await flowstone.status('new_only', partitions[0]!)).toMatchObject({ state: 'missing' });
    const plan = await flowstone.plan('new_only', { partitions });
    expect(Array.from({ length: plan.size }, (_, index) => plan.assetAt(index)).sort()).toEqual([
      ...Array(3).fill('new_only'),
      ...Array(3).fill('source'),
    ]);
    await (await flowstone.materialize('new_only', { partitions })).wait();
    await (await flowstone.materialize('old_only', { partitions })).wait();
    expect([whoDid('new_only', partitions), whoDid('old_only', partitions)]).toEqual([[renewed.pid], [old.pid]]);
    expect(await flowstone.load('new_only', { partition: partitions[0]! })).toBe('2');
  });

  it.each([
    ['has an older definition', 'timed'],
    ['has none', 'new_timed'],
  ])('a timeout seen by a process that %s is tried again by the current one', async (_what, asset) => {
    const failures: Failure[] = [];
    await place.restart({ onFailure: (failure) => void failures.push(failure) });
    ({ flowstone } = place);
    // Held still, it neither tells of the timeout itself nor loses its lease.
    const renewed = await work('v2', { heartbeat: 20_000 });
    await eventually(
      async () => flowstone.graph().nodes.map((node) => node.key),
      (nodes) => nodes.includes('new_timed'),
    );
    const [partition] = keys(1, 60_000);
    const run = await ask(asset, [partition!]);
    await journalWith(journal, ({ length }) => length === 1);
    renewed.signal('SIGSTOP');
    const { items } = await eventually(
      () => flowstone.materializations(run.id),
      ({ items: [item] }) => item!.status !== 'running',
    );
    expect(items).toMatchObject([{ asset, status: 'pending', attempts: 1 }]);
    await eventually(
      async () => failures.length,
      (length) => length > 0,
    );
    const error = { code: 'FLOWSTONE_EXECUTE_TIMEOUT' };
    expect(failures).toMatchObject([{ asset, partition, attempt: 1, retrying: true, error }]);
  });

  it('a timeout seen by a process that does not know the asset yet is left to one that does', async () => {
    const restful = { heartbeat: 20_000 };
    await place.restart(restful);
    const renewed = await work('v2', restful);
    const knowing = (): ReturnType<typeof startApp> => startApp(versions.v1, { ...place.options, role: 'api' });
    const asker = await knowing();
    ({ flowstone } = asker);
    const run = await ask('new_timed', keys(1, 60_000));
    await journalWith(journal, ({ length }) => length === 1);
    renewed.signal('SIGSTOP');
    await asker.app.close();
    // Who does not know it has looked once more by then.
    await eventually(
      () =>
        place.database.query<unknown[]>(
          `SELECT FROM flowstone.materializations
           WHERE status <> 'running' OR deadline < clock_timestamp() - interval '1500 ms'`,
        ),
      ({ length }) => length > 0,
    );
    const late = await knowing();
    const { items } = await eventually(
      () => late.flowstone.materializations(run.id),
      ({ items: [item] }) => item!.status !== 'running',
    );
    await late.app.close();
    expect(items).toMatchObject([{ status: 'pending', attempts: 1 }]);
  });

  it('what no live worker declares waits, and runs when one comes that does', async () => {
    const old = await work('v1', { ...SHORT, concurrency: 1 });
    const [long, ...partitions] = [...keys(1, 60_000), ...keys(3)];
    await ask('old_only', [long!]);
    await journalWith(journal, ({ length }) => length === 1);
    const run = await ask('old_only', partitions);
    await eventually(
      () => run.view(),
      ({ status }) => status !== 'planning',
    );
    await work('v2', { drainDeadline: 100 });
    await kill(old);
    // The new one computes what is upstream, and has nothing more that it can do.
    const waiting = await eventually(
      () => run.view(),
      ({ status, counts }) => status === 'waiting' && counts.success === 3,
    );
    expect(waiting.counts).toMatchObject({ total: 6, success: 3, running: 0 });
    const { items } = await flowstone.materializations(run.id);
    const pending = items.filter(({ status }) => status === 'pending');
    expect(pending.map(({ asset }) => asset)).toEqual(Array(3).fill('old_only'));
    const why = await flowstone.whyWaiting(pending[0]!.id);
    expect(why).toMatchObject({ kind: 'worker' });
    const again = await work('v1', { drainDeadline: 100 });
    await run.wait();
    expect(whoDid('old_only', partitions)).toEqual([again.pid]);
  });
});

describe('a rolling restart of workers under load', () => {
  it.each([
    { to: 'v1', what: 'the same version' },
    { to: 'v2', what: 'a new version' },
  ] as const)('to $what loses and repeats nothing, and uses up no attempt', async ({ to }) => {
    const old = await Promise.all([work('v1'), work('v1'), work('v1')]);
    const partitions = keys(150, 60);
    const run = await ask('derived', partitions);
    await journalWith(journal, ({ length }) => length > 30);
    for (const worker of old) {
      worker.signal('SIGTERM');
      await Promise.all([worker.end(), work(to)]);
    }
    const { counts, status } = await run.wait();
    expect({ status, counts }).toMatchObject({ status: 'success', counts: { total: 300, success: 300 } });
    const lines = journalOf(journal);
    expect(lines.filter(({ what }) => what === 'aborted')).toEqual([]);
    expect(lines.filter(({ what }) => what === 'begins')).toHaveLength(300);
    const [used] = await place.database.query(
      'SELECT max(attempts) AS attempts, max(rescues) AS rescues, max(epoch) AS epoch FROM flowstone.materializations',
    );
    expect(used).toMatchObject({ attempts: 1, rescues: 0 });
    const load = recordedValues(place.database, join(place.options.directory!, 'values'));
    expect(await violations(place.database, load)).toEqual([]);
  });
});
