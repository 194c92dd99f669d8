// What forRoot() takes: every option once, with its type, default, environment variable and meaning.
// docs/configuration.md is generated from the catalogue (npm run docs).
import { EXPECTED_DURATION, readDuration, type Duration } from './assets/duration.js';
import { FlowStoneError } from './flowstone.errors.js';
import { readNotifiers, type EventNotifier } from './events/event.notifier.js';
import { DEFAULT_EVENTS, readEvents, type EventOptions, type Events } from './events/event.options.js';
import { suggestion, unknownName } from './graph/did-you-mean.js';
import type { IoManager } from './io/io-manager.port.js';
import type { DataSource } from './ledger/ledger.port.js';
import type { PoolRegistration } from './ledger/registrations.js';
import { readOpenLineage, type OpenLineage, type OpenLineageOptions } from './openlineage/openlineage.options.js';
import { DEFAULT_OUTBOX, readOutbox, type Outbox, type OutboxOptions } from './outbox/outbox.options.js';
import { readProvidedResources, type ProvidedResource } from './resources/resource.options.js';
import {
  DEFAULT_RETENTION,
  readRetention,
  type Retention,
  type RetentionOptions,
} from './retention/retention.options.js';
import type { Failure } from './runs/failure.js';
import { readPools, type PoolOptions } from './runs/pool.options.js';
import { readTelemetry, type Telemetry, type TelemetryOptions } from './telemetry/telemetry.options.js';

/** PostgreSQL (15 or newer) by url, with a DataSource of FlowStone's own. */
export interface PostgresStorage {
  readonly url: string;
  /** Connections at most. */
  readonly poolSize?: number;
}

/** A DataSource of the host's, connected to PostgreSQL; the host closes it after the application. */
export interface DataSourceStorage {
  readonly dataSource: DataSource;
}

/** What a process is for: `api` requests and reads, `worker` executes as well, `all` is whatever FlowStone does. */
export type Role = 'all' | 'worker' | 'api';

/** News over Redis, by Bull (package `bull`). */
export interface RedisQueue {
  /** A redis:// or rediss:// url, or options of ioredis. */
  readonly redis: string | Readonly<Record<string, unknown>>;
  /** What the names of all keys begin with; default `bull`. */
  readonly prefix?: string;
}

export type Queue = 'in-process' | RedisQueue;

export type Storage = 'embedded' | 'memory' | PostgresStorage | DataSourceStorage;

/** What `FlowStoneModule.forRoot()` takes. Every option has a default; durations are ms or `'10s' | '2m' | '1d'`. */
export interface FlowStoneOptions {
  storage?: Storage;
  directory?: string;
  schema?: string;
  migrate?: boolean;
  namespace?: string;
  role?: Role;
  queue?: Queue;
  concurrency?: number;
  pools?: Readonly<Record<string, PoolOptions>>;
  io?: string;
  managers?: Readonly<Record<string, IoManager>>;
  config?: Readonly<Record<string, unknown>>;
  signalSecret?: string | readonly string[];
  maxPlanSize?: number;
  retention?: RetentionOptions;
  outbox?: OutboxOptions;
  openLineage?: OpenLineageOptions | false;
  telemetry?: boolean | TelemetryOptions;
  events?: EventOptions;
  triggers?: boolean;
  notify?: readonly EventNotifier[];
  resources?: readonly ProvidedResource[];
  pollInterval?: Duration;
  lease?: Duration;
  heartbeat?: Duration;
  sweep?: Duration;
  cancelGrace?: Duration;
  shutdownGrace?: Duration;
  drainDeadline?: Duration;
  onFailure?: (failure: Failure) => void;
}

/** Options with every default filled in; durations in ms. */
export interface ResolvedOptions {
  readonly storage: Storage;
  readonly directory: string;
  readonly schema: string;
  readonly migrate: boolean;
  readonly namespace: string;
  readonly role: Role;
  readonly queue: Queue;
  readonly concurrency: number;
  readonly pools: readonly PoolRegistration[];
  readonly io: string;
  readonly managers: Readonly<Record<string, IoManager>>;
  readonly config: Readonly<Record<string, unknown>>;
  readonly signalSecret: readonly string[];
  readonly maxPlanSize: number;
  readonly retention: Retention;
  readonly outbox: Outbox;
  readonly openLineage: OpenLineage | undefined;
  readonly telemetry: Telemetry | undefined;
  readonly events: Events;
  readonly triggers: boolean;
  readonly notify: readonly EventNotifier[];
  readonly resources: readonly ProvidedResource[];
  readonly pollInterval: number;
  readonly lease: number;
  readonly heartbeat: number;
  readonly sweep: number;
  readonly cancelGrace: number;
  readonly shutdownGrace: number;
  readonly drainDeadline: number;
  readonly onFailure: (failure: Failure) => void;
}

