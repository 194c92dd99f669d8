// How figures of a bench are judged by its bars.
import { describe, expect, it } from '@jest/globals';
import type { BenchCase, Measure } from '../../../bench/bench.case.js';
import { judge } from '../../../bench/verdict.js';

const benchOf = (...measures: BenchCase['measures']): BenchCase => ({ title: 'a bench', parts: {}, measures });

describe('a bench verdict', () => {
  it('holds the median of an absolute figure to its bar', () => {
    const bench = benchOf({ name: 'time', unit: 'ms', ours: 'ms', atMost: 100 });
    expect(judge('boot', bench, { ms: [500, 90, 100] })).toMatchObject({
      case: 'boot',
      ours: 100,
      peer: null,
      unit: 'ms',
      ratio: null,
      bar: '<= 100 ms',
      ok: true,
      runs: { ms: [500, 90, 100] },
    });
    expect(judge('boot', bench, { ms: [90, 101, 500] })).toMatchObject({ ours: 101, ok: false });
  });

  it('holds the ratio of the medians to the bar where there is a peer', () => {
    const bench = benchOf({ name: 'speed', unit: '/s', ours: 'ours', peer: 'peer', atLeast: 0.5 });
    expect(judge('embedded', bench, { ours: [4, 6], peer: [10, 10] })).toMatchObject({
      ours: 5,
      peer: 10,
      ratio: 0.5,
      bar: '>= 0.5',
      ok: true,
    });
  });

  it('shows the first bar that was missed and is ok only when none was', () => {
    const first: Measure = { name: 'first', unit: 's', ours: 'first', atMost: 1.5 };
    const later: Measure = { name: 'later', unit: 's', ours: 'later', atMost: 1 };
    const verdict = judge('embedded-start', benchOf(first, later), { first: [1], later: [2] });
    expect(verdict).toMatchObject({ ours: 2, bar: '<= 1 s', ok: false });
    expect(verdict.measures.map(({ measure, ok }) => [measure, ok])).toEqual([
      ['first', true],
      ['later', false],
    ]);
  });

  it('misses a bar when a figure is not a number', () => {
    const bench = benchOf({ name: 'time', unit: 'ms', ours: 'ms', atMost: 100 });
    expect(judge('boot', bench, { ms: [Number.NaN] }).ok).toBe(false);
  });

  it('refuses a measure of a figure that no part gave', () => {
    const bench = benchOf({ name: 'time', unit: 'ms', ours: 'seconds', atMost: 100 });
    expect(() => judge('boot', bench, { ms: [1] })).toThrow('gives the figure "seconds"');
  });
});
