// Which ticks are due, and what becomes of them: policies of catching up and of overlap.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { dueTicks, MISSED_AFTER, type DueQuestion } from '../../../lib/automation/schedules/due.ticks.js';

const NOON = Date.parse('2024-03-06T12:00:00Z');
const MINUTE = 60_000;
const ask = (fields: Partial<DueQuestion> = {}) =>
  dueTicks({
    ...{ cron: '* * * * *', timeZone: 'UTC', catchUp: 'none', overlap: 'skip', open: null, queued: false },
    ...{ watermark: NOON - MINUTE, now: NOON + 200 },
    ...fields,
  });
const said = (fields: Partial<DueQuestion> = {}) =>
  ask(fields)?.ticks.map(({ tick, status }) => `${(tick - NOON) / MINUTE} ${status}`);

describe('due ticks', () => {
  it('are none before the next, and the next once it has come', () => {
    expect(ask({ watermark: NOON, now: NOON + 59_999 })).toBeUndefined();
    expect(ask()).toEqual({ ticks: [{ tick: NOON, status: 'fired', reason: null }], watermark: NOON, more: false });
  });

  it('that nobody was there for follow the policy', () => {
    const away = { watermark: NOON - 10 * MINUTE };
    expect(said({ ...away, catchUp: 'none' })).toEqual(['-1 missed', '0 fired']);
    expect(ask({ ...away, catchUp: 'none' })!.ticks[0]!.reason).toBe(
      'nobody was there to fire it in time, and 8 before it',
    );
    expect(said({ ...away, catchUp: 'latest', overlap: 'allow' })).toEqual(['-1 fired', '0 fired']);
    expect(said({ ...away, catchUp: 'all', overlap: 'allow' })).toEqual(
      Array.from({ length: 9 }, (_, n) => `${n - 9} fired`),
    );
    expect(ask({ ...away, catchUp: 'all' })).toMatchObject({ more: true, watermark: NOON - MINUTE });
  });

  it('wait, are left out, or fire while the run before has not ended', () => {
    expect(said({ open: 7 })).toEqual(['0 skipped']);
    expect(ask({ open: 7 })!.ticks[0]!.reason).toBe('run 7, which was requested before, has not ended');
    expect(said({ open: 7, overlap: 'queue' })).toEqual(['0 queued']);
    expect(said({ open: 7, overlap: 'allow' })).toEqual(['0 fired']);
    // What is queued goes first.
    expect(said({ queued: true, overlap: 'queue' })).toEqual(['0 queued']);
  });

  it('that are caught up with together are none left out', () => {
    const away = { watermark: NOON - 5 * MINUTE, catchUp: 'all' as const };
    expect(said({ ...away, overlap: 'skip' })).toEqual(['-4 fired', '-3 queued', '-2 queued', '-1 queued']);
  });

  it('of a long absence are attended to in steps', () => {
    const year = { watermark: NOON - 365 * 1440 * MINUTE };
    expect(ask({ ...year, catchUp: 'all' })!.ticks).toHaveLength(20);
    expect(said({ ...year, catchUp: 'none' })).toEqual(['-1 missed', '0 fired']);
  });

  it('are each attended to once, in order, however often it is looked', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('none' as const, 'latest' as const, 'all' as const),
        fc.constantFrom('skip' as const, 'queue' as const, 'allow' as const),
        fc.array(fc.record({ pause: fc.integer({ min: 0, max: 5 * MISSED_AFTER }), open: fc.boolean() }), {
          maxLength: 12,
        }),
        (catchUp, overlap, looks) => {
          let watermark = NOON;
          let now = NOON;
          const ticks: number[] = [];
          for (const { pause, open } of looks) {
            now += pause;
            for (let more = true; more;) {
              const due = ask({ catchUp, overlap, watermark, now, open: open ? 1 : null });
              if (!due) break;
              expect(due.watermark).toBeGreaterThan(watermark);
              ({ watermark, more } = due);
              ticks.push(...due.ticks.map(({ tick }) => tick));
            }
            // Everything up to now is attended to.
            expect(watermark).toBe(Math.max(NOON, Math.floor(now / MINUTE) * MINUTE));
          }
          expect(ticks).toEqual([...new Set(ticks)].sort((a, b) => a - b));
          if (catchUp === 'all') expect(ticks).toHaveLength((watermark - NOON) / MINUTE);
        },
      ),
    );
  });
});