interface OptionEntry<T> {
  readonly type: string;
  readonly default: T | ((resolved: { readonly storage: Storage }) => T);
  /** The default in words, where it is not plain data. */
  readonly defaultText?: string;
  readonly environment?: string;
  readonly description: string;
  /** The value, or what is wrong with it as an Error. */
  readonly read: (given: unknown) => T;
}

function wrong(expected: string): never {
  throw new TypeError(expected);
}

const word = (given: unknown): string =>
  typeof given === 'string' && /^[a-z][a-z0-9_]{0,62}$/.test(given)
    ? given
    : wrong('lower-case letters, digits and _, beginning with a letter, at most 63');
const text = (given: unknown): string =>
  typeof given === 'string' && given !== '' ? given : wrong('a non-empty string');
const flag = (given: unknown): boolean =>
  given === true || given === 'true' ? true : given === false || given === 'false' ? false : wrong('true or false');
const count =
  (least: number, most = Number.MAX_SAFE_INTEGER) =>
  (given: unknown): number => {
    const value = typeof given === 'string' ? Number(given) : given;
    if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) return value as number;
    return wrong(`a whole number of at least ${least}${most < Number.MAX_SAFE_INTEGER ? ` and at most ${most}` : ''}`);
  };

/** Days that a timer of Node can wait; one that is to wait for longer fires at once, over and over. */
const MOST_DAYS = 24;
const duration =
  (least: number) =>
  (given: unknown): number => {
    const value = readDuration(given);
    if (value === undefined) return wrong(`a duration: ${EXPECTED_DURATION}`);
    if (value < least) return wrong(`at least ${least} ms`);
    return value <= MOST_DAYS * 86_400_000 ? value : wrong(`at most ${MOST_DAYS}d`);
  };

/** Refuses what is misspelt within an option. */
function known(given: object, names: readonly string[]): void {
  const unknown = unknownName(given, names);
  if (unknown !== undefined) wrong(`without ${unknown}: it has ${names.join(' and ')}`);
}

function storage(given: unknown): Storage {
  if (given === 'embedded' || given === 'memory') return given;
  if (typeof given === 'string') return isPostgresUrl(given) ? { url: given } : storageProblem();
  if (typeof given !== 'object' || given === null) return storageProblem();
  if ('dataSource' in given) {
    known(given, ['dataSource']);
    return isDataSource(given.dataSource) ? { dataSource: given.dataSource } : wrong('given a DataSource of TypeORM');
  }
  if (!('url' in given) || !isPostgresUrl(given.url)) return storageProblem();
  known(given, ['url', 'poolSize']);
  const { url, poolSize } = given as PostgresStorage;
  if (poolSize === undefined) return { url };
  if (!Number.isSafeInteger(poolSize) || poolSize < 1) wrong('given a poolSize that is a whole number of at least 1');
  return { url, poolSize };
}

const isPostgresUrl = (given: unknown): given is string =>
  typeof given === 'string' && /^postgres(ql)?:\/\//.test(given);
const isDataSource = (given: unknown): given is DataSource =>
  typeof given === 'object' && given !== null && 'options' in given && 'createQueryRunner' in given;

function queue(given: unknown): Queue {
  if (given === 'in-process') return given;
  if (typeof given === 'string') return isRedisUrl(given) ? { redis: given } : queueProblem();
  if (typeof given !== 'object' || given === null || !('redis' in given)) return queueProblem();
  known(given, ['redis', 'prefix']);
  const { redis, prefix } = given as RedisQueue;
  if (prefix !== undefined && (typeof prefix !== 'string' || prefix === '')) wrong('given a non-empty prefix');
  if (typeof redis === 'string') return isRedisUrl(redis) ? (given as RedisQueue) : queueProblem();
  if (typeof redis !== 'object' || redis === null) return queueProblem();
  // Bull makes names of keys in Redis itself, where ioredis's own prefix does not reach.
  if ('keyPrefix' in redis) wrong('given its prefix beside redis, not as keyPrefix in it');
  return given as RedisQueue;
}

