// What an application says about its pools, and what is wrong with it.
import { readDuration } from '../assets/duration.js';
import { didYouMean } from '../graph/did-you-mean.js';
import type { PoolRegistration } from '../ledger/ledger.port.js';

/** What bounds a pool, over all processes. `{}`: nothing. */
export interface PoolOptions {
  /** How many materializations of the pool run at once. */
  readonly concurrency?: number;
  /** How many may begin in a time: `'100/min'`, `'5/s'`, `'1000/h'`, `'2/10s'`. So many may begin at once after a pause. */
  readonly rate?: string;
}

const NAMES = ['concurrency', 'rate'] as const;
const MOST = 2_147_483_647;
const EXPECTED_RATE = "a count and a time, as '100/min', '5/s' or '2/10s'";

/** The option `pools` of forRoot(). Throws a TypeError that completes "pools must be". */
export function readPools(given: unknown): readonly PoolRegistration[] {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    return wrong('an object of pools by name, as { gpu: { concurrency: 2 } }');
  }
  return Object.entries(given).map(([name, options]) => readPool(name, options));
}

function readPool(name: string, given: unknown): PoolRegistration {
  if (name === '') return wrong('such that every pool has a name');
  if (typeof given !== 'object' || given === null)
    return wrong(`such that ${name} is an object of ${NAMES.join(', ')}`);
  const unknown = Object.keys(given).find((key) => !NAMES.includes(key as (typeof NAMES)[number]));
  if (unknown !== undefined) {
    return wrong(`such that ${name} is without ${unknown}${didYouMean(unknown, NAMES)}: it has ${NAMES.join(', ')}`);
  }
  const { concurrency, rate } = given as Readonly<Record<string, unknown>>;
  if (concurrency !== undefined && !isCount(concurrency)) {
    return wrong(`such that ${name}.concurrency is a whole number of at least 1`);
  }
  return { name, concurrency: concurrency ?? null, rate: rate === undefined ? null : readRate(`${name}.rate`, rate) };
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
