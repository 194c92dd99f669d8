import { describe, expect, it } from '@jest/globals';
import { expectedCost, inWords } from '../../../lib/lineage/expected.cost.js';

describe('the expected cost', () => {
  it('is the median, which one long wait does not move', () => {
    expect(expectedCost([3000, 1000, 3_600_000])).toEqual({
      ...{ each: 3000, samples: 3, message: 'about 3 s each, the median of its last 3 successes' },
    });
    expect(expectedCost([1000, 4000, 2000, 3000]).each).toBe(2500);
  });

  it('is that of the only success where there is one', () => {
    expect(expectedCost([250])).toEqual({
      each: 250,
      samples: 1,
      message: 'about 250 ms each, as its last success took',
    });
  });

  it('says in words that nothing is known', () => {
    expect(expectedCost([])).toEqual({ each: null, samples: 0, message: 'not known: no success of it is recorded' });
  });

  it.each([
    [0, '0 ms'],
    [999.4, '999 ms'],
    [1234, '1.2 s'],
    [9999, '10 s'],
    [119_000, '119 s'],
    [150_000, '2.5 min'],
    [3_600_000, '60 min'],
    [9_000_000, '2.5 h'],
  ])('reads %i ms as %s', (ms, words) => {
    expect(inWords(ms)).toBe(words);
  });
});
