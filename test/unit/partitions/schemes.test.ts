import { describe, expect, it } from '@jest/globals';
import { decodeDimensions, encodeDimensions } from '../../../lib/partitions/partition-key.js';
import {
  type PartitionScheme,
  Partitions,
  schemeFingerprint,
  schemeProblems,
} from '../../../lib/partitions/partitions.js';

const day = Partitions.daily({ start: '2001-01-01' });

describe('what is wrong with a scheme', () => {
  it.each<[string, PartitionScheme]>([
    ['a day', day],
    ['all forms of bounds', Partitions.hourly({ start: '2001', end: '2001-03-04T05:30:15' })],
    ['cron with seconds', Partitions.cron({ cron: '0 30 5 * * MON-FRI', start: '2001-01-01' })],
    ['an empty key', Partitions.static(['', 'a|b', '\\'])],
    ['a product', Partitions.multi({ day, tenant: Partitions.dynamic('tenants'), x: Partitions.custom(() => []) })],
  ])('is nothing for %s', (_, scheme) => {
    expect(schemeProblems(scheme)).toEqual([]);
  });

  it.each<[string, PartitionScheme, RegExp]>([
    ['a zone', Partitions.daily({ start: '2001', timeZone: 'Europe/Berln' }), /'Europe\/Berln' is no IANA time zone/],
    ['a fixed offset', Partitions.daily({ start: '2001', timeZone: '+02:00' }), /no IANA time zone/],
    ['a start', Partitions.daily({ start: '4 March' }), /start "4 March" is no date/],
    ['a start with an offset', Partitions.daily({ start: '2001-03-04T05:00Z' }), /without an offset/],
    ['a start that is no date', Partitions.daily({ start: '2001-02-29' }), /is no date/],
    ['a year too far', Partitions.daily({ start: '9999' }), /out of range/],
    ['an end', Partitions.daily({ start: '2001', end: 'x' }), /end "x" is no date/],
    ['an end before the start', Partitions.daily({ start: '2001-02', end: '2001-02-01' }), /is not after start/],
    ['cron', Partitions.cron({ cron: 'whenever', start: '2001' }), /cron 'whenever' cannot be used/],
    ['cron by nickname', Partitions.cron({ cron: '@daily', start: '2001' }), /five fields/],
    ['cron of years', Partitions.cron({ cron: '0 0 0 1 1 * 2001', start: '2001' }), /five fields/],
    ['cron that never fires', Partitions.cron({ cron: '0 0 30 2 *', start: '2001' }), /matches no day/],
    ['a key listed twice', Partitions.static(['a', 'b', 'a']), /"a" is listed twice/],
    ['a key with NUL', Partitions.static(['a\0']), /NUL/],
    ['a list name', Partitions.dynamic(''), /cannot be named ""/],
    ['no dimensions', Partitions.multi({}), /at least one dimension/],
    ['a dimension that would be reordered', Partitions.multi({ '1': day }), /cannot be named "1"/],
    ['a dimension', Partitions.multi({ day: Partitions.daily({ start: 'x' }) }), /dimension 'day': start "x"/],
    ['a dimension of dimensions', Partitions.multi({ a: Partitions.multi({ day }) as never }), /is itself multi/],
    ['a part named twice', Partitions.custom(() => [], { dimensions: ['a', 'a'] }), /named twice/],
    ['something else', { kind: 'yearly' } as never, /is no partition scheme; write one of hourly/],
  ])('is said of %s', (_, scheme, problem) => {
    expect(schemeProblems(scheme)).toEqual([expect.stringMatching(problem)]);
  });

  it('is said all at once', () => {
    expect(schemeProblems(Partitions.cron({ cron: 'x', start: 'y', timeZone: 'z' }))).toHaveLength(3);
  });
});

describe('the fingerprint of a scheme', () => {
  it('is equal for what means the same', () => {
    const spaced = Partitions.cron({ cron: ' 0  6 * * * ', start: '2001' });
    expect(schemeFingerprint(spaced)).toBe(schemeFingerprint(Partitions.cron({ cron: '0 6 * * *', start: '2001' })));
    expect(schemeFingerprint(day)).toBe(schemeFingerprint(Partitions.daily({ start: '2001-01-01', timeZone: 'UTC' })));
  });

  it('differs for everything else', () => {
    const schemes = [
      undefined,
      day,
      Partitions.weekly({ start: '2001-01-01' }),
      Partitions.daily({ start: '2001-01-02' }),
      Partitions.daily({ start: '2001-01-01', end: '2002' }),
      Partitions.daily({ start: '2001-01-01', timeZone: 'Europe/Berlin' }),
      Partitions.daily({ start: '2001-01-01', includeCurrent: true }),
      Partitions.cron({ cron: '0 6 * * *', start: '2001-01-01' }),
      Partitions.static(['a', 'b']),
      Partitions.static(['b', 'a']),
      Partitions.dynamic('a'),
      Partitions.custom(() => [], { name: 'a' }),
      Partitions.custom(() => [], { name: 'a', dimensions: ['x'] }),
      Partitions.multi({ a: day, b: Partitions.static(['x']) }),
      Partitions.multi({ b: Partitions.static(['x']), a: day }),
    ];
    expect(new Set(schemes.map(schemeFingerprint)).size).toBe(schemes.length);
  });
});

describe('encoded dimensions', () => {
  it('escape what separates them', () => {
    expect(encodeDimensions(['a|b', 'c\\', ''])).toBe('a\\|b|c\\\\|');
    expect(decodeDimensions('a\\|b|c\\\\|', 3)).toEqual(['a|b', 'c\\', '']);
  });

  it.each([
    ['too few', 'a', 2],
    ['too many', 'a|b', 1],
    ['an escape of nothing', 'a\\', 1],
    ['an escape of what needs none', '\\a', 1],
  ])('are undefined for %s', (_, key, count) => {
    expect(decodeDimensions(key, count)).toBeUndefined();
  });

  it('need at least one', () => {
    expect(() => encodeDimensions([])).toThrow(RangeError);
  });
});
