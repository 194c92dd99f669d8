import { describe, expect, it } from '@jest/globals';
import { FlowStoneError } from '../../../lib/flowstone.errors.js';
import { canonicalKey, customKeys, ordinalRange, type PartitionSet } from '../../../lib/partitions/partition-set.js';
import type { PartitionKeyInput } from '../../../lib/partitions/partition-key.js';
import { type PartitionScheme, Partitions } from '../../../lib/partitions/partitions.js';
import { keysOf, momentAt, resolveAll } from './moment.js';

const daily = Partitions.daily({ start: '2001-01-01' });

function codeOf(act: () => unknown): string | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    return error instanceof FlowStoneError ? error.code : String(error);
  }
}

describe('the partitions of time', () => {
  it.each([
    ['hourly', { start: '2001-03-04T22', end: '2001-03-05T01' }, ['2001-03-04T22', '2001-03-04T23', '2001-03-05T00']],
    ['daily', { start: '2001-02-27', end: '2001-03-02' }, ['2001-02-27', '2001-02-28', '2001-03-01']],
    ['weekly', { start: '2001-01-02', end: '2001-01-16' }, ['2001-01-08', '2001-01-15']],
    ['monthly', { start: '2000-11', end: '2001-02' }, ['2000-11', '2000-12', '2001-01']],
  ] as const)('%s are named by the start of their window', (kind, bounds, keys) => {
    expect(keysOf(resolveAll(Partitions[kind](bounds)))).toEqual(keys);
  });

  it('begin with the first window at or after the start, and leave out those from the end on', () => {
    const set = resolveAll(Partitions.daily({ start: '2001-01-01T12:00', end: '2001-01-03T12:00' }));
    expect(keysOf(set)).toEqual(['2001-01-02', '2001-01-03']);
  });

  it.each([
    ['2001-01-01T23:59:59.999Z', false, 0],
    ['2001-01-02T00:00:00.000Z', false, 1],
    ['2000-12-31T23:59:59.999Z', true, 0],
    ['2001-01-01T00:00:00.000Z', true, 1],
    ['2001-01-01T23:59:59.999Z', true, 1],
    ['1990-01-01T00:00:00.000Z', true, 0],
  ])('exist at %s (with the current one: %s): %i', (now, includeCurrent, size) => {
    expect(resolveAll(Partitions.daily({ start: '2001-01-01', includeCurrent }), momentAt(now)).size).toBe(size);
  });

  it('end their window by the clock of the zone', () => {
    const berlin = Partitions.daily({ start: '2001-01-01', timeZone: 'Europe/Berlin' });
    expect(resolveAll(berlin, momentAt('2001-01-01T22:59:59Z')).size).toBe(0);
    expect(resolveAll(berlin, momentAt('2001-01-01T23:00:00Z')).size).toBe(1);
  });

  it('wait for the last window before the end to end', () => {
    const monthly = Partitions.monthly({ start: '2001-01-01', end: '2001-01-15' });
    expect(resolveAll(monthly, momentAt('2001-01-20T00:00:00Z')).size).toBe(0);
    expect(resolveAll(monthly, momentAt('2001-02-01T00:00:00Z')).size).toBe(1);
  });

  it('take no memory, be there a million', () => {
    const set = resolveAll(Partitions.hourly({ start: '1900-01-01' }));
    expect(set.size).toBe(1_112_352);
    expect(set.keyAt(1_000_000)).toBe('2014-01-29T16');
    expect(set.ordinalOf('2014-01-29T16')).toBe(1_000_000);
  });

  it('answer only for what exists', () => {
    const set = resolveAll(daily, momentAt('2001-01-03T00:00:00Z'));
    expect(set.ordinalOf('2001-01-03')).toBe(-1);
    expect(set.ordinalOf('2000-12-31')).toBe(-1);
    expect(set.ordinalOf('nonsense')).toBe(-1);
    expect(() => set.keyAt(2)).toThrow(RangeError);
    expect(() => set.windowAt(-1)).toThrow(RangeError);
  });

  it.each([
    ['0 6 * * 1-5', '2001-01-05', ['2001-01-05T06:00', '2001-01-08T06:00']],
    ['0 0 1,15 * *', '2001-01-05', ['2001-01-15T00:00', '2001-02-01T00:00']],
    ['0 18 * * FRI#L', '2001-01-01', ['2001-01-26T18:00', '2001-02-23T18:00']],
    ['0 0 29 2 *', '1896-01-01', ['1896-02-29T00:00', '1904-02-29T00:00']],
    ['15 30 2 * * *', '2001-01-01', ['2001-01-01T02:30:15', '2001-01-02T02:30:15']],
    ['0 0 13 * 5', '2001-04-10', ['2001-04-13T00:00', '2001-04-20T00:00']],
  ])('of cron %s from %s', (cron, start, first) => {
    const set = resolveAll(Partitions.cron({ cron, start }));
    expect(keysOf(set).slice(0, 2)).toEqual(first);
    expect(set.windowAt(0)!.end).toEqual(set.windowAt(1)!.start);
  });

  it('of a cron that seldom fires end where it fires next', () => {
    const rare = Partitions.cron({ cron: '0 0 29 2 *', start: '2020-01-01', includeCurrent: true });
    expect(resolveAll(rare).windowAt(1)).toEqual({
      start: new Date('2024-02-29T00:00:00Z'),
      end: new Date('2028-02-29T00:00:00Z'),
    });
  });
});

