import { describe, expect, it } from '@jest/globals';
import { defaultAssetKey, isAssetKey } from '../../../lib/assets/asset.key.js';

describe('asset keys', () => {
  it.each([
    ['DailyDelays', 'daily_delays'],
    ['S3Files', 's3_files'],
    ['HTTPLogs', 'http_logs'],
    ['LogsHTTP', 'logs_http'],
    ['ParseHTTPLogs2', 'parse_http_logs2'],
    ['Orders2024Report', 'orders2024_report'],
    ['daily_delays', 'daily_delays'],
    ['ABTest', 'ab_test'],
    ['X', 'x'],
  ])('makes %p to %p', (className, key) => {
    expect(defaultAssetKey(className)).toBe(key);
    expect(isAssetKey(key)).toBe(true);
  });

  it.each(['a', 'a1', 'analytics.daily_delays', 'a_.b_'])('takes %p', (key) => {
    expect(isAssetKey(key)).toBe(true);
  });

  it.each(['', 'A', '1a', '_a', 'a.', '.a', 'a..b', 'a.1', 'a-b', 'a b', 'a/b', 'ä', 'a\n', '__proto__'])(
    'refuses %p',
    (key) => {
      expect(isAssetKey(key)).toBe(false);
    },
  );
});
