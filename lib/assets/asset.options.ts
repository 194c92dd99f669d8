// What `@Asset` takes, and what is wrong with values that are none. Options it does not know are the I/O manager's.
import type { PartitionScheme } from '../partitions/partitions.js';
import { closest } from '../graph/did-you-mean.js';
import type { VersionPolicy } from '../ledger/records.js';
import type { RetryPolicy } from './asset.definition.js';
import type { AutomationOptions } from './automation.options.js';
import type { FreshnessOptions } from './freshness.options.js';
import type { Condition } from './condition.js';
import { type Duration, parseDuration, readDuration } from './duration.js';
import { duration, flag, isJson, isRecord, shown, text, texts, whole, type Expectation } from './expectations.js';

/** A batch is claimed in one transaction, and its inputs are in memory together. */
const LARGEST_BATCH = 1000;

/** How often and when an attempt that failed is repeated, as declared. */
export interface RetryOptions {
  /** Attempts in all, the first included. */
  readonly attempts: number;
  /** Before the second attempt. Default `1s`. */
  readonly delay?: Duration;
  /** By how much each further delay is longer. Default 2. */
  readonly factor?: number;
  /** Longest delay. Default `1h`, or `delay` where that is longer. */
  readonly max?: Duration;
  /** Share (0 to 1) by which a delay varies at random. Default 0.1. */
  readonly jitter?: number;
}

/** A number of versions, a time as text, or `false`: all. */
export type VersionsKept = number | Exclude<Duration, number> | false;

/** The options that `@Asset` knows itself. */
export interface KnownAssetOptions {
  /** Unique name: segments of `a-z0-9_` starting with a letter, joined by `.`. Default: the class name in snake case. */
  readonly name?: string;
  readonly description?: string;
  readonly group?: string;
  readonly owners?: readonly string[];
  readonly tags?: readonly string[];
  /** What it is made of or with, e.g. `parquet`, `report`; for selection and display. */
  readonly kinds?: readonly string[];
  /** Name of the I/O manager that stores the value. Default: the application's. */
  readonly io?: string;
  /** A scheme, or `'inherit'`: that of the single data dependency. Default: unpartitioned. */
  readonly partitions?: PartitionScheme | 'inherit';
  /** Change it when the code changes what it computes: everything computed with another is stale. */
  readonly codeVersion?: string;
  readonly retry?: RetryOptions;
  /** How long one attempt may execute. Default: no limit. */
  readonly timeout?: Duration;
  /**
   * Computes up to `size` (1 to 1000) partitions by one call of `executeMany`, those that are there together. The timeout
   * is that of the call.
   */
  readonly batch?: { readonly size: number };
  /** Name of the pool that bounds how many run at once over all processes. Default `default`. */
  readonly pool?: string;
  /** Higher goes first. Default 0. */
  readonly priority?: number;
  /** Shown with the asset; plain JSON. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  /**
   * Which versions keep their values: the newest so many (the newest among them), those superseded within so long
   * (`'30d'`), or `false`: all. Default: `retention.versions` of `forRoot()`.
   */
  readonly keep?: VersionsKept;
  /** Keys this asset had before: it keeps their heads and history. */
  readonly formerly?: readonly string[];
  /**
   * When it is computed without anybody asking: `eager()`, `onMissing()`, `onCron('0 6 * * *')`, combinations of these, or
   * `{ when, retryAfter, debounce, ... }`. Default: on request only.
   */
  readonly automation?: Condition | AutomationOptions;
  /**
   * How old what is there may be: `{ maxLag: '26h' }`, or at the ticks of a clock only (`cron`, `timeZone`). What is older is told by the
   * event `asset.overdue`; nothing is computed by that.
   */
  readonly freshness?: FreshnessOptions;
  /** Computed elsewhere: the class extends `ExternalAsset` and has no `execute`. */
  readonly external?: boolean;
}

/** What `@Asset` takes: its own options, and those of the I/O manager (checked at boot). */
export interface AssetOptions extends KnownAssetOptions {
  readonly [managerOption: string]: unknown;
}

const atLeastOne = (value: unknown) => typeof value === 'number' && value >= 1 && value < Infinity;

