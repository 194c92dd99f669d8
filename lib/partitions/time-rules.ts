// A time scheme read and checked: its grid, zone and bounds, ready for axes; also what is wrong with one.
// Which of its windows exist at a moment is in time-set.ts.
import { FlowStoneError } from '../flowstone.errors.js';
import { CALENDAR_GRIDS, type CivilGrid } from './civil-grid.js';
import { FIRST_CIVIL, LAST_CIVIL, parseCivil, type Precision } from './civil-time.js';
import { readCron } from './cron-grid.js';
import type { TimeScheme } from './partition-scheme.js';
import { TimeAxis } from './time-axis.js';
import { cronProblem, zoneProblem } from './clock-problems.js';
import { ZONE_MARGIN } from './zone-clock.js';

/** What a valid time scheme says, as numbers. Bounds are wall-clock times. */
export interface TimeRules {
  readonly zone: string;
  readonly start: number;
  /** Infinity where time goes on. */
  readonly end: number;
  readonly precision: Precision;
  readonly repeats: boolean;
  /** A window exists once it has begun. */
  readonly includeCurrent: boolean;
  gridFor(from: number, to: number): CivilGrid;
}

const PRECISION = { hourly: 'hour', daily: 'day', weekly: 'day', monthly: 'month' } as const;

// Schemes are frozen, so what was read from one stays true.
const rulesOf = new WeakMap<TimeScheme, TimeRules>();

/** The rules of a scheme. Throws FLOWSTONE_PARTITION_SCHEME_INVALID where {@link timeSchemeProblems} has something to say. */
export function timeRules(scheme: TimeScheme): TimeRules {
  let rules = rulesOf.get(scheme);
  if (!rules) {
    const problems = timeSchemeProblems(scheme);
    if (problems.length > 0) {
      throw new FlowStoneError('FLOWSTONE_PARTITION_SCHEME_INVALID', problems.join('; '), {
        context: { scheme, problems },
      });
    }
    rulesOf.set(scheme, (rules = readRules(scheme)));
  }
  return rules;
}

/** What is wrong with a time scheme, one sentence each. */
export function timeSchemeProblems(scheme: TimeScheme): string[] {
  const problems: string[] = [];
  const zone = zoneProblem(scheme.timeZone);
  if (zone) problems.push(zone);
  const start =
    boundProblem('start', scheme.start) ?? (scheme.end === undefined ? undefined : boundProblem('end', scheme.end));
  if (start) problems.push(start);
  else if (scheme.end !== undefined && parseCivil(scheme.end)! <= parseCivil(scheme.start)!) {
    problems.push(`end '${scheme.end}' is not after start '${scheme.start}' (end is exclusive)`);
  }
  if (scheme.kind === 'cron') {
    const problem = cronProblem(scheme.cron);
    if (problem) problems.push(problem);
  }
  return problems;
}

/**
 * The windows of these rules from `start` (theirs, unless another wall-clock time is given) to one window beyond the
 * instant `horizon`.
 */
export function timeAxis(rules: TimeRules, horizon: number, start = rules.start): TimeAxis {
  const through = Math.min(Math.max(horizon + ZONE_MARGIN, start), LAST_CIVIL);
  const grid = rules.gridFor(start, through);
  // The first tick beyond the horizon whatever the offset, and the one that ends its window.
  const beyond = grid.civilAt(grid.rankOf(through) + 1);
  return new TimeAxis({ ...rules, grid }, start, Number.isFinite(beyond) ? beyond + ZONE_MARGIN : through);
}

function readRules(scheme: TimeScheme): TimeRules {
  const bounds = {
    zone: scheme.timeZone,
    start: parseCivil(scheme.start)!,
    end: scheme.end === undefined ? Infinity : parseCivil(scheme.end)!,
    includeCurrent: scheme.includeCurrent,
  };
  if (scheme.kind === 'cron') {
    const ticks = readCron(scheme.cron);
    const precision = ticks.hasSeconds ? 'second' : 'minute';
    return { ...bounds, precision, repeats: ticks.everyHour, gridFor: (from, to) => ticks.grid(from, to) };
  }
  const grid = CALENDAR_GRIDS[scheme.kind];
  return { ...bounds, precision: PRECISION[scheme.kind], repeats: scheme.kind === 'hourly', gridFor: () => grid };
}

function boundProblem(name: 'start' | 'end', text: unknown): string | undefined {
  const civil = typeof text === 'string' ? parseCivil(text) : undefined;
  if (civil === undefined) {
    return `${name} ${JSON.stringify(text)} is no date; write the wall-clock time of the zone, such as '2001-03-04' or '2001-03-04T05:00', without an offset`;
  }
  return civil < FIRST_CIVIL || civil > LAST_CIVIL ? `${name} '${String(text)}' is out of range` : undefined;
}
