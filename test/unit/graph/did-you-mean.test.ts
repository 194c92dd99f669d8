import { describe, expect, it } from '@jest/globals';
import { closest, didYouMean } from '../../../lib/graph/did-you-mean.js';

const names = ['daily_delays', 'raw_flights', 'airports', 'up', 'Group'];

describe('closest', () => {
  it.each([
    ['daily_delay', 'daily_delays'],
    ['dialy_delays', 'daily_delays'],
    ['RAW_FLIGHTS', 'raw_flights'],
    ['airprots', 'airports'],
    ['us', 'up'],
    ['group', 'Group'],
  ])('finds %s near %s', (name, expected) => expect(closest(name, names)).toBe(expected));

  it.each(['monthly_report', 'xx', '', 'a'.repeat(300)])('finds nothing near "%s"', (name) =>
    expect(closest(name, names)).toBeUndefined(),
  );

  it('takes the nearest, and the first of equals', () => {
    expect(closest('abcd', ['abxx', 'abcx', 'abcy'])).toBe('abcx');
    expect(closest('abcd', ['abcde', 'abcd'])).toBe('abcd');
  });

  it('says it as the end of a message', () => {
    expect(didYouMean('airport', names)).toBe(' (did you mean "airports"?)');
    expect(didYouMean('nothing_like_it', names)).toBe('');
  });
});