const isRedisUrl = (given: string): boolean => /^rediss?:\/\//.test(given) && URL.canParse(given);
const queueProblem = (): never => wrong("'in-process' or { redis: 'redis://...' or options of ioredis, prefix? }");

function ioManagers(given: unknown): Record<string, IoManager> {
  if (typeof given !== 'object' || given === null) return wrong('an object of I/O managers by name');
  for (const [name, manager] of Object.entries(given as Record<string, Partial<IoManager> | null>)) {
    const able = [manager?.store, manager?.load, manager?.delete].every((act) => typeof act === 'function');
    if (!able) wrong(`such that ${name} is an I/O manager, with store, load and delete`);
  }
  return given as Record<string, IoManager>;
}

const role = (given: unknown): Role =>
  given === 'all' || given === 'worker' || given === 'api' ? given : wrong("'all', 'worker' or 'api'");

const storageProblem = (): never => wrong("'embedded', 'memory', { url: 'postgres://...' } or { dataSource }");

/** Shorter ones could be guessed from a token. */
const SHORTEST_SECRET = 32;

function secrets(given: unknown): readonly string[] {
  const all = Array.isArray(given) ? (given as unknown[]) : [given];
  const long = all.every((secret) => typeof secret === 'string' && secret.length >= SHORTEST_SECRET);
  return long && all.length > 0
    ? (all as string[])
    : wrong(`a text of at least ${SHORTEST_SECRET} characters, or a list of such`);
}

