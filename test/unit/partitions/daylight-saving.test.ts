// Golden cases: what the windows of a zone are where its clock changes. Lengths are in minutes.
import { describe, expect, it } from '@jest/globals';
import { canonicalKey } from '../../../lib/partitions/partition-set.js';
import { Partitions } from '../../../lib/partitions/partitions.js';
import { keysOf, resolveAll, windowsOf } from './moment.js';

describe('hours', () => {
  it.each([
    [
      'the skipped hour of spring is no partition',
      'Europe/Berlin',
      '2001-03-25',
      '2001-03-25T05',
      ['2001-03-25T00 60', '2001-03-25T01 60', '2001-03-25T03 60', '2001-03-25T04 60'],
    ],
    [
      'the repeated hour of autumn is two partitions',
      'Europe/Berlin',
      '2001-10-28T01',
      '2001-10-28T04',
      ['2001-10-28T01 60', '2001-10-28T02+02:00 60', '2001-10-28T02+01:00 60', '2001-10-28T03 60'],
    ],
    [
      'west of Greenwich too',
      'America/New_York',
      '2001-10-28T00',
      '2001-10-28T03',
      ['2001-10-28T00 60', '2001-10-28T01-04:00 60', '2001-10-28T01-05:00 60', '2001-10-28T02 60'],
    ],
    [
      'half an hour of spring shortens the hour it begins in',
      'Australia/Lord_Howe',
      '2001-10-28T01',
      '2001-10-28T04',
      ['2001-10-28T01 60', '2001-10-28T02 30', '2001-10-28T03 60'],
    ],
    [
      'half an hour of autumn lengthens the hour it ends in',
      'Australia/Lord_Howe',
      '2001-03-25T00',
      '2001-03-25T03',
      ['2001-03-25T00 60', '2001-03-25T01 90', '2001-03-25T02 60'],
    ],
    [
      'a clock that goes back over midnight repeats the last hour of the day before',
      'America/Sao_Paulo',
      '2019-02-16T22',
      '2019-02-17T01',
      ['2019-02-16T22 60', '2019-02-16T23-02:00 60', '2019-02-16T23-03:00 60', '2019-02-17T00 60'],
    ],
    [
      'a clock that goes back at one minute past midnight repeats the hour that began with that minute',
      'America/St_Johns',
      '2006-10-28T23',
      '2006-10-29T02',
      ['2006-10-28T23 60', '2006-10-29T00-02:30 60', '2006-10-29T00-03:30 60', '2006-10-29T01 60'],
    ],
    [
      'a day the zone skipped has no hours',
      'Pacific/Apia',
      '2011-12-29T23',
      '2011-12-31T01',
      ['2011-12-29T23 60', '2011-12-31T00 60'],
    ],
    [
      'local mean time ends with a longer hour',
      'Europe/Paris',
      '1911-03-10T22',
      '1911-03-11T01',
      ['1911-03-10T22 60', '1911-03-10T23 69.35', '1911-03-11T00 60'],
    ],
  ])('%s', (_, timeZone, start, end, windows) => {
    expect(windowsOf(Partitions.hourly({ timeZone, start, end }))).toEqual(windows);
  });

  it('begin with the second of two hours where the scheme starts within the first', () => {
    const windows = windowsOf(
      Partitions.hourly({ timeZone: 'Europe/Berlin', start: '2001-10-28T02:30', end: '2001-10-28T04' }),
    );
    expect(windows).toEqual(['2001-10-28T02+01:00 60', '2001-10-28T03 60']);
  });

  it('are found by their key where the scheme starts with an hour the clock half skips', () => {
    const scheme = Partitions.hourly({ timeZone: 'Australia/Lord_Howe', start: '2001-10-28T02', end: '2001-10-28T04' });
    expect(windowsOf(scheme)).toEqual(['2001-10-28T02 30', '2001-10-28T03 60']);
    expect(keysOf(resolveAll(scheme)).map((key) => resolveAll(scheme).ordinalOf(key))).toEqual([0, 1]);
  });
});

