// What comes in almost the order of its marks is seen once each, however late within the window, and by whatever pages.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { NOTHING_SEEN, unseen, type Found, type Seen } from '../../../lib/automation/sensors/seen.js';

const WINDOW = 10;

/** Batches of marks that come together; none is further back than the window from those that came before. */
const arrivals = fc
  .array(fc.array(fc.integer({ min: -WINDOW, max: 25 }), { maxLength: 8 }), { maxLength: 12 })
  .map((batches) => {
    let high = 100;
    return batches.map((steps) => {
      const places = steps.map((step) => high + step);
      high = Math.max(high, ...places);
      return places;
    });
  });

function look(seen: Seen, all: readonly Found<number>[], most: number): ReturnType<typeof unseen<number>> {
  const from = seen.high === null ? -Infinity : seen.place - WINDOW;
  const inOrder = all.filter(({ place }) => place >= from).sort((one, other) => one.place - other.place);
  // As a table is read: no more than what is remembered and one page beside it.
  return unseen(seen, inOrder.slice(0, seen.window.length + most + 1), WINDOW, most);
}

describe('what was seen', () => {
  it('is seen once each, whatever order it comes in', () => {
    fc.assert(
      fc.property(arrivals, fc.integer({ min: 1, max: 5 }), (batches, most) => {
        const all: Found<number>[] = [];
        const times = new Map<string, number>();
        let seen: Seen = { ...NOTHING_SEEN };
        for (const batch of batches) {
          for (const place of batch) {
            all.push({ id: String(all.length), mark: String(place), place, thing: place });
          }
          for (let more = true; more;) {
            const looked = look(seen, all, most);
            for (const { id } of looked.taken) times.set(id, (times.get(id) ?? 0) + 1);
            // As a cursor that was kept as JSON.
            seen = JSON.parse(JSON.stringify(looked.seen)) as Seen;
            more = looked.more;
          }
        }
        expect(all.map(({ id }) => times.get(id))).toEqual(all.map(() => 1));
      }),
    );
  });

  it('forgets what lies before the window', () => {
    const at = (place: number): Found<number> => ({ id: `at ${place}`, mark: String(place), place, thing: place });
    const { seen } = unseen(NOTHING_SEEN, [at(1), at(50), at(60)], WINDOW, 10);
    expect(seen).toEqual({
      high: '60',
      place: 60,
      window: [
        ['at 50', 50],
        ['at 60', 60],
      ],
    });
  });

  it('is not led astray by a mark in the future', () => {
    const at = (place: number): Found<number> => ({ id: `at ${place}`, mark: String(place), place, thing: place });
    const first = unseen(NOTHING_SEEN, [at(5), at(1000)], WINDOW, 10, { mark: '6', place: 6 });
    expect(first.seen).toMatchObject({ high: '6', place: 6 });
    const second = unseen(first.seen, [at(5), at(7), at(1000)], WINDOW, 10, { mark: '8', place: 8 });
    expect(second.taken.map(({ thing }) => thing)).toEqual([7]);
  });
});
