// Ticks over changes of the clock, in both hemispheres, against an oracle that goes through time minute by minute and
// follows the rule as semantics states it.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { nextTicks, ticksAround, ticksBetween } from '../../../lib/automation/cron-ticks.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** What the wall clock of a zone shows, by the platform. */
function wallClock(timeZone: string): (instant: number) => { day: string; hour: number; minute: number } {
  const format = new Intl.DateTimeFormat('en-CA', {
    ...{ timeZone, hourCycle: 'h23', year: 'numeric', month: '2-digit', day: '2-digit' },
    ...{ hour: '2-digit', minute: '2-digit' },
  });
  return (instant) => {
    const parts = Object.fromEntries(format.formatToParts(instant).map(({ type, value }) => [type, value]));
    return {
      day: `${parts['year']}-${parts['month']}-${parts['day']}`,
      hour: Number(parts['hour']),
      minute: Number(parts['minute']),
    };
  };
}

/** The hours and minutes of an expression `minutes hours * * *`. */
function fields(cron: string): { readonly minutes: ReadonlySet<number>; readonly hours: ReadonlySet<number> } {
  const [minute = '', hour = ''] = cron.split(' ');
  const read = (text: string, size: number): Set<number> => {
    const all = Array.from({ length: size }, (_, n) => n);
    if (text === '*') return new Set(all);
    if (text.startsWith('*/')) return new Set(all.filter((n) => n % Number(text.slice(2)) === 0));
    return new Set(text.split(',').map(Number));
  };
  return { minutes: read(minute, 60), hours: read(hour, 24) };
}

/**
 * Ticks in (from, to]. A time inside a gap ticks at the first valid instant, several of one gap once; a fixed time in a repeated
 * hour ticks the first time; an expression that ticks in every hour ticks in both.
 */
function oracle(cron: string, timeZone: string, from: number, to: number): number[] {
  const clock = wallClock(timeZone);
  const { minutes, hours } = fields(cron);
  const everyHour = hours.size === 24;
  const seen = new Set<string>();
  const ticks: number[] = [];
  const civil = (instant: number): { day: string; minute: number } => {
    const { day, hour, minute } = clock(instant);
    return { day, minute: hour * 60 + minute };
  };
  // From a day before, so that what was shown before is known.
  let before = civil(from - 24 * HOUR - MINUTE);
  for (let instant = from - 24 * HOUR; instant <= to; instant += MINUTE) {
    const now = civil(instant);
    const shown = `${now.day} ${now.minute}`;
    const matches = (minute: number): boolean => hours.has(Math.floor(minute / 60)) && minutes.has(minute % 60);
    // Minutes of this day that the clock has passed over.
    const last = now.day === before.day ? before.minute : -1;
    const skipped = Array.from({ length: Math.max(0, now.minute - last - 1) }, (_, n) => last + 1 + n);
    const ticked = matches(now.minute) && (everyHour || !seen.has(shown));
    if ((ticked || skipped.some(matches)) && instant > from) ticks.push(instant);
    seen.add(shown);
    before = now;
  }
  return ticks;
}

const all = (cron: string, timeZone: string, from: number, to: number): number[] => {
  const { count, at } = ticksBetween(cron, timeZone, from, to);
  return Array.from({ length: count }, (_, n) => at(n));
};

const CHANGES: readonly (readonly [zone: string, from: string])[] = [
  ['Europe/Berlin', '2024-03-30T12:00:00Z'],
  ['Europe/Berlin', '2024-10-26T12:00:00Z'],
  ['America/New_York', '2024-03-09T12:00:00Z'],
  ['America/New_York', '2024-11-02T12:00:00Z'],
  ['Australia/Sydney', '2024-04-06T02:00:00Z'],
  ['Australia/Sydney', '2024-10-05T02:00:00Z'],
  ['Australia/Lord_Howe', '2024-04-06T02:00:00Z'],
  ['Australia/Lord_Howe', '2024-10-05T02:00:00Z'],
  // At midnight, so that a day begins at one.
  ['America/Santiago', '2024-04-06T12:00:00Z'],
  ['America/Santiago', '2024-09-07T12:00:00Z'],
  ['Africa/Cairo', '2024-04-25T12:00:00Z'],
  ['Africa/Cairo', '2024-10-31T12:00:00Z'],
];

