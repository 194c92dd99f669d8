// Leases of worker processes on one PostgreSQL database: blocked event loops, kills, stops, cut connections.
import { afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { DataSource } from 'typeorm';
import type { Failure, FlowStoneService, RunHandle } from '../../lib/index.js';
import { Act, assets, Timed } from './lease-graph.mjs';
import { journalOf, journalWith, release } from './lease-process.js';
import { build } from './survivor.js';
import { Workplace } from './workplace.js';

const LEASE = 4000;
const SWEEP = 400;
const WITHIN = LEASE + SWEEP + 1000;
const TIMES = { lease: LEASE, heartbeat: 400, sweep: SWEEP, pollInterval: 200 };

// Every test starts several processes, one after the other where the machine is busy.
jest.setTimeout(120_000);

let place: Workplace;
let flowstone: FlowStoneService;
let database: DataSource;
let journal: string;

beforeAll(build);

beforeEach(async () => {
  place = await Workplace.open(assets, TIMES);
  ({ flowstone, database, journal } = place);
});

afterEach(() => place.close());

async function ask(asset: typeof Act, ...acts: string[]): Promise<RunHandle> {
  await flowstone.addPartitions('acts', acts);
  return flowstone.materialize(asset, { partitions: acts });
}

/** The one row of a query, once there is one. */
async function found(sql: string): Promise<Record<string, unknown>> {
  for (;;) {
    const [row] = await database.query<Record<string, unknown>[]>(sql);
    if (row) return row;
  }
}

const begun = () => journalOf(journal).filter(({ what }) => what === 'begins');

describe('a lease', () => {
  it('outlives code that blocks the event loop for several leases', async () => {
    await place.work();
    const run = await ask(Act, `block:${2.5 * LEASE}:`);
    await run.wait();
    expect(begun()).toHaveLength(1);
    const { items } = await flowstone.history(Act);
    expect(items).toMatchObject([{ status: 'success', epoch: 1, attempts: 1 }]);
  });

  it('reports a block with its length and what executed', async () => {
    const worker = await place.work();
    const asked = performance.now();
    await (await ask(Act, 'block:3000:slow')).wait();
    const longest = performance.now() - asked;
    const event = await found(
      `SELECT a.key AS asset, e.partition, e.detail ->> 'milliseconds' AS ms
      FROM flowstone.events e JOIN flowstone.assets a ON a.id = e.asset_id WHERE e.kind = 'process.blocked'`,
    );
    expect(event).toMatchObject({ asset: 'act', partition: 'block:3000:slow' });
    const milliseconds = Number(event['ms']);
    // What is not looked at in time, on a busy machine, counts for less; it may have begun before by a part of a second.
    expect(milliseconds).toBeGreaterThan(1500);
    expect(milliseconds).toBeLessThan(longest + 1000);
    await worker.end();
    const seconds = (milliseconds / 1000).toFixed(1);
    expect(worker.output).toContain(`blocked for ${seconds} s while act[block:3000:slow] executed`);
  });

  it('does not keep an attempt past its timeout, though the event loop is blocked', async () => {
    const worker = await place.work();
    await ask(Timed, 'hold::');
    await journalWith(journal, ({ length }) => length === 1);
    // Nobody else is there to count.
    await place.app.close();
    const { error } = await found(`SELECT error FROM flowstone.materializations WHERE status = 'failed'`);
    expect(error).toMatchObject({ code: 'FLOWSTONE_EXECUTE_TIMEOUT' });
    expect(journalOf(journal)).toHaveLength(1);
    release(journal);
    await worker.end();
    expect(journalOf(journal)).toHaveLength(2);
    expect(worker.output.match(/FLOWSTONE_EXECUTE_TIMEOUT/g)).toHaveLength(1);
    expect(await found('SELECT count(*)::integer AS n FROM flowstone.materializations')).toEqual({ n: 1 });
    expect(await found(`SELECT status, total, failed FROM flowstone.runs`)).toEqual({
      status: 'failed',
      total: 1,
      failed: 1,
    });
  });

  it('tells of a timeout in one process: the one that recorded it', async () => {
    const failures: Failure[] = [];
    const onFailure = (failure: Failure): void => void failures.push(failure);
    await place.restart({ onFailure });
    ({ flowstone } = place);
    const stopped = await place.work();
    const run = await ask(Timed, 'wait:60000:');
    await journalWith(journal, ({ length }) => length === 1);
    stopped.signal('SIGSTOP');
    await expect(run.wait()).rejects.toMatchObject({ code: 'FLOWSTONE_RUN_FAILED' });
    stopped.signal('SIGCONT');
    await journalWith(journal, ({ length }) => length === 2);
    await stopped.end();
    expect(failures).toMatchObject([{ error: { code: 'FLOWSTONE_EXECUTE_TIMEOUT' }, retrying: false }]);
    expect(stopped.output).not.toContain('FLOWSTONE_EXECUTE_TIMEOUT');
  });

  it('of a killed process gives its work to another within lease, sweep and a second', async () => {
    const takeOver = async (act: string): Promise<number> => {
      await Promise.all([place.work(), place.work()]);
      const run = await ask(Act, act);
      const told = () => journalOf(journal).filter(({ partition }) => partition === act);
      await journalWith(journal, () => told().length === 1);
      const killed = Date.now();
      place.workers.find(({ pid }) => pid === told()[0]!.pid)!.signal('SIGKILL');
      await run.wait();
      expect(told().map(({ what, attempt }) => [what, attempt])).toEqual([
        ['begins', 1],
        ['begins', 1],
        ['ends', 1],
      ]);
      return told()[1]!.at - killed;
    };
    // On a busy machine a process may come to its turn late, though not each time.
    let took = await takeOver('wait:1000:1');
    for (const act of ['wait:1000:2', 'wait:1000:3']) if (took >= WITHIN) took = await takeOver(act);
    expect(took).toBeLessThan(WITHIN);
  });

  it('of a stopped process is given up; woken, it commits nothing of that and works on', async () => {
    const stopped = await place.work();
    const run = await ask(Act, `wait:${LEASE}:`);
    await journalWith(journal, ({ length }) => length === 1);
    stopped.signal('SIGSTOP');
    const other = await place.work();
    const lines = await journalWith(journal, (all) => all.length >= 2);
    expect(lines[1]!.pid).toBe(other.pid);
    stopped.signal('SIGCONT');
    await run.wait();
    const { items } = await flowstone.history(Act);
    expect(items).toMatchObject([{ status: 'success', attempts: 1 }]);
    other.signal('SIGKILL');
    await (await ask(Act, 'wait:0:again')).wait();
    expect(begun().at(-1)!.pid).toBe(stopped.pid);
    expect(stopped.output).toContain('The lease was lost');
  });
});
