// Events of one process heard in another, on a server: at once where they are told, by and by where they are not.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { TestingModule } from '@nestjs/testing';
import { Client } from 'pg';
import { firstValueFrom } from 'rxjs';
import { Asset, type FlowStoneOptions, type FlowStoneService } from '../../lib/index.js';
import { startApp } from '../behaviour/graph.js';
import { freshDatabase, type FreshDatabase } from '../services/services.js';

@Asset()
class Numbers {
  execute(): number[] {
    return [1, 2, 3];
  }
}

/** So long that nothing is found by looking. */
const NEVER = '1h';

let database: FreshDatabase;
let client: Client;
let namespaces = 0;

beforeAll(async () => {
  database = await freshDatabase();
  client = new Client({ connectionString: database.url });
  await client.connect();
});

afterAll(async () => {
  await client.end();
  await database.drop();
});

interface Process {
  readonly app: TestingModule;
  readonly flowstone: FlowStoneService;
}

let here: Process;
let there: Process;
const apps: TestingModule[] = [];

const start = async (options: Partial<FlowStoneOptions> = {}): Promise<Process> => {
  const process = await startApp([Numbers], {
    storage: { url: database.url },
    io: 'postgres',
    namespace: `news_${namespaces}`,
    heartbeat: '50ms',
    pollInterval: NEVER,
    ...options,
  });
  apps.push(process.app);
  return process;
};

const listeners = async (): Promise<number[]> => {
  const { rows } = await client.query<{ pid: number }>(
    `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'flowstone events'`,
  );
  return rows.map(({ pid }) => pid);
};

/** Runs end there again and again until one is heard of here. */
async function endHeardHere(): Promise<void> {
  let isHeard = false;
  const heard = firstValueFrom(here.flowstone.events.of('run.ended')).then(() => (isHeard = true));
  await here.flowstone.events.listening();
  while (!isHeard) {
    const run = await there.flowstone.materialize(Numbers, { force: true });
    await run.wait();
  }
  await heard;
}

beforeEach(() => void namespaces++);

afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
});

describe('what another process records', () => {
  it('is heard of without looking for it, also after the connection that listens was lost', async () => {
    [here, there] = [await start({ role: 'api' }), await start()];
    expect(await listeners()).toHaveLength(0);
    const subscription = here.flowstone.events.all().subscribe(() => undefined);
    await endHeardHere();
    const [pid, ...more] = await listeners();
    expect(more).toEqual([]);
    await client.query('SELECT pg_terminate_backend($1)', [pid]);
    let again: number[] = [];
    while (again.length === 0 || again[0] === pid) again = await listeners();
    await endHeardHere();
    expect(await listeners()).toEqual(again);
    subscription.unsubscribe();
  });

  it('takes no connection any more once nobody listens, nor after the application was closed', async () => {
    [here, there] = [await start({ role: 'api' }), await start()];
    await endHeardHere();
    while ((await listeners()).length > 0);
    const subscription = here.flowstone.events.all().subscribe(() => undefined);
    while ((await listeners()).length === 0);
    await here.app.close();
    expect(await listeners()).toEqual([]);
    subscription.unsubscribe();
  });

  it('is found by looking where nobody is told', async () => {
    [here, there] = [await start({ role: 'api', events: { listen: false }, pollInterval: '50ms' }), await start()];
    await endHeardHere();
    expect(await listeners()).toEqual([]);
  });

  it('is told by whoever only records, and does not listen itself', async () => {
    [here, there] = [await start(), await start({ role: 'api', events: { listen: false } })];
    const heard = firstValueFrom(here.flowstone.events.of('asset.invalidated'));
    await here.flowstone.materialize(Numbers).then((run) => run.wait());
    let isHeard = false;
    void heard.then(() => (isHeard = true));
    while (!isHeard) await there.flowstone.invalidate(Numbers);
    expect(await heard).toMatchObject({ asset: 'numbers' });
  });
});
