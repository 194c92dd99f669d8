// The ticks of cron expressions on the wall clocks of zones: the rules of partitions (partitions/time-axis.ts). A time that the clock
// skips ticks once, at the end of the gap; a fixed time that it shows twice ticks once, the first time; an expression of every
// hour ticks in both.
import type { CronScheme } from '../partitions/partition-scheme.js';
import { Partitions } from '../partitions/partitions.js';
import type { TimeAxis } from '../partitions/time-axis.js';
import { timeAxis, timeRules } from '../partitions/time-rules.js';

const DAY = 86_400_000;
/** From one 29 February to the next there are eight years where a century lies between; a tick that is rarer counts as none. */
const RAREST = 9 * 366 * DAY;

/** The last tick up to an instant, and the next after it; undefined: there is none within nine years. */
export function ticksAround(
  cron: string,
  timeZone: string,
  now: number,
): { readonly last: number | undefined; readonly next: number | undefined } {
  const axis = axisOf(cron, timeZone, now - RAREST, now);
  const begun = axis.countBefore(now + 1);
  return {
    last: begun > 0 ? axis.startAt(begun - 1) : undefined,
    next: begun < axis.count ? axis.startAt(begun) : undefined,
  };
}

/** How many ticks there are after one instant and up to another, and each of them by its number, from 0. */
export function ticksBetween(
  cron: string,
  timeZone: string,
  after: number,
  to: number,
): { readonly count: number; readonly at: (number: number) => number } {
  if (to <= after) return { count: 0, at: () => Number.NaN };
  const axis = axisOf(cron, timeZone, after, to);
  const first = axis.countBefore(after + 1);
  const count = axis.countBefore(to + 1) - first;
  return { count, at: (number) => axis.startAt(first + number) };
}

/** The next so many ticks after an instant, or all that there are within the time looked at. */
export function nextTicks(cron: string, timeZone: string, after: number, most: number): number[] {
  for (let reach = DAY; ; reach *= 8) {
    const { count, at } = ticksBetween(cron, timeZone, after, after + Math.min(reach, RAREST));
    if (count >= most || reach >= RAREST) return Array.from({ length: Math.min(count, most) }, (_, n) => at(n));
  }
}

/** Schemes that were made, by expression, zone and first year: reading an expression takes milliseconds. */
const schemes = new Map<string, CronScheme>();
const MOST_SCHEMES = 1000;

/** The axis of an expression from the year of one instant, or earlier, to another. */
function axisOf(cron: string, timeZone: string, from: number, to: number): TimeAxis {
  const year = new Date(from - 2 * DAY).getUTCFullYear();
  const name = `${year} ${timeZone} ${cron}`;
  let scheme = schemes.get(name);
  if (!scheme) {
    if (schemes.size >= MOST_SCHEMES) schemes.clear();
    schemes.set(name, (scheme = Partitions.cron({ cron, timeZone, start: `${year}-01-01` })));
  }
  return timeAxis(timeRules(scheme), to);
}
