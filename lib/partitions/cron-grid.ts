// Where the windows of a cron expression begin on the wall clock: the days it matches times the times of day it matches.
// The expression is read by croner; zones and daylight saving are not its business here (see time-axis.ts).
import { Cron, CronPattern } from 'croner';
import type { CivilGrid } from './civil-grid.js';
import { DAY, firstDayOfMonth, HOUR, MINUTE, SECOND } from './civil-time.js';

/** A cron expression made ready for arithmetic. */
export interface CronTicks {
  /** Times of the day it fires at, ascending, in ms since midnight. */
  readonly times: readonly number[];
  /** Whether it fires in every hour of the day, so that an hour the clock repeats is two hours. */
  readonly everyHour: boolean;
  readonly hasSeconds: boolean;
  /** The ticks from the year before `from` to at least two ticks after `to` (wall-clock times), as a grid. */
  grid(from: number, to: number): CivilGrid;
}

// Days of a yearly rule such as 29 February on a Monday are at most 40 years apart (2100 is no leap year).
const LONGEST_PAUSE_YEARS = 50;

/** Reads a cron expression of five fields, or six with seconds first. Throws croner's error where it is none. */
export function readCron(expression: string): CronTicks {
  const fields = expression.trim().split(/\s+/);
  const dayFields = fields.slice(-3).join(' ');
  const pattern = new CronPattern(expression, undefined, { mode: '5-or-6-parts' });
  // At midnight UTC of each day, croner's match() answers for the day alone.
  const days = new Cron(`0 0 0 ${dayFields}`, { utcOffset: 0, mode: '6-part' });
  if (days.nextRun(new Date(0)) === null) throw new TypeError('it matches no day');
  const times = timesOfDay(pattern);
  const everyDay = pattern.starDOM && pattern.starDOW && pattern.month.every((month) => month === 1);
  const daysOf = everyDay ? undefined : daysByYear(days);
  return {
    times,
    everyHour: pattern.hour.every((hour) => hour === 1),
    hasSeconds: pattern.second.some((second, index) => second === 1 && index > 0),
    grid: (from, to) => (daysOf ? listedDays(times, daysOf, from, to) : everyDayAt(times)),
  };
}

function timesOfDay(pattern: CronPattern): number[] {
  const times: number[] = [];
  for (const [hour, hourOn] of pattern.hour.entries()) {
    for (const [minute, minuteOn] of pattern.minute.entries()) {
      for (const [second, secondOn] of pattern.second.entries()) {
        if (hourOn && minuteOn && secondOn) times.push(hour * HOUR + minute * MINUTE + second * SECOND);
      }
    }
  }
  return times;
}

/** The days (since 1970) of a year that match, worked out once per year. */
function daysByYear(cron: Cron): (year: number) => readonly number[] {
  const years = new Map<number, readonly number[]>();
  return (year) => {
    let days = years.get(year);
    if (!days) {
      const found: number[] = [];
      const end = firstDayOfMonth(12 * (year + 1));
      for (let day = firstDayOfMonth(12 * year); day < end; day++) {
        if (cron.match(new Date(day * DAY))) found.push(day);
      }
      years.set(year, (days = found));
    }
    return days;
  };
}

function everyDayAt(times: readonly number[]): CivilGrid {
  return {
    rankOf(civil) {
      const day = Math.floor(civil / DAY);
      return day * times.length + lowerBound(times, civil - day * DAY);
    },
    civilAt(rank) {
      const day = Math.floor(rank / times.length);
      return day * DAY + times[rank - day * times.length]!;
    },
  };
}

function listedDays(
  times: readonly number[],
  daysOf: (year: number) => readonly number[],
  from: number,
  to: number,
): CivilGrid {
  const days: number[] = [];
  const lastYear = new Date(to).getUTCFullYear() + 1;
  // A day past `lastYear`'s first is past `to`; two of them, so that the window after the last one has an end as well.
  for (let year = new Date(from).getUTCFullYear() - 1, after = 0; year <= lastYear || after < 2; year++) {
    if (year > lastYear + LONGEST_PAUSE_YEARS * 2) break;
    for (const day of daysOf(year)) {
      days.push(day);
      if (day * DAY > to) after++;
    }
  }
  return {
    rankOf(civil) {
      const day = Math.floor(civil / DAY);
      const index = lowerBound(days, day);
      return index * times.length + (days[index] === day ? lowerBound(times, civil - day * DAY) : 0);
    },
    civilAt(rank) {
      const index = Math.floor(rank / times.length);
      const day = days[index];
      if (day === undefined) return index < 0 ? -Infinity : Infinity;
      return day * DAY + times[rank - index * times.length]!;
    },
  };
}

/** How many of the ascending `values` are below `value`. */
function lowerBound(values: readonly number[], value: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
