// Wall-clock time as numbers: milliseconds since 1970-01-01T00:00 of the clock on the wall, whatever its zone.
// Arithmetic on them knows no zone; instants come in with zone-clock.ts.

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
export const WEEK = 7 * DAY;

/** The last wall-clock time whose keys have a year of four digits, with room for arithmetic after it. */
export const LAST_CIVIL = Date.UTC(9990, 0, 1);

const FULL = '0000-01-01T00:00:00';
const KEY_LENGTH = { month: 7, day: 10, hour: 13, minute: 16, second: 19 } as const;

/** The smallest unit a key shows. */
export type Precision = keyof typeof KEY_LENGTH;

const CIVIL = /^\d{4}(-\d\d(-\d\d(T\d\d(:\d\d(:\d\d)?)?)?)?)?$/;

/** The wall-clock time a text such as `2001`, `2001-03` or `2001-03-04T05:30` names, or undefined where it names none. */
export function parseCivil(text: string): number | undefined {
  if (!CIVIL.test(text)) return undefined;
  const full = text + FULL.slice(text.length);
  const civil = Date.parse(`${full}.000Z`);
  // Date.parse takes 30 February for 2 March; only what reads back the same is a date.
  return Number.isNaN(civil) || formatCivil(civil, 'second') !== full ? undefined : civil;
}

/** `2001-03` (month) to `2001-03-04T05:30:00` (second); what is below the precision is cut off. */
export function formatCivil(civil: number, precision: Precision): string {
  return new Date(civil).toISOString().slice(0, KEY_LENGTH[precision]);
}

/** `+02:00`, `-03:30` or, before standard time, `+00:53:28`; `offset` in milliseconds east of UTC. */
export function formatOffset(offset: number): string {
  const time = new Date(Math.abs(offset)).toISOString().slice(11, 19);
  return (offset < 0 ? '-' : '+') + (time.endsWith(':00') ? time.slice(0, 5) : time);
}

const ZONED = /^(.*T.*?)([+-]\d\d:\d\d(?::\d\d)?)$/;

/** Splits `2001-10-28T02+01:00` into its wall-clock time and the offset in milliseconds, where it carries one. */
export function parseZonedCivil(text: string): { civil: number; offset: number | undefined } | undefined {
  const zoned = ZONED.exec(text);
  const civil = parseCivil(zoned ? zoned[1]! : text);
  if (civil === undefined) return undefined;
  if (!zoned) return { civil, offset: undefined };
  const [hours = 0, minutes = 0, seconds = 0] = zoned[2]!.slice(1).split(':').map(Number);
  const size = hours * HOUR + minutes * MINUTE + seconds * SECOND;
  return { civil, offset: zoned[2]!.startsWith('-') ? -size : size };
}
