import { describe, expect, it } from '@jest/globals';
import { parseDuration, readDuration } from '../../../lib/assets/duration.js';

describe('durations', () => {
  it.each([
    ['500ms', 500],
    ['10s', 10_000],
    ['1.5s', 1500],
    ['2m', 120_000],
    ['1h', 3_600_000],
    ['1d', 86_400_000],
    ['0s', 0],
    [250, 250],
    [0, 0],
  ] as const)('reads %p as %p ms', (written, milliseconds) => {
    expect(parseDuration(written)).toBe(milliseconds);
  });

  it.each([
    '',
    '10',
    's',
    '10 s',
    '-1s',
    '1w',
    '10S',
    '1e3s',
    '1m30s',
    'Infinitys',
    NaN,
    Infinity,
    -1,
    null,
    undefined,
    {},
  ])('does not take %p for a duration', (written) => {
    expect(readDuration(written)).toBeUndefined();
  });

  it('says what is expected where a duration is none', () => {
    expect(() => parseDuration('10 s')).toThrow(
      expect.objectContaining({
        code: 'FLOWSTONE_ASSET_DURATION_INVALID',
        message: expect.stringMatching(/'10 s' is not a duration: write '500ms', '10s'/),
      }),
    );
  });
});