const EXPECTATIONS: Readonly<Record<keyof KnownAssetOptions, Expectation>> = {
  name: text,
  description: text,
  group: text,
  owners: texts,
  tags: texts,
  kinds: texts,
  io: text,
  partitions: (value) =>
    value === 'inherit' || isRecord(value)
      ? undefined
      : "a scheme such as Partitions.daily({ start: '2024-01-01' }), or 'inherit'",
  codeVersion: text,
  retry: (value) => (isRecord(value) ? undefined : 'an object such as { attempts: 3, delay: "10s" }'),
  timeout: (value) => (readDuration(value) === 0 ? 'a duration of more than 0' : duration(value)),
  batch: (value) => (isBatch(value) ? undefined : 'an object { size }, a whole number from 1 to 1000'),
  pool: text,
  priority: whole,
  metadata: (value) => (isRecord(value) && isJson(value) ? undefined : 'an object of plain JSON'),
  keep: (value) =>
    keptVersions(value) ? undefined : `a number of versions of at least 1, a time such as '30d', or false for all`,
  formerly: texts,
  // Where the dependencies are known (declaration.check.ts).
  automation: () => undefined,
  // In declaration.reader.ts, which has more to say.
  freshness: () => undefined,
  external: flag,
};

const RETRY_EXPECTATIONS: Readonly<Record<keyof RetryOptions, Expectation>> = {
  attempts: (value) => (Number.isInteger(value) && atLeastOne(value) ? undefined : 'a whole number of at least 1'),
  delay: duration,
  factor: (value) => (atLeastOne(value) ? undefined : 'a number of at least 1'),
  max: duration,
  jitter: (value) => (typeof value === 'number' && value >= 0 && value <= 1 ? undefined : 'a number from 0 to 1'),
};

/** The names of the options that `@Asset` knows itself. */
export const ASSET_OPTION_NAMES: ReadonlySet<string> = new Set(Object.keys(EXPECTATIONS));

/** The options that belong to the I/O manager. */
export function managerOptions(options: AssetOptions): Record<string, unknown> {
  const others: Record<string, unknown> = {};
  for (const name of Object.keys(options)) if (!ASSET_OPTION_NAMES.has(name)) others[name] = options[name];
  return others;
}

/** A value that an option cannot have. */
export interface OptionMistake {
  /** Name of the option of `@Asset`. */
  readonly option: string;
  readonly problem: string;
  readonly fix: string;
}

/** What is wrong with the values of the options that `@Asset` knows. */
export function optionMistakes(options: AssetOptions): OptionMistake[] {
  const mistakes = mistakesOf(options, EXPECTATIONS, '');
  const { retry } = options as Record<string, unknown>;
  if (!isRecord(retry)) return mistakes;
  if (retry['attempts'] === undefined) {
    mistakes.push({
      option: 'retry',
      problem: 'option retry has no attempts',
      fix: 'say how many there are in all: { attempts: 3 }',
    });
  }
  for (const name of Object.keys(retry)) {
    if (Object.hasOwn(RETRY_EXPECTATIONS, name)) continue;
    const meant = closest(name, Object.keys(RETRY_EXPECTATIONS));
    const known = `the options of retry are ${Object.keys(RETRY_EXPECTATIONS).join(', ')}`;
    mistakes.push({
      option: 'retry',
      problem: `unknown option retry.${name}`,
      fix: meant ? `did you mean ${meant}?` : known,
    });
  }
  return [...mistakes, ...mistakesOf(retry, RETRY_EXPECTATIONS, 'retry.')];
}

/** The policy with its defaults. */
export function retryPolicy(options: RetryOptions): RetryPolicy {
  const { attempts, factor = 2, jitter = 0.1 } = options;
  const delay = parseDuration(options.delay ?? '1s');
  const max = options.max === undefined ? Math.max(delay, parseDuration('1h')) : parseDuration(options.max);
  return { attempts, delay, factor, max, jitter };
}

/** The policy that is meant, or `undefined` for anything that means none. */
export function keptVersions(written: unknown): VersionPolicy | undefined {
  if (written === false) return 'all';
  if (typeof written === 'number') return Number.isSafeInteger(written) && written >= 1 ? { keep: written } : undefined;
  const age = typeof written === 'string' ? readDuration(written) : undefined;
  return age === undefined ? undefined : { age };
}

function mistakesOf(
  values: Readonly<Record<string, unknown>>,
  expectations: Readonly<Record<string, Expectation>>,
  prefix: string,
): OptionMistake[] {
  return Object.entries(values).flatMap(([name, value]) => {
    const expectation = Object.hasOwn(expectations, name) ? expectations[name] : undefined;
    const expected = value === undefined ? undefined : expectation?.(value);
    if (!expected) return [];
    const option = prefix === '' ? name : 'retry';
    return [{ option, problem: `option ${prefix}${name} is ${shown(value)}`, fix: `give it ${expected}` }];
  });
}

function isBatch(value: unknown): boolean {
  if (!isRecord(value) || Object.keys(value).some((name) => name !== 'size')) return false;
  const { size } = value;
  return Number.isInteger(size) && (size as number) >= 1 && (size as number) <= LARGEST_BATCH;
}
