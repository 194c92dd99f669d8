// Moments and days as PostgreSQL writes them, to the millisecond, from 4714 BC on.
import { isoTime } from '../../iso-time.js';

/** The first moment PostgreSQL knows, ms: midnight of 4714-11-24 BC. Its last is beyond that of JavaScript. */
export const FIRST_MOMENT = -210_866_803_200_000;
const DAY = /^(\d{4})-(\d\d)-(\d\d)$/;
const MOMENT = /^(\d+)-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,3})\d*)?(?:\+00|Z)?( BC)?$/;

/** The text of a Date that timestamps take; undefined for an invalid one, or one before their time. */
export function instantText(date: Date): string | undefined {
  const time = date.getTime();
  if (!(time >= FIRST_MOMENT)) return undefined;
  const iso = isoTime(date);
  if (iso.length === 24 && !iso.startsWith('0000')) return iso;
  const year = date.getUTCFullYear();
  const rest = iso.slice(-20);
  return year > 0 ? `${year}${rest}` : `${String(1 - year).padStart(4, '0')}${rest} BC`;
}

/** The Date of a timestamp in UTC, as PostgreSQL or `instantText` writes it. Throws a SyntaxError for infinity and the like. */
export function readInstant(text: string): Date {
  const found = MOMENT.exec(text);
  if (!found) throw new SyntaxError(`${text} is no moment that a Date can hold`);
  const [, year, month, day, hours, minutes, seconds, fraction = '', bc] = found;
  const date = new Date(0);
  date.setUTCFullYear(bc === undefined ? Number(year) : 1 - Number(year), Number(month) - 1, Number(day));
  date.setUTCHours(Number(hours), Number(minutes), Number(seconds), Number(fraction.padEnd(3, '0')));
  return date;
}

/** Whether a text is a day of the calendar, of the years 1 to 9999. */
export function isDay(text: string): boolean {
  const [, year, month, day] = DAY.exec(text) ?? [];
  if (year === undefined || year === '0000') return false;
  const date = new Date(0);
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  return date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day);
}