describe('listed partitions', () => {
  it('keep their order, and the first of equal keys counts', () => {
    const moment = momentAt('2001-01-01T00:00:00Z', { tenants: ['b', 'a', 'b', ''] });
    const set = resolveAll(Partitions.dynamic('tenants'), moment);
    expect(keysOf(set)).toEqual(['b', 'a', '']);
    expect(set.ordinalOf('')).toBe(2);
    expect(set.windowAt(0)).toBeUndefined();
    expect(set.dimensionsAt(0)).toBeUndefined();
  });

  it('without a scheme there is only the whole', () => {
    expect(keysOf(resolveAll(undefined))).toEqual(['']);
  });

  it('of a custom scheme are computed from texts, tuples and records', async () => {
    const context = { config: { region: 'eu' }, resources: {} };
    const named = Partitions.custom(
      async function* ({ config }) {
        yield ['acme', String(config.region)];
        yield { region: 'u|s', tenant: 'b' };
      },
      { dimensions: ['tenant', 'region'] },
    );
    const keys = await customKeys(named, context);
    expect(keys).toEqual(['acme|eu', 'b|u\\|s']);
    const set = resolveAll(named, { ...momentAt('2001-01-01T00:00:00Z'), customKeys: () => keys });
    expect(set.dimensionsAt(1)).toEqual({ tenant: 'b', region: 'u|s' });
    expect(
      await customKeys(
        Partitions.custom(() => ['x', 'y']),
        context,
      ),
    ).toEqual(['x', 'y']);
    await expect(
      customKeys(
        Partitions.custom(() => [['x', 'y']]),
        context,
      ),
    ).rejects.toMatchObject({
      code: 'FLOWSTONE_PARTITION_KEY_INVALID',
    });
  });
});

describe('several dimensions', () => {
  const multi = Partitions.multi({
    day: Partitions.daily({ start: '2001-01-01', end: '2001-01-03' }),
    region: Partitions.static(['eu', 'u|s']),
  });

  it('are combined, the last counting fastest', () => {
    const set = resolveAll(multi);
    expect(keysOf(set)).toEqual(['2001-01-01|eu', '2001-01-01|u\\|s', '2001-01-02|eu', '2001-01-02|u\\|s']);
    expect(set.dimensionsAt(1)).toEqual({ day: '2001-01-01', region: 'u|s' });
    expect(set.windowAt(2)?.start).toEqual(new Date('2001-01-02T00:00:00Z'));
    expect(keysOf(set).map((key) => set.ordinalOf(key))).toEqual([0, 1, 2, 3]);
    expect(set.ordinalOf('2001-01-01')).toBe(-1);
  });

  it('count what no list could hold, and refuse what no number can', () => {
    const hours = Partitions.hourly({ start: '1900-01-01' });
    const set = resolveAll(Partitions.multi({ a: hours, b: hours }));
    expect(set.size).toBeGreaterThan(1e12);
    expect(set.ordinalOf(set.keyAt(set.size - 1))).toBe(set.size - 1);
    expect(codeOf(() => resolveAll(Partitions.multi({ a: hours, b: hours, c: hours })))).toBe(
      'FLOWSTONE_PARTITION_TOO_MANY',
    );
  });
});

