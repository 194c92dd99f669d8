// What a schedule is made of, as people write it and as it is kept, and what is wrong with one.
import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { AssetClass } from '../../assets/asset.definition.js';
import { flag, isRecord, oneOf, shown, text, wholeFrom, type Expectation } from '../../assets/expectations.js';
import { unknownName } from '../../graph/did-you-mean.js';
import type { JsonObject } from '../../ledger/json.js';
import type { PartitionKeyInput } from '../../partitions/partition-key.js';
import { cronProblem, zoneProblem } from '../../partitions/clock-problems.js';
import type { CatchUp, Overlap } from './due.ticks.js';

/** A tick, as `partition` is asked about it. */
export interface ScheduleTick {
  readonly schedule: string;
  /** When it is, whatever time it is by now. */
  readonly at: Date;
  readonly timeZone: string;
}

/** Which partitions of its targets a schedule means, where it does not say so by a function. */
export type ScheduledPartitions = 'all' | 'missing' | 'stale' | 'failed' | readonly PartitionKeyInput[];

interface SharedOptions {
  /** Five fields (minute hour day month weekday), or six with seconds first. */
  readonly cron: string;
  /** IANA zone whose clock it follows. Default `UTC`. */
  readonly timeZone?: string;
  readonly description?: string;
  /** The partitions of each run. Default, of targets by time: the window that ended last at the tick. */
  readonly partitions?: ScheduledPartitions;
  /** Ticks that nobody was there to fire: none of them, the latest, or all, one after the other. Default `none`. */
  readonly catchUp?: CatchUp;
  /** A tick while the run of the one before has not ended: skips it, queues it, or lets both run. Default `skip`. */
  readonly overlap?: Overlap;
  /** Whether targets are computed though they are fresh. Default true. */
  readonly force?: boolean;
  /** Upstreams of the targets: what is stale of them (default), all, or none. */
  readonly upstream?: 'stale' | 'all' | 'none';
  readonly downstream?: boolean;
  readonly priority?: number;
  readonly tags?: Readonly<Record<string, string>>;
  readonly maxConcurrency?: number;
  readonly failFast?: boolean;
}

/** What `@Schedule` takes. */
export interface ScheduleOptions extends Omit<SharedOptions, 'partitions'> {
  /** Unique among schedules. Default: the key of the asset, or the name of the class in snake case. */
  readonly name?: string;
  /** On a class that is no asset: what is to be run, classes, keys or selections. */
  readonly targets?: AssetClass | string | readonly (AssetClass | string)[];
  readonly partitions?: ScheduledPartitions;
  /** Which partition, or partitions, a tick is for; none: nothing is run. */
  readonly partition?: (
    tick: ScheduleTick,
  ) => PartitionKeyInput | readonly PartitionKeyInput[] | Promise<PartitionKeyInput | readonly PartitionKeyInput[]>;
}

/** What `flowstone.schedules.create()` takes. */
export interface CreatedSchedule extends SharedOptions {
  /** Keys or selections. */
  readonly targets: string | readonly string[];
}

/** A schedule as it is kept: plain data. */
export interface ScheduleDefinition {
  readonly cron: string;
  readonly timeZone: string;
  readonly description: string | null;
  readonly targets: readonly string[];
  /** `function`: the process that declares it is asked; `window`: what ended last. */
  readonly partitions: ScheduledPartitions | 'function' | 'window';
  readonly catchUp: CatchUp;
  readonly overlap: Overlap;
  readonly force: boolean;
  readonly upstream: 'stale' | 'all' | 'none';
  readonly downstream: boolean;
  readonly priority: number;
  readonly tags: Readonly<Record<string, string>>;
  readonly maxConcurrency: number | null;
  readonly failFast: boolean;
}

const NAMED = oneOf('all', 'missing', 'stale', 'failed');
const some: Expectation = (value) => {
  const problem = Array.isArray(value) && value.length > 0 ? undefined : NAMED(value);
  return problem && `${problem} or a list`;
};

const SHARED: Readonly<Record<keyof SharedOptions, Expectation>> = {
  // Both together, below.
  cron: () => undefined,
  timeZone: () => undefined,
  description: text,
  partitions: some,
  catchUp: oneOf('none', 'latest', 'all'),
  overlap: oneOf('skip', 'queue', 'allow'),
  force: flag,
  upstream: oneOf('stale', 'all', 'none'),
  downstream: flag,
  priority: wholeFrom(-1_000_000),
  tags: (value) =>
    isRecord(value) && Object.values(value).every((tag) => typeof tag === 'string') ? undefined : 'an object of texts',
  maxConcurrency: wholeFrom(1),
  failFast: flag,
};

export const DECLARED: Readonly<Record<keyof ScheduleOptions, Expectation>> = {
  ...SHARED,
  name: text,
  // Where the assets are known.
  targets: () => undefined,
  partition: (value) => (typeof value === 'function' ? undefined : 'a function of the tick'),
};

export const CREATED: Readonly<Record<keyof CreatedSchedule, Expectation>> = {
  ...SHARED,
  targets: (value) => {
    const list = Array.isArray(value) ? value : [value];
    return list.length > 0 && list.every((target) => text(target) === undefined) ? undefined : 'keys or selections';
  },
};

/** What is wrong with options, one sentence for each. */
export function scheduleProblems(options: unknown, expected: Readonly<Record<string, Expectation>>): string[] {
  if (!isRecord(options)) return [`its options are ${shown(options)}: give it { cron: '0 6 * * *' }`];
  const names = Object.keys(expected);
  const unknown = unknownName(options, names);
  const problems = unknown === undefined ? [] : [`it has no option ${unknown}: it has ${names.join(', ')}`];
  for (const name of names) {
    const problem = options[name] === undefined ? undefined : expected[name]!(options[name]);
    if (problem !== undefined) problems.push(`${name} is ${shown(options[name])}: give it ${problem}`);
  }
  for (const problem of [cronProblem(options['cron']), zoneProblem(options['timeZone'] ?? 'UTC')]) {
    if (problem !== undefined) problems.push(problem);
  }
  if (options['partition'] !== undefined && options['partitions'] !== undefined) {
    problems.push('it has partition and partitions: leave one out');
  }
  return problems;
}

/** The definition of options without mistakes. */
export function scheduleDefinition(
  options: Omit<ScheduleOptions, 'targets' | 'name'>,
  targets: readonly string[],
): ScheduleDefinition {
  return {
    cron: options.cron,
    timeZone: options.timeZone ?? 'UTC',
    description: options.description ?? null,
    targets,
    partitions: options.partition ? 'function' : (options.partitions ?? 'window'),
    catchUp: options.catchUp ?? 'none',
    overlap: options.overlap ?? 'skip',
    force: options.force ?? true,
    upstream: options.upstream ?? 'stale',
    downstream: options.downstream ?? false,
    priority: options.priority ?? 0,
    tags: options.tags ?? {},
    maxConcurrency: options.maxConcurrency ?? null,
    failFast: options.failFast ?? false,
  };
}

/** Equal for equal definitions. */
export function definitionHash(definition: ScheduleDefinition): string {
  return createHash('sha256').update(canonicalize(definition)!).digest('hex');
}

/** What the times of its ticks depend on. */
export function clockOf({ cron, timeZone }: ScheduleDefinition): string {
  return `${cron} ${timeZone}`;
}

/** As the ledger keeps it. */
export function storedSchedule(definition: ScheduleDefinition): JsonObject {
  return definition as unknown as JsonObject;
}

export function readSchedule(stored: JsonObject): ScheduleDefinition {
  return stored as unknown as ScheduleDefinition;
}
