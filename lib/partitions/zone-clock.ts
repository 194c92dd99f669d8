// What the clocks of a time zone show: the stretches of time with a constant offset.
// Offsets come from luxon (the zone database of Node); what is read is kept per zone and year.
import { IANAZone } from 'luxon';
import { DAY, firstDayOfMonth, MINUTE, SECOND, WEEK } from './civil-time.js';

/** A stretch of instants [from, to) in which the zone's clock is `offset` ms ahead of UTC. */
export interface ZoneSegment {
  readonly from: number;
  readonly to: number;
  readonly offset: number;
}

interface Transition {
  readonly at: number;
  readonly offset: number;
}

const transitionsOf = new Map<string, Map<number, readonly Transition[]>>();

/** Names that were asked for and are zones: the platform takes 0.1 ms for each answer. */
const knownZones = new Set<string>();

/** Whether this process knows the zone, by an IANA name (fixed offsets such as `+02:00` are none). */
export function isTimeZone(name: string): boolean {
  if (knownZones.has(name)) return true;
  if (!/^[A-Za-z]/.test(name) || !IANAZone.isValidZone(name)) return false;
  knownZones.add(name);
  return true;
}

/** The segments that cover the instants [from, to), in order; the first and last are cut at these. */
export function zoneSegments(zone: string, from: number, to: number): ZoneSegment[] {
  if (zone === 'UTC') return [{ from, to, offset: 0 }];
  const segments: ZoneSegment[] = [];
  let begin = from;
  let offset = offsetAt(zone, from);
  const lastYear = new Date(to).getUTCFullYear();
  for (let year = new Date(from).getUTCFullYear(); year <= lastYear; year++) {
    for (const transition of transitions(zone, year)) {
      if (transition.at <= from || transition.at >= to) continue;
      segments.push({ from: begin, to: transition.at, offset });
      begin = transition.at;
      offset = transition.offset;
    }
  }
  segments.push({ from: begin, to, offset });
  return segments;
}

/** The first instant at which the clock shows `civil` or later: the only one of an ordinary time, the earlier of a repeated one, the end of the gap for a skipped one. */
export function firstShown(segments: readonly ZoneSegment[], civil: number): number {
  for (const { from, to, offset } of segments) {
    if (to + offset > civil) return Math.max(from, civil - offset);
  }
  return segments[segments.length - 1]!.to;
}

function offsetAt(zone: string, instant: number): number {
  // luxon answers in minutes, with a fraction before standard time; the zone database counts in seconds.
  return Math.round((IANAZone.create(zone).offset(instant) * MINUTE) / SECOND) * SECOND;
}

function transitions(zone: string, year: number): readonly Transition[] {
  let years = transitionsOf.get(zone);
  if (!years) transitionsOf.set(zone, (years = new Map()));
  let found = years.get(year);
  if (!found) years.set(year, (found = searchYear(zone, year)));
  return found;
}

/** No zone changes its offset and back within a week, so comparing weeks misses nothing. */
function searchYear(zone: string, year: number): Transition[] {
  const found: Transition[] = [];
  const end = firstDayOfMonth(12 * (year + 1)) * DAY;
  let instant = firstDayOfMonth(12 * year) * DAY;
  let offset = offsetAt(zone, instant);
  while (instant < end) {
    const next = Math.min(instant + WEEK, end);
    const nextOffset = offsetAt(zone, next);
    bisect(zone, instant, offset, next, nextOffset, found);
    instant = next;
    offset = nextOffset;
  }
  return found;
}

function bisect(
  zone: string,
  low: number,
  lowOffset: number,
  high: number,
  highOffset: number,
  found: Transition[],
): void {
  if (lowOffset === highOffset) return;
  if (high - low <= SECOND) {
    found.push({ at: high, offset: highOffset });
    return;
  }
  const middle = low + Math.floor((high - low) / 2 / SECOND) * SECOND;
  const middleOffset = offsetAt(zone, middle);
  bisect(zone, low, lowOffset, middle, middleOffset, found);
  bisect(zone, middle, middleOffset, high, highOffset, found);
}

/** More than any zone's clock differs from UTC, twice: what to look at beyond a range of interest. */
export const ZONE_MARGIN = 3 * DAY;
