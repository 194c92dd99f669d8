// PostgreSQL is restarted under the load of two worker processes, and away for longer than their leases.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ledgerDataSource } from '../../lib/ledger/sql/data-source.js';
import { Asset, type FlowStoneOptions } from '../../lib/index.js';
import { gate, startApp } from '../behaviour/graph.js';
import { startPrivatePostgres, type PrivateServer } from '../services/server.mjs';
import { violations } from './invariants.js';
import { recordedValues } from './recorded-values.js';
import { Act, assets } from './lease-graph.mjs';
import { journalOf, journalWith, LeaseProcess } from './lease-process.js';
import { build } from './survivor.js';

const LEASE = 6000;
const ACTS = 60;

let server: PrivateServer;
let options: FlowStoneOptions;
let journal: string;

beforeAll(build, 120_000);

beforeEach(async () => {
  // An answered commit survives a crash of the server, though not one of the machine.
  server = await startPrivatePostgres(['fsync=off', 'full_page_writes=off']);
  const directory = await mkdtemp(join(tmpdir(), 'flowstone-restarts-'));
  journal = join(directory, 'journal');
  const times = { lease: LEASE, heartbeat: 600, sweep: 300, pollInterval: 200, concurrency: 4 };
  options = { storage: { url: server.url }, directory, ...times };
});

afterEach(async () => {
  await server.stop();
  await rm(options.directory!, { recursive: true, force: true });
});

describe('a restart of PostgreSQL under load', () => {
  it.each([
    { way: 'fast', signal: 'SIGINT' },
    { way: 'immediate', signal: 'SIGQUIT' },
  ] as const)(
    'loses, repeats and aborts nothing ($way)',
    async ({ signal }) => {
      const { app, flowstone } = await startApp(assets, { ...options, role: 'api' });
      const workers = await Promise.all([LeaseProcess.start(options, journal), LeaseProcess.start(options, journal)]);
      const keys = Array.from({ length: ACTS }, (_, n) => `wait:300:${n}`);
      await flowstone.addPartitions('acts', keys);
      const requested = await flowstone.materialize(Act, { partitions: keys });
      const waited = Promise.all([requested.wait(), lastOf(requested.progress())]);
      await journalWith(journal, ({ length }) => length > ACTS / 3);

      await server.down(signal);
      await pause(LEASE + 500);
      // One comes back later than the other, whom that must not tempt to take over.
      workers[1].signal('SIGSTOP');
      await server.up();
      await pause(LEASE / 4);
      workers[1].signal('SIGCONT');

      // Who asked has gone on waiting and watching.
      const ended = { status: 'success', counts: { total: ACTS, success: ACTS } };
      expect(await waited).toMatchObject([ended, ended]);
      const database = await ledgerDataSource({ url: server.url }, 'flowstone').initialize();
      const [used] = await database.query(
        'SELECT max(attempts) AS attempts, max(rescues) AS rescues FROM flowstone.materializations',
      );
      expect(used).toEqual({ attempts: 1, rescues: 0 });
      const lines = journalOf(journal);
      expect(lines.filter(({ what }) => what === 'aborted')).toEqual([]);
      expect(lines.filter(({ what }) => what === 'begins')).toHaveLength(ACTS);
      expect(await violations(database, recordedValues(database, join(options.directory!, 'values')))).toEqual([]);

      await database.destroy();
      await Promise.all(workers.map((worker) => worker.end()));
      for (const { output } of workers) {
        // A busy machine may hold up an event loop as well.
        const warnings = output.match(/WARN.*/g)?.filter((line) => !line.includes('The event loop was blocked'));
        expect(warnings).toEqual([expect.stringContaining('The ledger cannot be reached')]);
        expect(output.match(/The ledger is back/g)).toHaveLength(1);
      }
      await app.close();
    },
    60_000,
  );
});

describe('an application that is closed while PostgreSQL is away', () => {
  it('ends without handing back what it held, and others take that over', async () => {
    const begun = gate();
    const ended = gate();
    @Asset()
    class Interrupted {
      async execute(): Promise<void> {
        begun.open();
        await ended.opened;
      }
    }
    const first = await startApp([Interrupted], { ...options, drainDeadline: 100 });
    const errors: unknown[] = [];
    const silent = () => undefined;
    Logger.overrideLogger({ log: silent, warn: silent, error: (message) => errors.push(message) });
    const run = await first.flowstone.materialize(Interrupted);
    await begun.opened;
    await server.down('SIGQUIT');
    ended.open();
    await first.app.close();
    // An outage is none: it is warned of.
    expect(errors).toEqual([]);

    await server.up();
    const second = await startApp([Interrupted], options);
    expect(await second.flowstone.run(run.id).wait()).toMatchObject({ status: 'success' });
    await second.app.close();
  }, 60_000);
});

/** The last that is told. */
async function lastOf<T>(told: AsyncIterable<T>): Promise<T | undefined> {
  let last: T | undefined;
  for await (const one of told) last = one;
  return last;
}
