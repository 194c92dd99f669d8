// What the option `freshness` of an asset takes, what is wrong with it, and the definition that follows.
import { cronProblem, zoneProblem } from '../partitions/clock-problems.js';
import type { FreshnessDefinition } from './asset.definition.js';
import { parseDuration, readDuration, type Duration } from './duration.js';
import { duration, isRecord, shown } from './expectations.js';

/** How old what is there may be. */
export interface FreshnessOptions {
  /** Since it was computed or confirmed; of a partition that is a window of time, from the window's end until it is computed. */
  readonly maxLag: Duration;
  /** Only at these times: at each tick it may be `maxLag` old. Default: at any time. */
  readonly cron?: string;
  /** Of `cron`. Default UTC. */
  readonly timeZone?: string;
}

const NAMES: readonly (keyof FreshnessOptions)[] = ['maxLag', 'cron', 'timeZone'];

/** What is wrong with the value of the option, or nothing. */
export function freshnessProblem(given: unknown): string | undefined {
  if (!isRecord(given)) return `freshness is ${shown(given)}: give it { maxLag: '26h' }`;
  const unknown = Object.keys(given).find((name) => !NAMES.includes(name as keyof FreshnessOptions));
  if (unknown !== undefined) return `freshness has no option '${unknown}': it has ${NAMES.join(', ')}`;
  const { maxLag, cron, timeZone } = given;
  if (maxLag === undefined) return "freshness has no maxLag: say how old it may be, { maxLag: '26h' }";
  const wrong = readDuration(maxLag) === 0 ? 'a duration of more than 0' : duration(maxLag);
  if (wrong !== undefined) return `freshness.maxLag is ${shown(maxLag)}: give it ${wrong}`;
  if (cron === undefined) return timeZone === undefined ? undefined : 'freshness.timeZone is of no clock: add cron';
  if (typeof cron !== 'string') return `freshness.cron is ${shown(cron)}: give it a cron expression`;
  if (timeZone !== undefined && typeof timeZone !== 'string')
    return `freshness.timeZone is ${shown(timeZone)}: give it a zone such as 'Europe/Berlin'`;
  return cronProblem(cron) ?? zoneProblem(timeZone ?? 'UTC');
}

/** The definition; the option is without mistakes. */
export function freshnessDefinition({ maxLag, cron, timeZone }: FreshnessOptions): FreshnessDefinition {
  return { maxLag: parseDuration(maxLag), clock: cron === undefined ? null : { cron, timeZone: timeZone ?? 'UTC' } };
}