const CRONS = [
  '0 * * * *',
  '*/30 * * * *',
  '*/7 * * * *',
  '30 2 * * *',
  '15 2 * * *',
  '0 0 * * *',
  '30 0 * * *',
  '45 1 * * *',
  '0 3 * * *',
  '0,30 1,2,3 * * *',
  '*/20 0,23 * * *',
];

describe('ticks', () => {
  it.each(CHANGES)('of %s over the change after %s are those of the oracle', (zone, start) => {
    const from = Date.parse(start);
    const to = from + 36 * HOUR;
    for (const cron of CRONS) {
      const expected = oracle(cron, zone, from, to).map((tick) => new Date(tick).toISOString());
      expect({ cron, ticks: all(cron, zone, from, to).map((tick) => new Date(tick).toISOString()) }).toEqual({
        cron,
        ticks: expected,
      });
    }
  });

  it('are those of the oracle for any expression, zone and time', () => {
    const list = (size: number) =>
      fc.uniqueArray(fc.nat(size - 1), { minLength: 1, maxLength: 4 }).map((some) => some.join(','));
    const minute = fc.oneof(list(60), fc.constantFrom('*/5', '*/13', '0'));
    const hour = fc.oneof(list(24), fc.constantFrom('*', '*/6'));
    fc.assert(
      fc.property(
        minute,
        hour,
        fc.constantFrom(...CHANGES),
        fc.nat(24 * 60),
        (minutes, hours, [zone, start], offset) => {
          const from = Date.parse(start) + offset * MINUTE;
          const to = from + 14 * HOUR;
          const cron = `${minutes} ${hours} * * *`;
          expect(all(cron, zone, from, to)).toEqual(oracle(cron, zone, from, to));
        },
      ),
      { numRuns: 40 },
    );
  }, 60_000);

  it('are none twice and none lost between any two looks', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...CRONS),
        fc.constantFrom(...CHANGES),
        fc.array(fc.integer({ min: 1, max: 20 * HOUR }), { minLength: 1, maxLength: 8 }),
        (cron, [zone, start], steps) => {
          const from = Date.parse(start);
          let now = from;
          const seen: number[] = [];
          for (const step of steps) {
            seen.push(...all(cron, zone, now, now + step));
            now += step;
          }
          expect(seen).toEqual(all(cron, zone, from, now));
          expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b));
        },
      ),
      { numRuns: 200 },
    );
  });

  it('around an instant agree with those between', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...CRONS),
        fc.constantFrom(...CHANGES),
        fc.nat(30 * HOUR),
        (cron, [zone, start], offset) => {
          const now = Date.parse(start) + offset;
          const { last, next } = ticksAround(cron, zone, now);
          expect(all(cron, zone, now - 40 * HOUR, now).at(-1)).toBe(last);
          expect(all(cron, zone, now, now + 40 * HOUR)[0]).toBe(next);
          expect(nextTicks(cron, zone, now, 3)[0]).toBe(next);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('of rare expressions are found, and those that never come are not', () => {
    const now = Date.parse('2024-03-01T00:00:00Z');
    expect(new Date(ticksAround('0 0 29 2 *', 'UTC', now).last!).toISOString()).toBe('2024-02-29T00:00:00.000Z');
    expect(nextTicks('0 0 29 2 *', 'UTC', now, 2).map((tick) => new Date(tick).toISOString().slice(0, 10))).toEqual([
      '2028-02-29',
      '2032-02-29',
    ]);
    expect(nextTicks('*/15 * * * * *', 'UTC', now, 3).map((tick) => tick - now)).toEqual([15_000, 30_000, 45_000]);
    expect(nextTicks('0 0 * * *', 'UTC', now, 400)).toHaveLength(400);
  });
});