describe('days', () => {
  it.each([
    ['Europe/Berlin', '2001-03-25', ['2001-03-25 1380', '2001-03-26 1440']],
    ['Europe/Berlin', '2001-10-28', ['2001-10-28 1500', '2001-10-29 1440']],
    ['Australia/Sydney', '2001-03-25', ['2001-03-25 1500', '2001-03-26 1440']],
    ['America/Sao_Paulo', '2018-11-04', ['2018-11-04 1380', '2018-11-05 1440']],
    ['America/Sao_Paulo', '2019-02-16', ['2019-02-16 1500', '2019-02-17 1440']],
    ['Australia/Lord_Howe', '2001-10-28', ['2001-10-28 1410', '2001-10-29 1440']],
  ])('are as long as the clock of %s says on %s', (timeZone, start, windows) => {
    expect(windowsOf(Partitions.daily({ timeZone, start, end: '2019-12-31' })).slice(0, 2)).toEqual(windows);
  });

  it('the zone skipped are no partitions', () => {
    const scheme = Partitions.daily({ timeZone: 'Pacific/Apia', start: '2011-12-29', end: '2012-01-02' });
    expect(windowsOf(scheme)).toEqual(['2011-12-29 1440', '2011-12-31 1440', '2012-01-01 1440']);
    expect(resolveAll(scheme).ordinalOf('2011-12-30')).toBe(-1);
    expect(() => canonicalKey(scheme, '2011-12-30')).toThrow(/falls into is '2011-12-31'/);
  });
});

describe('cron', () => {
  const cron = (expression: string, start: string, end: string, timeZone = 'Europe/Berlin') =>
    windowsOf(Partitions.cron({ cron: expression, timeZone, start, end }));

  it('has a time within the gap once, at the first valid instant', () => {
    expect(cron('30 2 * * *', '2001-03-24', '2001-03-27')).toEqual([
      '2001-03-24T02:30 1410',
      '2001-03-25T02:30 1410',
      '2001-03-26T02:30 1440',
    ]);
  });

  it('has one window for several times within one gap', () => {
    expect(cron('15,45 2 * * *', '2001-03-25', '2001-03-26T03')).toEqual([
      '2001-03-25T02:45 1395',
      '2001-03-26T02:15 30',
      '2001-03-26T02:45 1410',
    ]);
  });

  it('has a fixed time of the repeated hour once', () => {
    expect(cron('30 2 * * *', '2001-10-28', '2001-10-30')).toEqual(['2001-10-28T02:30 1500', '2001-10-29T02:30 1440']);
  });

  it('has an hourly pattern in both hours', () => {
    expect(cron('*/30 * * * *', '2001-10-28T02', '2001-10-28T03:30')).toEqual([
      '2001-10-28T02:00+02:00 30',
      '2001-10-28T02:30+02:00 30',
      '2001-10-28T02:00+01:00 30',
      '2001-10-28T02:30+01:00 30',
      '2001-10-28T03:00 30',
    ]);
  });

  it('has it in both half hours of Lord Howe', () => {
    expect(cron('*/30 * * * *', '2001-03-25T01', '2001-03-25T02:30', 'Australia/Lord_Howe')).toEqual([
      '2001-03-25T01:00 30',
      '2001-03-25T01:30+11:00 30',
      '2001-03-25T01:30+10:30 30',
      '2001-03-25T02:00 30',
    ]);
  });
});

describe('an instant', () => {
  const hourly = Partitions.hourly({ timeZone: 'Europe/Berlin', start: '2001-01-01' });

  it('is taken to the window that holds it, on either side of the change', () => {
    expect(canonicalKey(hourly, new Date('2001-10-28T00:59:59.999Z'))).toBe('2001-10-28T02+02:00');
    expect(canonicalKey(hourly, new Date('2001-10-28T01:00:00.000Z'))).toBe('2001-10-28T02+01:00');
  });

  it('cannot be named by a time the clock shows twice, and both keys are offered', () => {
    expect(() => canonicalKey(hourly, '2001-10-28T02')).toThrow(/'2001-10-28T02\+02:00' or '2001-10-28T02\+01:00'/);
  });

  it('cannot be named with an offset where none is needed', () => {
    expect(() => canonicalKey(hourly, '2001-10-28T03+01:00')).toThrow(/falls into is '2001-10-28T03'/);
  });
});

it('windows follow each other without gap or overlap through a century of a zone', () => {
  const set = resolveAll(Partitions.hourly({ timeZone: 'Europe/Berlin', start: '1900-01-01', end: '2000-01-01' }));
  let broken = 0;
  for (let ordinal = 0; ordinal < set.size; ordinal += 24) {
    const { start, end } = set.windowAt(ordinal)!;
    if (ordinal > 0 && set.windowAt(ordinal - 1)!.end.getTime() !== start.getTime()) broken++;
    if (!(start < end) || set.ordinalOf(set.keyAt(ordinal)) !== ordinal) broken++;
  }
  expect(broken).toBe(0);
  expect(set.size).toBeGreaterThan(876_000);
  expect(
    keysOf(resolveAll(Partitions.monthly({ timeZone: 'Europe/Berlin', start: '1900', end: '2000' }))),
  ).toHaveLength(1200);
});
