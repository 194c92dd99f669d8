// The option `pools`: what is read, and what each mistake is told.
import { describe, expect, it } from '@jest/globals';
import { Partitions } from '../../../lib/partitions/partitions.js';
import { readPools, unusedKeys } from '../../../lib/runs/pool.options.js';

describe('the option pools', () => {
  it('reads places and rates by name', () => {
    expect(readPools({ gpu: { concurrency: 2 }, free: {} })).toEqual([
      { name: 'gpu', concurrency: 2, rate: null },
      { name: 'free', concurrency: null, rate: null },
    ]);
  });

  it.each([
    ['100/min', 100, 60_000],
    ['100/m', 100, 60_000],
    ['5/s', 5, 1000],
    ['1000/h', 1000, 3_600_000],
    ['1/d', 1, 86_400_000],
    ['2/10s', 2, 10_000],
    ['3/1.5h', 3, 5_400_000],
    ['1/250ms', 1, 250],
  ])('reads the rate %s', (rate, count, period) => {
    expect(readPools({ api: { rate } })).toEqual([{ name: 'api', concurrency: null, rate: { count, period } }]);
  });

  it.each(['', '100', '100/', '/s', '0/s', '1.5/s', '-1/s', '5/0s', '5/year', '5/s/s', '9999999999/s', 5, null])(
    'refuses the rate %p',
    (rate) => {
      expect(() => readPools({ api: { rate } })).toThrow(/^such that api.rate is a count and a time/);
    },
  );

  it.each([0, -1, 1.5, '2', Infinity, null, 3_000_000_000])('refuses the concurrency %p', (concurrency) => {
    expect(() => readPools({ api: { concurrency } })).toThrow(
      'such that api.concurrency is a whole number of at least 1',
    );
  });

  it('refuses what is no pool, and tells what was meant', () => {
    expect(() => readPools([])).toThrow('an object of pools by name');
    expect(() => readPools({ api: 3 })).toThrow('such that api is an object of concurrency, rate');
    expect(() => readPools({ '': {} })).toThrow('such that every pool has a name');
    expect(() => readPools({ api: { concurency: 3 } })).toThrow('without concurency (did you mean "concurrency"?)');
  });

  it('reads what bounds each key', () => {
    expect(readPools({ api: { rate: '9/s', perKey: { dimension: 'tenant', concurrency: 2, rate: '5/min' } } })).toEqual(
      [
        {
          ...{ name: 'api', concurrency: null, rate: { count: 9, period: 1000 } },
          perKey: { dimension: 'tenant', concurrency: 2, rate: { count: 5, period: 60_000 } },
        },
      ],
    );
  });

  it.each<[unknown, string]>([
    ['tenant', 'such that api.perKey is an object of dimension, concurrency, rate'],
    [{ concurrency: 2 }, 'such that api.perKey.dimension is the name of a dimension'],
    [{ dimension: 'tenant' }, 'such that api.perKey has a concurrency or a rate'],
    [{ dimension: 'tenant', concurrency: undefined }, 'such that api.perKey has a concurrency or a rate'],
    [{ dimension: 'tenant', concurrency: 0 }, 'such that api.perKey.concurrency is a whole number of at least 1'],
    [{ dimension: 'tenant', rate: '5' }, 'such that api.perKey.rate is a count and a time'],
    [{ dimensoin: 'tenant', rate: '5/s' }, 'without dimensoin (did you mean "dimension"?)'],
  ])('refuses %j for each key', (perKey, message) => {
    expect(() => readPools({ api: { perKey } })).toThrow(message);
  });
});

describe('a dimension of keys that no asset of the pool has', () => {
  const pools = readPools({ api: { perKey: { dimension: 'tenant', concurrency: 2 } } });
  const asset = (key: string, scheme = Partitions.dynamic(key), pool = 'api') => ({ key, scheme, pool });

  it('is warned of, with what was meant', () => {
    const [warning, ...more] = unusedKeys(pools, [asset('tenants'), asset('tenant', undefined, 'other')]);
    expect(warning).toMatch(/^Pool api is bounded per key of 'tenant', .*\(did you mean "tenants"\?\): tenants\. /);
    expect(more).toEqual([]);
  });

  it('is not where one has it, or where none of the pool is here', () => {
    expect(unusedKeys(pools, [asset('days'), asset('tenant')])).toEqual([]);
    expect(unusedKeys(pools, [asset('days', undefined, 'other')])).toEqual([]);
    expect(unusedKeys(readPools({ api: {} }), [asset('days')])).toEqual([]);
  });
});
