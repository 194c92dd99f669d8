// Where windows begin on the wall clock, by arithmetic alone: hours, days, weeks, months.
// Ticks of cron expressions are in cron-grid.ts; what daylight saving makes of a grid is in time-axis.ts.
import { DAY, firstDayOfMonth, HOUR, monthOfDay, WEEK } from './civil-time.js';

/** An endless ascending sequence of wall-clock times, each with a rank (any integer, ascending by one). */
export interface CivilGrid {
  /** The rank of the first tick at or after `civil`. */
  rankOf(civil: number): number;
  /** The wall-clock time of the tick of this rank. */
  civilAt(rank: number): number;
}

// 1970-01-01 was a Thursday; weeks begin on Mondays.
const MONDAY = 4 * DAY;

/** The grids of the calendar schemes. */
export const CALENDAR_GRIDS: Readonly<Record<'hourly' | 'daily' | 'weekly' | 'monthly', CivilGrid>> = {
  hourly: everySpan(HOUR, 0),
  daily: everySpan(DAY, 0),
  weekly: everySpan(WEEK, MONDAY),
  monthly: {
    rankOf(civil) {
      const day = Math.ceil(civil / DAY);
      const month = monthOfDay(day);
      return firstDayOfMonth(month) < day ? month + 1 : month;
    },
    civilAt: (month) => firstDayOfMonth(month) * DAY,
  },
};

function everySpan(span: number, origin: number): CivilGrid {
  return {
    rankOf: (civil) => Math.ceil((civil - origin) / span),
    civilAt: (rank) => rank * span + origin,
  };
}