describe('a key', () => {
  const multi = Partitions.multi({ day: daily, tenant: Partitions.dynamic('tenants') });

  it.each<[string, PartitionScheme | undefined, PartitionKeyInput, string]>([
    ['the whole', undefined, '', ''],
    ['a day', daily, '2001-03-04', '2001-03-04'],
    ['a day the scheme does not hold', daily, '1999-03-04', '1999-03-04'],
    ['an instant', daily, new Date('2001-03-04T23:59:59.999Z'), '2001-03-04'],
    ['an instant of a week', Partitions.weekly({ start: '2001' }), new Date('2001-03-04T12:00:00Z'), '2001-02-26'],
    [
      'an instant of a rare cron',
      Partitions.cron({ cron: '0 0 29 2 *', start: '2001' }),
      new Date('1903-01-01'),
      '1896-02-29T00:00',
    ],
    ['a static key that is gone', Partitions.static(['a']), 'b', 'b'],
    ['a record', multi, { tenant: 'a|b', day: new Date('2001-03-04T05:00:00Z') }, '2001-03-04|a\\|b'],
    ['an encoded key', multi, '2001-03-04|', '2001-03-04|'],
  ])('%s is canonical', (_, scheme, input, key) => {
    expect(canonicalKey(scheme, input)).toBe(key);
  });

  it.each<[string, PartitionScheme | undefined, unknown, RegExp]>([
    ['a key of an unpartitioned asset', undefined, '2001-03-04', /only the whole/],
    ['another form', daily, '4 March', /a day such as '2001-03-04'/],
    ['no such date', daily, '2001-02-29', /not of that form/],
    ['a day that is no Monday', Partitions.weekly({ start: '2001' }), '2001-03-04', /falls into is '2001-02-26'/],
    ['an invalid date', daily, new Date(NaN), /years 1 to 9990/],
    ['a date too far', daily, new Date(8.64e15), /years 1 to 9990/],
    ['an instant of a list', Partitions.static(['a']), new Date(0), /no text/],
    ['null', Partitions.static(['a']), null, /no text/],
    ['a missing dimension', multi, { day: '2001-03-04' }, /day, tenant/],
    ['a foreign dimension', multi, { day: '2001-03-04', tenant: 'a', region: 'b' }, /day, tenant/],
    ['an inherited dimension', multi, Object.create({ day: '2001-03-04', tenant: 'a' }), /day, tenant/],
    ['a bad dimension', multi, { day: 'x', tenant: 'a' }, /a day such as/],
    ['another number of parts', multi, '2001-03-04', /day, tenant/],
    ['a wrong escape', multi, '2001-03-04|\\x', /day, tenant/],
    ['NUL', Partitions.dynamic('t'), 'a\0b', /NUL/],
    ['half a surrogate pair', Partitions.dynamic('t'), '\ud800', /surrogate/],
    ['a key that is too long', Partitions.dynamic('t'), 'é'.repeat(1001), /longer than 2000 bytes/],
  ])('%s is refused with what is expected', (_, scheme, input, message) => {
    const act = () => canonicalKey(scheme, input as PartitionKeyInput);
    expect(act).toThrow(message);
    expect(codeOf(act)).toBe('FLOWSTONE_PARTITION_KEY_INVALID');
  });

  it('of an unusable scheme says so', () => {
    expect(codeOf(() => canonicalKey(Partitions.daily({ start: 'x' }), '2001-03-04'))).toBe(
      'FLOWSTONE_PARTITION_SCHEME_INVALID',
    );
  });
});

describe('a range', () => {
  const set: PartitionSet = resolveAll(daily, momentAt('2001-01-11T00:00:00Z'));
  const range = (from?: PartitionKeyInput, to?: PartitionKeyInput) => ordinalRange(set, daily, { from, to });

  it('holds both its bounds, and goes to the end where one is left out', () => {
    expect(range('2001-01-02', '2001-01-04')).toEqual({ from: 1, to: 4 });
    expect(range('2001-01-10', '2001-01-10')).toEqual({ from: 9, to: 10 });
    expect(range('2001-01-05')).toEqual({ from: 4, to: 10 });
    expect(range(undefined, new Date('2001-01-05T17:00:00Z'))).toEqual({ from: 0, to: 5 });
    expect(range()).toEqual({ from: 0, to: 10 });
  });

  it('of nothing is empty', () => {
    expect(ordinalRange(resolveAll(daily, momentAt('1999-01-01T00:00:00Z')), daily, {})).toEqual({ from: 0, to: 0 });
  });

  it.each([
    ['2001-01-04', '2001-01-02', 'FLOWSTONE_PARTITION_RANGE_INVALID'],
    ['2001-01-04', '2001-01-11', 'FLOWSTONE_PARTITION_UNKNOWN'],
    ['2000-12-31', '2001-01-02', 'FLOWSTONE_PARTITION_UNKNOWN'],
    ['soon', '2001-01-02', 'FLOWSTONE_PARTITION_KEY_INVALID'],
  ])('from %s to %s is %s', (from, to, code) => {
    expect(codeOf(() => range(from, to))).toBe(code);
  });

  it('that ends before it begins names its bounds as they were given', () => {
    expect(() => range('2001-01-04', '2001-01-02')).toThrow(/from '2001-01-04' to '2001-01-02'/);
  });
});
