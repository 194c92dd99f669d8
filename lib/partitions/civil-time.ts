// Wall-clock time as numbers: milliseconds since 1970-01-01T00:00 of the clock on the wall, whatever its zone.
// Arithmetic on them knows no zone; instants come in with zone-clock.ts.

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
export const WEEK = 7 * DAY;

/** The first and last wall-clock times keys are made for: years of four digits, with room for arithmetic after them. */
export const FIRST_CIVIL = firstDayOfMonth(12) * DAY;
export const LAST_CIVIL = firstDayOfMonth(9990 * 12) * DAY;

/** The smallest unit a key shows. */
export type Precision = 'month' | 'day' | 'hour' | 'minute' | 'second';

const CIVIL = /^\d{4}(?:-\d\d(?:-\d\d(?:T\d\d(?::\d\d(?::\d\d)?)?(?:[+-]\d\d:\d\d(?::\d\d)?)?)?)?)?$/;

/**
 * The day (since 1970-01-01) on which a month begins; months count from January of year 0. Gregorian, as ISO 8601 has it.
 * Years begin in March here, so that the leap day is the last: then months before m have (153 m + 2) / 5 days.
 */
export function firstDayOfMonth(month: number): number {
  const shifted = month - 2;
  const year = Math.floor(shifted / 12);
  const leapDays = Math.floor(year / 4) - Math.floor(year / 100) + Math.floor(year / 400);
  return year * 365 + leapDays + Math.floor((153 * (shifted - year * 12) + 2) / 5) - 719468;
}

/** The month that holds a day; the inverse of {@link firstDayOfMonth}: of 400 years, of which each has its leap days before it. */
export function monthOfDay(day: number): number {
  const sinceMarch = day + 719468;
  const era = Math.floor(sinceMarch / 146097);
  const dayOfEra = sinceMarch - era * 146097;
  const leapDays = Math.floor(dayOfEra / 1460) - Math.floor(dayOfEra / 36524) + Math.floor(dayOfEra / 146096);
  const year = Math.floor((dayOfEra - leapDays) / 365);
  const dayOfYear = dayOfEra - (365 * year + Math.floor(year / 4) - Math.floor(year / 100));
  return (era * 400 + year) * 12 + Math.floor((5 * dayOfYear + 2) / 153) + 2;
}

/** The wall-clock time a text such as `2001`, `2001-03` or `2001-03-04T05:30` names, or undefined where it names none. */
export function parseCivil(text: string): number | undefined {
  const parsed = parseZonedCivil(text);
  return parsed?.offset === undefined ? parsed?.civil : undefined;
}

/** The same for a text that may carry an offset, `2001-10-28T02+01:00`; the offset in milliseconds east of UTC. */
export function parseZonedCivil(text: string): { civil: number; offset: number | undefined } | undefined {
  if (!CIVIL.test(text)) return undefined;
  // The pattern leaves each part its place. Capturing them would take several times as long, and keys are read by the million.
  let end = text.length;
  for (let at = 13; at < end; at += 3) if (text[at] === '+' || text[at] === '-') end = at;
  const part = (at: number, otherwise: number): number => (at < end ? twoDigits(text, at) : otherwise);
  const [month, date, hour, minute, second] = [part(5, 1), part(8, 1), part(11, 0), part(14, 0), part(17, 0)];
  if (month < 1 || month > 12 || date < 1 || hour > 23 || minute > 59 || second > 59) return undefined;
  const monthNumber = (twoDigits(text, 0) * 100 + twoDigits(text, 2)) * 12 + month - 1;
  const day = firstDayOfMonth(monthNumber) + date - 1;
  if (day >= firstDayOfMonth(monthNumber + 1)) return undefined;
  const civil = day * DAY + hour * HOUR + minute * MINUTE + second * SECOND;
  return { civil, offset: end < text.length ? parseOffset(text.slice(end)) : undefined };
}

const ZERO = 48;

function twoDigits(text: string, at: number): number {
  return (text.charCodeAt(at) - ZERO) * 10 + text.charCodeAt(at + 1) - ZERO;
}

function parseOffset(text: string): number {
  const [hours = 0, minutes = 0, seconds = 0] = text.slice(1).split(':').map(Number);
  const size = hours * HOUR + minutes * MINUTE + seconds * SECOND;
  return text.startsWith('-') ? -size : size;
}

const TWO_DIGITS = Array.from({ length: 100 }, (_, number) => String(number).padStart(2, '0'));

/** The day that was formatted last: keys mostly come in their order, and a day has many hours. */
let lastDay = Number.NaN;
let lastDayText = '';

/** `2001-03` (month) to `2001-03-04T05:30:00` (second); what is below the precision is cut off. */
export function formatCivil(civil: number, precision: Precision): string {
  const day = Math.floor(civil / DAY);
  if (day !== lastDay) {
    lastDayText = formatDay(day);
    lastDay = day;
  }
  if (precision === 'day') return lastDayText;
  if (precision === 'month') return lastDayText.slice(0, -'-dd'.length);
  const time = civil - day * DAY;
  let text = `${lastDayText}T${TWO_DIGITS[Math.floor(time / HOUR)]!}`;
  if (precision === 'hour') return text;
  text += `:${TWO_DIGITS[Math.floor(time / MINUTE) % 60]!}`;
  return precision === 'minute' ? text : `${text}:${TWO_DIGITS[Math.floor(time / SECOND) % 60]!}`;
}

function formatDay(day: number): string {
  const month = monthOfDay(day);
  const year = Math.floor(month / 12);
  const date = day - firstDayOfMonth(month) + 1;
  return `${TWO_DIGITS[Math.floor(year / 100)]!}${TWO_DIGITS[year % 100]!}-${TWO_DIGITS[(month % 12) + 1]!}-${TWO_DIGITS[date]!}`;
}

/** `+02:00`, `-03:30` or, before standard time, `+00:53:28`; `offset` in milliseconds east of UTC. */
export function formatOffset(offset: number): string {
  const size = Math.abs(offset);
  const seconds = Math.floor(size / SECOND) % 60;
  const time = `${TWO_DIGITS[Math.floor(size / HOUR)]!}:${TWO_DIGITS[Math.floor(size / MINUTE) % 60]!}`;
  return (offset < 0 ? '-' : '+') + (seconds === 0 ? time : `${time}:${TWO_DIGITS[seconds]!}`);
}