/** The catalogue. Its order is the order of docs/configuration.md. */
export const OPTION_CATALOGUE: { readonly [K in keyof ResolvedOptions]: OptionEntry<ResolvedOptions[K]> } = {
  storage: {
    type: "'embedded' | 'memory' | { url, poolSize? } | { dataSource }",
    default: 'embedded',
    environment: 'FLOWSTONE_STORAGE',
    description:
      'Where the ledger lives: an embedded PostgreSQL below `directory`, memory (nothing on disk), a PostgreSQL server (15 or newer), or a DataSource of yours. The environment takes `embedded`, `memory` or a postgres:// url.',
    read: storage,
  },
  directory: {
    type: 'string',
    default: './.flowstone',
    environment: 'FLOWSTONE_DIRECTORY',
    description: 'Where the embedded database and the values of the managers `filesystem` and `parquet` are kept.',
    read: text,
  },
  schema: {
    type: 'string',
    default: 'flowstone',
    environment: 'FLOWSTONE_SCHEMA',
    description: "PostgreSQL schema of FlowStone's own tables.",
    read: word,
  },
  migrate: {
    type: 'boolean',
    default: true,
    environment: 'FLOWSTONE_MIGRATE',
    description: 'Whether to bring the schema up to date at boot; false: refuse to boot on an older schema.',
    read: flag,
  },
  namespace: {
    type: 'string',
    default: 'default',
    environment: 'FLOWSTONE_NAMESPACE',
    description:
      'What this application owns in a shared database: two applications with different namespaces never meet.',
    read: word,
  },
  role: {
    type: "'all' | 'worker' | 'api'",
    default: 'all',
    environment: 'FLOWSTONE_ROLE',
    description:
      "What this process is for: `'api'` requests and reads and executes nothing; `'worker'` executes beside others; `'all'` is both in one. Roles other than `'all'` mean several processes, which values in memory cannot serve: refused at boot.",
    read: role,
  },
  queue: {
    type: "'in-process' | { redis, prefix? }",
    default: 'in-process',
    environment: 'FLOWSTONE_QUEUE',
    description:
      'What carries the news of work between processes. `redis` is a redis:// url or options of ioredis, and needs the package `bull`; `prefix` (default `bull`) begins the name of every key. In process, others hear of work by `pollInterval`. The environment takes `in-process` or a redis:// url. See [queues](queues.md).',
    read: queue,
  },
  concurrency: {
    type: 'number',
    default: 8,
    environment: 'FLOWSTONE_CONCURRENCY',
    description: 'How many materializations this process executes at once; a batch counts as one.',
    read: count(1, 100_000),
  },
  pools: {
    type: 'Record<string, { concurrency?, rate?, perKey? }>',
    default: [],
    defaultText: '`{}`',
    description:
      "What bounds pools over all processes, by name: `concurrency`, how many materializations run at once, and `rate`, how many may begin in a time (`'100/min'`, `'5/s'`, `'2/10s'`); `perKey: { dimension, concurrency?, rate? }` bounds each key besides. The process that enters last decides for the pools it names; `{}` bounds nothing. See [pools](pools.md).",
    read: readPools,
  },
  io: {
    type: 'string',
    default: ({ storage: chosen }) => (chosen === 'memory' ? 'memory' : 'filesystem'),
    defaultText: "`'filesystem'`, or `'memory'` with `storage: 'memory'`",
    environment: 'FLOWSTONE_IO',
    description: 'I/O manager of assets that name none.',
    read: text,
  },
  managers: {
    type: 'Record<string, IoManager>',
    default: {},
    description:
      'I/O managers beside the built-in ones, by the name assets use for them, such as `{ s3: new S3IoManager({ bucket }) }`; one named like a built-in one replaces it. See [io.md](io.md).',
    read: ioManagers,
  },
  config: {
    type: 'Record<string, unknown>',
    default: {},
    description: 'What functions of custom partition schemes get as `config`.',
    read: (given) =>
      typeof given === 'object' && given !== null ? (given as Record<string, unknown>) : wrong('an object'),
  },
  signalSecret: {
    type: 'string | string[]',
    default: [],
    defaultText: 'none',
    environment: 'FLOWSTONE_SIGNAL_SECRET',
    description:
      'By which the tokens of signals are made: at least 32 characters that nobody else knows, the same in all processes. Of a list the first makes them and all are accepted, so that it can be changed while something waits. Needed where a signal is declared, and for tokens of [progress](progress.md).',
    read: secrets,
  },
  maxPlanSize: {
    type: 'number',
    default: 1_000_000,
    environment: 'FLOWSTONE_MAX_PLAN_SIZE',
    description: 'Materializations a run may hold; a larger plan is refused.',
    read: count(1),
  },
  retention: {
    type: '{ runs?, events?, versions?, orphans?, every? }',
    default: DEFAULT_RETENTION,
    defaultText:
      "`{ runs: '90d', events: '90d', versions: '30d', orphans: '1d', every: '1h' }`; what is left out is as here",
    description:
      'How long ended runs with their records, events, values of superseded versions and values of attempts that died are kept, and how often to look: each a duration, or `false` for never; `versions` may also be `{ keep: n }`. See [retention.md](retention.md).',
    read: readRetention,
  },
  outbox: {
    type: '{ keepFor? }',
    default: DEFAULT_OUTBOX,
    defaultText: "`{ keepFor: '7d' }`",
    description:
      'What is to leave the system is sent again and again until its receiver has it; what could not be sent for `keepFor` is dropped, with an error in the log and an event. See [outbox](outbox.md).',
    read: readOutbox,
  },
  openLineage: {
    type: 'false | { url, apiKey?, headers?, namespace?, producer? } | { file, namespace?, producer? }',
    default: undefined,
    defaultText: '`false`',
    description:
      'Where OpenLineage events of all attempts go, to a server or to a file; `false`: nowhere. `namespace` is that of jobs and datasets (default: `namespace`), `producer` a URI. The worker that starts last decides for all whether events are recorded. See [openlineage](openlineage.md).',
    read: readOpenLineage,
  },
  telemetry: {
    type: 'boolean | { traces?, metrics? }',
    default: undefined,
    defaultText: '`false`',
    description:
      'Spans and metrics by OpenTelemetry (package `@opentelemetry/api`), to whatever SDK the application has set up; `true`: both. Of several processes each decides for itself. See [telemetry](telemetry.md).',
    read: readTelemetry,
  },
  events: {
    type: '{ listen? }',
    default: DEFAULT_EVENTS,
    defaultText: '`{ listen: true }`',
    description:
      'Whether a process in which somebody listens to events hears at once of what others record, by LISTEN on a connection of its own; `false`: by `pollInterval`. Behind a pooler that lends connections by the transaction only polling works. See [events](events.md).',
    read: readEvents,
  },
  triggers: {
    type: 'boolean',
    default: true,
    environment: 'FLOWSTONE_TRIGGERS',
    description:
      'Whether a process that executes also requests runs without anybody asking, as [automation](automation.md), [schedules](schedules.md) and [sensors](sensors.md) say. `false`: it leaves that to others; only what is asked for is run.',
    read: flag,
  },
  notify: {
    type: 'EventNotifier[]',
    default: [],
    defaultText: 'none',
    description:
      'Who is told of events, at least once of each over all processes: `webhookNotifier({ url, secret, events })`, or any object with `name`, `events` and `notify(event, delivery)`. See [hooks](hooks.md).',
    read: readNotifiers,
  },
  resources: {
    type: 'ProvidedResource[]',
    default: [],
    defaultText: 'none',
    description:
      'Providers without `@Resource` that are set up, watched and torn down as if they had it: `asResource(DataSource, { checkHealth: (database) => database.query("SELECT 1") })`. See [resources](resources.md).',
    read: readProvidedResources,
  },
  pollInterval: {
    type: 'duration',
    default: 1000,
    environment: 'FLOWSTONE_POLL_INTERVAL',
    description:
      'How often to look for work that no news was heard of. With a queue over Redis, five times as rarely while Redis is there.',
    read: duration(1),
  },
  lease: {
    type: 'duration',
    default: 15_000,
    environment: 'FLOWSTONE_LEASE',
    description: 'How long a process may be silent before its work is given to others.',
    read: duration(1),
  },
  heartbeat: {
    type: 'duration',
    default: 5000,
    environment: 'FLOWSTONE_HEARTBEAT',
    description: 'How often a process renews its lease: every half `lease` at least.',
    read: duration(1),
  },
  sweep: {
    type: 'duration',
    default: 5000,
    environment: 'FLOWSTONE_SWEEP',
    description: 'How often each process looks for work of lost ones.',
    read: duration(1),
  },
  cancelGrace: {
    type: 'duration',
    default: 10_000,
    environment: 'FLOWSTONE_CANCEL_GRACE',
    description: 'How long a cancelled attempt may take to end by itself before it is fenced off.',
    read: duration(0),
  },
  shutdownGrace: {
    type: 'duration',
    default: 0,
    environment: 'FLOWSTONE_SHUTDOWN_GRACE',
    description:
      'How long a shutdown goes on as before while `health()` says `closing`, so that load balancers send nothing more here.',
    read: duration(0),
  },
  drainDeadline: {
    type: 'duration',
    default: 20_000,
    environment: 'FLOWSTONE_DRAIN_DEADLINE',
    description: 'How long a shutdown waits for running materializations before it hands them back.',
    read: duration(0),
  },
  onFailure: {
    type: '(failure: Failure) => void',
    default: () => () => undefined,
    defaultText: 'none',
    description:
      'Sees every failed attempt, once its failure is recorded and in the process that recorded it, for an error tracker; of what a lost worker was at, only that it is given up (`FLOWSTONE_WORKER_LOST`). What it throws is logged and ignored.',
    read: (given) => (typeof given === 'function' ? (given as ResolvedOptions['onFailure']) : wrong('a function')),
  },
};

