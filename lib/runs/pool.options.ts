// What an application says about its pools, and what is wrong with it.
import type { AssetDefinition } from '../assets/asset.definition.js';
import { readDuration } from '../assets/duration.js';
import { didYouMean, unknownName } from '../graph/did-you-mean.js';
import type { PoolBounds, PoolRegistration } from '../ledger/registrations.js';
import { dimensionsOf } from '../partitions/partition-dimensions.js';

/** What bounds a pool, over all processes. `{}`: nothing. */
export interface PoolOptions {
  /** How many materializations of the pool run at once. */
  readonly concurrency?: number;
  /** How many may begin in a time: `'100/min'`, `'5/s'`, `'1000/h'`, `'2/10s'`. So many may begin at once after a pause. */
  readonly rate?: string;
  /** What bounds each key besides: `{ dimension: 'tenant', concurrency: 2 }`. */
  readonly perKey?: PoolKeyOptions;
}

/** What bounds each key of a pool. The key of a materialization is what its partition has in `dimension`. */
export interface PoolKeyOptions extends Pick<PoolOptions, 'concurrency' | 'rate'> {
  /** A dimension of a `multi` or `custom` scheme, or the name of a `dynamic` one. */
  readonly dimension: string;
}

const NAMES = ['concurrency', 'rate', 'perKey'] as const;
const KEY_NAMES = ['dimension', 'concurrency', 'rate'] as const;
const MOST = 2_147_483_647;
const EXPECTED_RATE = "a count and a time, as '100/min', '5/s' or '2/10s'";

/** The option `pools` of forRoot(). Throws a TypeError that completes "pools must be". */
export function readPools(given: unknown): readonly PoolRegistration[] {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    return wrong('an object of pools by name, as { gpu: { concurrency: 2 } }');
  }
  return Object.entries(given).map(([name, options]) => readPool(name, options));
}

/** What each pool with `perKey` has to be warned of whose dimension none of its assets here has: it bounds nothing then. */
export function unusedKeys(
  pools: readonly PoolRegistration[],
  assets: readonly Pick<AssetDefinition, 'key' | 'pool' | 'scheme'>[],
): string[] {
  return pools.flatMap(({ name, perKey }) => {
    const ofPool = assets.filter(({ pool }) => pool === name);
    if (!perKey || ofPool.length === 0) return [];
    const known = ofPool.flatMap(({ scheme }) => dimensionsOf(scheme));
    if (known.includes(perKey.dimension)) return [];
    return [
      `Pool ${name} is bounded per key of '${perKey.dimension}', a dimension that no asset of it has${didYouMean(perKey.dimension, known)}: ${ofPool.map(({ key }) => key).join(', ')}. Correct perKey.dimension of forRoot({ pools }), or their partitions.`,
    ];
  });
}

function readPool(name: string, given: unknown): PoolRegistration {
  if (name === '') return wrong('such that every pool has a name');
  const { perKey, ...bounds } = readObject(name, given, NAMES);
  return {
    name,
    ...readBounds(name, bounds),
    ...(perKey !== undefined && { perKey: readPerKey(`${name}.perKey`, perKey) }),
  };
}

function readPerKey(name: string, given: unknown): NonNullable<PoolRegistration['perKey']> {
  const { dimension, ...bounds } = readObject(name, given, KEY_NAMES);
  if (typeof dimension !== 'string' || dimension === '') {
    return wrong(`such that ${name}.dimension is the name of a dimension of partitions`);
  }
  if (bounds['concurrency'] === undefined && bounds['rate'] === undefined)
    return wrong(`such that ${name} has a concurrency or a rate`);
  return { dimension, ...readBounds(name, bounds) };
}

function readBounds(name: string, { concurrency, rate }: Readonly<Record<string, unknown>>): PoolBounds {
  if (concurrency !== undefined && !isCount(concurrency)) {
    return wrong(`such that ${name}.concurrency is a whole number of at least 1`);
  }
  return { concurrency: concurrency ?? null, rate: rate === undefined ? null : readRate(`${name}.rate`, rate) };
}

function readObject(name: string, given: unknown, names: readonly string[]): Readonly<Record<string, unknown>> {
  if (typeof given !== 'object' || given === null)
    return wrong(`such that ${name} is an object of ${names.join(', ')}`);
  const unknown = unknownName(given, names);
  if (unknown === undefined) return given as Readonly<Record<string, unknown>>;
  return wrong(`such that ${name} is without ${unknown}: it has ${names.join(', ')}`);
}

function readRate(name: string, given: unknown): NonNullable<PoolRegistration['rate']> {
  const [, counted, time = ''] = (typeof given === 'string' && /^(\d+)\/(.+)$/.exec(given)) || [];
  const count = Number(counted);
  const word = time === 'min' ? 'm' : time;
  const period = readDuration(/^\d/.test(word) ? word : `1${word}`);
  if (!isCount(count) || period === undefined || period === 0) return wrong(`such that ${name} is ${EXPECTED_RATE}`);
  return { count, period };
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MOST;
}

function wrong(expected: string): never {
  throw new TypeError(expected);
}
