import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { OrdinalRanges, RangeCollector } from '../../lib/planning/ordinal-ranges.js';

const pairs = fc
  .array(fc.tuple(fc.nat(40), fc.nat(6)), { maxLength: 12 })
  .map((drawn) => drawn.flatMap(([from, length]) => [from, from + length]));

function members(list: readonly number[]): Set<number> {
  const found = new Set<number>();
  for (let at = 0; at < list.length; at += 2) for (let i = list[at]!; i < list[at + 1]!; i++) found.add(i);
  return found;
}

const listed = (ranges: OrdinalRanges): number[] =>
  Array.from({ length: ranges.size }, (_, at) => ranges.ordinalAt(at));

describe('ranges of ordinals', () => {
  it('hold what a set would hold, ascending', () => {
    fc.assert(
      fc.property(pairs, pairs, (a, b) => {
        const [left, right] = [OrdinalRanges.of(a), OrdinalRanges.of(b)];
        const sorted = (set: Iterable<number>) => [...set].sort((x, y) => x - y);
        expect(listed(left)).toEqual(sorted(members(a)));
        expect(listed(left.union(right))).toEqual(sorted(members([...a, ...b])));
        expect(listed(left.minus(right))).toEqual(sorted(members(a)).filter((ordinal) => !members(b).has(ordinal)));
        for (let ordinal = 0; ordinal < 50; ordinal++) {
          expect(left.positionOf(ordinal)).toBe(listed(left).indexOf(ordinal));
        }
      }),
      { numRuns: 500 },
    );
  });

  it('are gone through from any position to any other', () => {
    fc.assert(
      fc.property(pairs, fc.nat(60), fc.nat(60), (list, one, other) => {
        const ranges = OrdinalRanges.of(list);
        const [from, to] = [Math.min(one, other, ranges.size), Math.min(Math.max(one, other), ranges.size)];
        const visited: number[] = [];
        ranges.eachAt(from, to, (ordinal) => visited.push(ordinal));
        expect(visited).toEqual(listed(ranges).slice(from, to));
      }),
      { numRuns: 500 },
    );
  });

  it('come out of a collector whatever the order they went in, and only once', () => {
    fc.assert(
      fc.property(pairs, (list) => {
        const collector = new RangeCollector();
        for (let at = 0; at < list.length; at += 2) collector.add(list[at]!, list[at + 1]!);
        expect(listed(collector.take())).toEqual(listed(OrdinalRanges.of(list)));
        expect(collector.take().size).toBe(0);
      }),
    );
  });

  it('are collected in little memory when there are many', () => {
    const collector = new RangeCollector();
    for (let at = 0; at < 100_000; at++) collector.add((at * 7919) % 100_000, ((at * 7919) % 100_000) + 1);
    expect(collector.take().pairs()).toEqual([0, 100_000]);
  });
});
