// What an application says about how long things are kept, its defaults, and what is wrong with it.
import { keptVersions } from '../assets/asset.options.js';
import { EXPECTED_DURATION, readDuration, type Duration } from '../assets/duration.js';
import { unknownName } from '../graph/did-you-mean.js';
import type { VersionPolicy } from '../ledger/records.js';

/** How long what nothing refers to is kept (docs/retention.md). `false`: for ever. */
export interface RetentionOptions {
  /** Ended runs with the records of their materializations and events. Default `90d`. */
  readonly runs?: Duration | false;
  /** Events. Default `90d`. */
  readonly events?: Duration | false;
  /** Values of superseded versions: of the newest n, the head among them, or for so long. `@Asset({ keep })` overrides. Default `30d`. */
  readonly versions?: { readonly keep: number } | Duration | false;
  /** Values no record will ever point at, which attempts that died have left; looked for as often. Default `1d`. */
  readonly orphans?: Duration | false;
  /** How often to look for what may go; `false`: only when `collect()` is called. Default `1h`. */
  readonly every?: Duration | false;
}

/** The same with every default filled in; times in ms, null: never. */
export interface Retention {
  readonly runs: number | null;
  readonly events: number | null;
  readonly versions: VersionPolicy;
  readonly orphans: number | null;
  readonly every: number | null;
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

export const DEFAULT_RETENTION: Retention = {
  runs: 90 * DAY,
  events: 90 * DAY,
  versions: { age: 30 * DAY },
  orphans: DAY,
  every: HOUR,
};

/** The option `retention` of forRoot(). Throws a TypeError that completes "retention must be". */
export function readRetention(given: unknown): Retention {
  const names = Object.keys(DEFAULT_RETENTION);
  if (typeof given !== 'object' || given === null) return wrong(`an object of ${names.join(', ')}`);
  const unknown = unknownName(given, names);
  if (unknown !== undefined) return wrong(`without ${unknown}: it has ${names.join(', ')}`);
  const { runs, events, versions, orphans, every } = given as Readonly<Record<string, unknown>>;
  const read: Retention = {
    runs: time('runs', runs, DEFAULT_RETENTION.runs),
    events: time('events', events, DEFAULT_RETENTION.events),
    versions: versions === undefined ? DEFAULT_RETENTION.versions : versionPolicy(versions),
    orphans: time('orphans', orphans, DEFAULT_RETENTION.orphans),
    every: time('every', every, DEFAULT_RETENTION.every),
  };
  // Else the record by which an orphan is told from a value could go before the orphan was looked for.
  if (read.runs !== null && read.orphans !== null && read.runs < 2 * read.orphans)
    return wrong('such that runs are kept for at least twice as long as orphans');
  return read;
}

/** A policy, to complete "is not kept, since". */
export function keptInWords(policy: VersionPolicy): string {
  if (policy === 'all') return 'an earlier policy removed it';
  if ('keep' in policy) return `only the newest ${policy.keep} versions are (keep: ${policy.keep})`;
  return `superseded versions are for ${durationText(policy.age)} only`;
}

function durationText(milliseconds: number): string {
  for (const [unit, size] of [
    ['d', DAY],
    ['h', HOUR],
    ['m', HOUR / 60],
    ['s', 1000],
  ] as const) {
    if (milliseconds >= size && milliseconds % size === 0) return `${milliseconds / size}${unit}`;
  }
  return `${milliseconds}ms`;
}

function time(name: string, given: unknown, otherwise: number | null): number | null {
  if (given === undefined) return otherwise;
  if (given === false) return null;
  return readDuration(given) ?? wrong(`such that ${name} is false or a duration: ${EXPECTED_DURATION}`);
}

function versionPolicy(given: unknown): VersionPolicy {
  const counted = typeof given === 'object' && given !== null ? (given as { keep?: unknown }).keep : undefined;
  const plain = typeof given === 'string' || given === false ? given : undefined;
  const policy = keptVersions(typeof counted === 'number' ? counted : plain);
  return policy ?? wrong("such that versions is { keep: n } with n of at least 1, a time such as '30d', or false");
}

function wrong(expected: string): never {
  throw new TypeError(expected);
}
