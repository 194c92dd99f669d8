// Where a torture takes place: a PostgreSQL of its own with ledger and audit, a Redis, a folder for values and evidence,
// and the crew of workers; all of it is gone afterwards.
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Pool } from 'pg';
import { ledgerDataSource } from '../../lib/ledger/sql/data-source.js';
import { startPrivatePostgres, startPrivateRedis, type PrivateServer } from '../services/server.mjs';
import { FURNACE, PRESS, SITES, SURVEY } from './assets.js';
import { AUDIT } from './audit.js';
import { Crew } from './crew.js';
import { Random } from './random.js';

/** Short, so that what a lost worker held is soon taken over. All in ms. */
export const TIMES = {
  lease: 1500,
  heartbeat: 400,
  sweep: 500,
  cancelGrace: 400,
  pollInterval: 400,
  drainDeadline: 1000,
} as const;

/** An answered commit survives a crash of the server, even one amid the write of a page, though not one of the machine. */
const SETTINGS = ['fsync=off', 'track_commit_timestamp=on'];

export interface StageOptions {
  readonly seed: number;
  readonly workers: number;
  /** The folder of the build whose workers are tortured. */
  readonly build: string;
  /** Keep logs, values and evidence, and say where. */
  readonly keep: boolean;
  readonly tell: (what: string) => void;
}

export interface Stage extends AsyncDisposable {
  readonly database: PrivateServer;
  readonly redis: PrivateServer;
  /** Straight to the database, past every fault but its own. */
  readonly pool: Pool;
  readonly crew: Crew;
  /** Folders of the filesystem manager's values and of the evidence of executions. */
  readonly values: string;
  readonly evidence: string;
  /** What workers did and never should. */
  readonly misdeeds: readonly string[];
}

export async function setStage({ seed, workers, build, keep, tell }: StageOptions): Promise<Stage> {
  const directory = await mkdtemp(join(tmpdir(), 'flowstone-torture-'));
  const evidence = join(directory, 'evidence');
  await mkdir(evidence);
  const database = await startPrivatePostgres(SETTINGS);
  const redis = await startPrivateRedis();
  // The build's own schema, since guards stand in its functions too.
  const migrations = pathToFileURL(join(build, 'migrations/index.js')).href;
  const { migrateLedger } = (await import(migrations)) as typeof import('../../migrations/index.js');
  await migrateLedger(ledgerDataSource({ url: database.url }, 'flowstone'));
  const pool = new Pool({ connectionString: database.url, max: 4 });
  // A lost idle connection is replaced at the next query.
  pool.on('error', () => undefined);
  await pool.query(AUDIT);
  const misdeeds: string[] = [];
  const crew = await Crew.gather({
    size: workers,
    program: join(build, 'test/torture/worker.process.js'),
    port: Number(new URL(database.url).port),
    directory,
    settings: (slot, port, generation) => ({
      options: {
        ...TIMES,
        storage: { url: Object.assign(new URL(database.url), { port }).href, poolSize: 6 },
        directory,
        migrate: false,
        queue: { redis: redis.url },
        pools: {
          [PRESS.pool]: { concurrency: PRESS.concurrency },
          [FURNACE.pool]: { concurrency: FURNACE.concurrency },
          [SURVEY.pool]: {
            rate: SURVEY.rate,
            perKey: { dimension: SITES, rate: SURVEY.perSite },
          },
        },
        // Runs are kept, since they are counted at the end; what else may go goes as soon as it may.
        retention: { runs: false, events: false, versions: { keep: 1 }, orphans: '2s', every: '1s' },
        role: slot === 0 ? 'api' : 'worker',
      },
      evidence,
      seed: Math.floor(new Random(seed + 1000 * slot + generation).between(0, 2 ** 31)),
    }),
    misbehaved: (what) => {
      misdeeds.push(what);
      tell(what);
    },
  });
  // Ctrl-C leaves nothing behind either, least of all processes that stand still.
  const abandon = (signal: NodeJS.Signals): void => {
    tell(`stopped by ${signal}`);
    crew.killAll();
    void Promise.allSettled([database.stop(), redis.stop()]).then(() => process.exit(130));
  };
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, abandon);
  return {
    ...{ database, redis, pool, crew, evidence, misdeeds },
    values: join(directory, 'values'),
    async [Symbol.asyncDispose]() {
      for (const signal of ['SIGINT', 'SIGTERM']) process.off(signal, abandon);
      crew.killAll();
      await pool.end();
      await Promise.all([database.stop(), redis.stop()]);
      if (keep) tell(`kept: ${directory}`);
      else await rm(directory, { recursive: true, force: true });
    },
  };
}