/**
 * Options, else environment, else defaults. Throws FLOWSTONE_OPTIONS_INVALID naming every wrong option at once.
 */
export function resolveOptions(
  options: FlowStoneOptions,
  environment: NodeJS.ProcessEnv = process.env,
): ResolvedOptions {
  const names = Object.keys(OPTION_CATALOGUE) as (keyof ResolvedOptions)[];
  const problems = Object.keys(options)
    .filter((name) => !Object.hasOwn(OPTION_CATALOGUE, name))
    .map((name) => `unknown option "${name}"${suggestion(name, names)}`);
  const resolved: Record<string, unknown> = {};
  for (const name of names) {
    const entry: OptionEntry<unknown> = OPTION_CATALOGUE[name];
    const given = options[name] ?? (entry.environment === undefined ? undefined : environment[entry.environment]);
    try {
      if (given !== undefined) resolved[name] = entry.read(given);
      else
        resolved[name] =
          typeof entry.default === 'function'
            ? entry.default({ storage: resolved['storage'] as Storage })
            : entry.default;
    } catch (error) {
      const source = options[name] === undefined ? entry.environment : name;
      problems.push(`${source} must be ${(error as Error).message}`);
    }
  }
  const found = resolved as unknown as ResolvedOptions;
  if (found.heartbeat * 2 > found.lease) problems.push('heartbeat must be at most half of lease');
  if (problems.length === 0) return found;
  throw new FlowStoneError(
    'FLOWSTONE_OPTIONS_INVALID',
    `FlowStone's options are wrong:\n${problems.map((problem) => `- ${problem}`).join('\n')}`,
    {
      context: { problems },
    },
  );
}
