// Very many partitions are looked at in passes, each once in a round, however many there are.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Windows } from '../../../lib/automation/conditions/windows.js';
import { OrdinalRanges } from '../../../lib/planning/ordinal-ranges.js';

function listed(ranges: OrdinalRanges): number[] {
  return Array.from({ length: ranges.size }, (_, position) => ranges.ordinalAt(position));
}

describe('windows', () => {
  it('go through all partitions in question, each once, and say when that is done', () => {
    const pairs = fc.array(fc.tuple(fc.nat(60), fc.nat(12)), { maxLength: 6 });
    fc.assert(
      fc.property(pairs, fc.integer({ min: 1, max: 9 }), (some, most) => {
        const all = OrdinalRanges.of(some.flatMap(([from, length]) => [from, from + length]));
        const windows = new Windows(most);
        const seen: number[] = [];
        for (let more = true; more;) {
          const taken = windows.take('a', all, undefined);
          expect(taken.size).toBeLessThanOrEqual(most);
          seen.push(...listed(taken));
          more = windows.hasMore('a');
          expect(windows.areOpen).toBe(more);
        }
        expect(seen).toEqual(listed(all));
        // The next round begins at the first.
        expect(listed(windows.take('a', all, undefined))).toEqual(listed(all).slice(0, most));
      }),
    );
  });

  it('make a pass again, and begin anew with another tick', () => {
    const windows = new Windows(3);
    const all = OrdinalRanges.of([0, 10]);
    windows.take('a', all, 1);
    expect(listed(windows.take('a', all, 1))).toEqual([3, 4, 5]);
    windows.again('a');
    expect(listed(windows.take('a', all, 1))).toEqual([3, 4, 5]);
    expect(listed(windows.take('b', all, 1))).toEqual([0, 1, 2]);
    expect(listed(windows.take('a', all, 2))).toEqual([0, 1, 2]);
  });
});
