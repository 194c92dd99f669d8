import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { LEAF, placeOfOne, SUMS, WEIGHT_OF_FIRST } from '../../../lib/planning/summary-chunk.js';

type Difference = readonly [place: number, first: number, second: number];

/** By how much the sums of a leaf differ where these partitions do. */
function sumsOf(differences: readonly Difference[]): Int32Array {
  const sums = new Int32Array(SUMS);
  for (const [place, ...lanes] of differences) {
    for (const lane of [0, 1] as const) {
      const weight = WEIGHT_OF_FIRST[lane]![place + 1]! - WEIGHT_OF_FIRST[lane]![place]!;
      sums[lane]! += lanes[lane];
      sums[2 + lane]! += Math.imul(weight, lanes[lane]);
    }
  }
  return sums;
}

const place = fc.nat(LEAF - 1);
/** Of any number of zeros at the end. */
const lane = fc.tuple(fc.integer(), fc.nat(31)).map(([value, zeros]) => (value << zeros) | 0);

describe('the place of the only partition of a leaf that differs', () => {
  it('is told by the sums, whatever it differs by', () => {
    fc.assert(
      fc.property(place, lane, lane, (at, first, second) => {
        // Where both are multiples of that, once in billions, it cannot be told.
        fc.pre([first, second].some((value) => value !== 0 && value % 2 ** 17 !== 0));
        expect(placeOfOne(sumsOf([[at, first, second]]))).toBe(at);
      }),
      { numRuns: 20_000 },
    );
  });

  it('is that of each place', () => {
    for (let at = 0; at < LEAF; at++)
      for (const zeros of [0, 1, 15, 16]) {
        expect(placeOfOne(sumsOf([[at, 1 << zeros, 0]]))).toBe(at);
        expect(placeOfOne(sumsOf([[at, 0, -1 << zeros]]))).toBe(at);
      }
  });

  it('is none where several differ, also by the same', () => {
    const by = fc.tuple(fc.integer({ min: 1 }), fc.integer({ min: 1 }));
    fc.assert(
      fc.property(
        fc.uniqueArray(place, { minLength: 2, maxLength: LEAF }),
        fc.array(by, { minLength: 1 }),
        (places, of) => {
          const differences = places.map((at, which): Difference => [at, ...of[which % of.length]!]);
          expect(placeOfOne(sumsOf(differences))).toBeUndefined();
        },
      ),
      { numRuns: 5000 },
    );
  });

  it('is none where it cannot be told', () => {
    expect(placeOfOne(new Int32Array(SUMS))).toBeUndefined();
    expect(placeOfOne(sumsOf([[5, 2 ** 20, 2 ** 25]]))).toBeUndefined();
    expect(placeOfOne(Int32Array.of(0, 0, 7, 0))).toBeUndefined();
  });
});
