import { describe, expect, it } from '@jest/globals';
import {
  mapping,
  mappingCardinality,
  mappingLooksBack,
  mappingProblem,
  type MappingSpec,
  type PartitionMapping,
} from '../../../lib/partitions/mapping.js';
import { type PartitionScheme, Partitions } from '../../../lib/partitions/partitions.js';
import { mapKeys, momentAt } from './moment.js';

const bounds = { start: '2001-01-01', end: '2001-04-01' };
const hourly = Partitions.hourly(bounds);
const daily = Partitions.daily(bounds);
const monthly = Partitions.monthly(bounds);
const berlin = Partitions.daily({ ...bounds, timeZone: 'Europe/Berlin' });
const region = Partitions.static(['eu', 'us']);
const dayRegion = Partitions.multi({ day: daily, region });
const loadTenants = () => ['a'];
const mappedBy = (made: PartitionMapping): MappingSpec => ({
  kind: 'mapped',
  mapping: made,
});

describe('a mapping that cannot hold', () => {
  it.each<[string, MappingSpec, PartitionScheme | undefined, PartitionScheme | undefined, RegExp]>([
    ['bare, one to many', { kind: 'same' }, undefined, daily, /write all\(\.\.\.\), keys\(\.\.\.\) or latest/],
    ['bare, month from days', { kind: 'same' }, monthly, daily, /many partitions; write within\(\.\.\.\)/],
    ['bare, day from months', { kind: 'same' }, daily, monthly, /write within\(\.\.\.\)/],
    ['bare, other zone', { kind: 'same' }, daily, berlin, /time zones differ \(UTC, Europe\/Berlin\)/],
    ['bare, other kind', { kind: 'same' }, daily, region, /partitioned differently \(daily, static\)/],
    ['bare, other list', { kind: 'same' }, Partitions.dynamic('a'), Partitions.dynamic('b'), /differently/],
    ['bare, keys the upstream lacks', { kind: 'same' }, Partitions.static(['eu', 'cn']), region, /no partition 'cn'/],
    [
      'bare, more dimensions',
      { kind: 'same' },
      daily,
      dayRegion,
      /mapping\.dimensions\(\{ day: mapping\.all\(\), region/,
    ],
    [
      'bare, another dimension',
      { kind: 'same' },
      dayRegion,
      Partitions.multi({ day: daily, tenant: region }),
      /tenant: mapping\.all/,
    ],
    [
      'bare, two fitting dimensions',
      { kind: 'same' },
      Partitions.multi({ from: region, to: region }),
      region,
      /mapping\.dimension\('from'\)/,
    ],
    [
      'bare, no fitting dimension',
      { kind: 'same' },
      dayRegion,
      monthly,
      /none of this asset's dimensions \(day, region\)/,
    ],
    ['all of a whole', { kind: 'all' }, daily, undefined, /write the bare class/],
    ['within, other zone', { kind: 'within' }, monthly, berlin, /time zones differ/],
    ['within a list', { kind: 'within' }, monthly, region, /one time dimension, and this one has 0/],
    ['within, not partitioned', { kind: 'within' }, undefined, daily, /not partitioned/],
    ['within, from a list', { kind: 'within' }, region, daily, /between windows of time/],
    ['window of other windows', { kind: 'window', start: -1, end: 0 }, monthly, daily, /write within/],
    ['window the wrong way round', { kind: 'window', start: 1, end: 0 }, daily, daily, /from start up to end/],
    ['window of halves', { kind: 'window', start: -0.5, end: 0 }, daily, daily, /whole windows/],
    ['previous that is not past', { kind: 'previous', start: -1, end: 0 }, daily, daily, /end at -1 or earlier/],
    ['previous of a list', { kind: 'previous', start: -1, end: -1 }, region, region, /one time dimension/],
    ['no keys', { kind: 'keys', keys: [] }, undefined, region, /names no partition/],
    ['unknown keys', { kind: 'keys', keys: ['eu', 'cn'] }, undefined, region, /no partition 'cn'/],
    ['bad keys', { kind: 'keys', keys: ['4 March'] }, undefined, daily, /a day such as/],
    ['latest of a list', { kind: 'latest' }, undefined, region, /partitioned by time alone/],
    ['latest of a product', { kind: 'latest' }, undefined, dayRegion, /multi by day, region/],
    [
      'a rule for an unknown dimension',
      mappedBy(mapping.dimensions({ tenant: mapping.all() })),
      daily,
      dayRegion,
      /no dimension 'tenant'/,
    ],
    [
      'a rule of an unknown dimension',
      mappedBy(mapping.dimensions({ day: mapping.same('tag') })),
      dayRegion,
      dayRegion,
      /no dimension 'tag'/,
    ],
    ['dimensions of none', mappedBy(mapping.dimensions({})), dayRegion, daily, /mapping\.dimension\('mine'\)/],
    ['a dimension of several', mappedBy(mapping.dimension('day')), dayRegion, dayRegion, /mapping\.dimensions/],
  ])('%s names what to write', (_, spec, down, up, problem) => {
    expect(mappingProblem(spec, down, up)).toMatch(problem);
    expect(() => mapKeys(spec, down, up)).toThrow(
      expect.objectContaining({ code: 'FLOWSTONE_PARTITION_MAPPING_INVALID' }),
    );
  });

  it('is allowed to name missing keys where that is said', () => {
    const down = Partitions.static(['eu', 'cn']);
    expect(mappingProblem({ kind: 'same', allowMissing: true }, down, region)).toBeUndefined();
    expect(mappingProblem({ kind: 'keys', keys: ['cn'], allowMissing: true }, undefined, region)).toBeUndefined();
  });
});

describe('a bare class', () => {
  it.each<[string, PartitionScheme | undefined, PartitionScheme | undefined, string, string]>([
    ['whole to whole', undefined, undefined, '', ''],
    ['a partition to the whole', daily, undefined, '2001-01-05', ''],
    ['the same window', daily, daily, '2001-01-05', '2001-01-05'],
    [
      'the same window of an upstream that begins earlier',
      daily,
      Partitions.daily({ start: '2000-01-01' }),
      '2001-01-05',
      '2001-01-05',
    ],
    [
      'the same tick',
      Partitions.cron({ cron: '0 6 * * 1-5', ...bounds }),
      Partitions.cron({ cron: '0  6 * * 1-5', start: '2000' }),
      '2001-01-05T06:00',
      '2001-01-05T06:00',
    ],
    ['the same listed key', Partitions.static(['us']), region, 'us', 'us'],
    ['one of my dimensions', dayRegion, daily, '2001-01-05|us', '2001-01-05'],
    ['another of my dimensions', dayRegion, region, '2001-01-05|us', 'us'],
    [
      'my dimensions in another order',
      dayRegion,
      Partitions.multi({ region, day: daily }),
      '2001-01-05|us',
      'us|2001-01-05',
    ],
    ['some of my dimensions', dayRegion, Partitions.multi({ region }), '2001-01-05|us', 'us'],
    ['all of my dimensions', dayRegion, dayRegion, '2001-01-05|us', '2001-01-05|us'],
  ])('means %s', (_, down, up, key, upstream) => {
    const mapped = mapKeys({ kind: 'same' }, down, up);
    expect(mapped.upstream(key)).toEqual([upstream]);
    expect(mapped.downstream(upstream)).toContain(key);
    expect(mapped.missing(key)).toEqual([]);
    expect(mapped.resolved.cardinality).toBe('one');
  });

  it('feeds every partition from the whole in one run', () => {
    const { resolved } = mapKeys({ kind: 'same' }, dayRegion, undefined);
    const runs: number[][] = [];
    resolved.downstreamOf(0, (from, to) => runs.push([from, to]));
    expect(runs).toEqual([[0, 180]]);
  });

  it('misses the window the upstream does not have', () => {
    const late = Partitions.daily({ start: '2001-01-03', end: '2001-02-01' });
    const mapped = mapKeys({ kind: 'same' }, daily, late);
    expect(mapped.missing('2001-01-02')).toEqual(['2001-01-02']);
    expect(mapped.missing('2001-01-03')).toEqual([]);
    expect(mapped.missing('2001-02-01')).toEqual(['2001-02-01']);
    expect(mapKeys({ kind: 'same', allowMissing: true }, daily, late).missing('2001-01-02')).toEqual([]);
  });

  it('misses what an upstream that ended before had', () => {
    const old = Partitions.daily({ start: '2000-01-01', end: '2000-02-01' });
    const mapped = mapKeys({ kind: 'window', start: -6, end: 0 }, daily, old);
    expect(mapped.upstream('2001-01-01')).toEqual([]);
    expect(mapped.missing('2001-01-01')).toHaveLength(7);
  });

  it('misses the key a list lost', () => {
    const moment = momentAt('2001-04-01T00:00:00Z', { a: ['x', 'y'] });
    const custom = Partitions.custom(loadTenants, { name: 'a' });
    expect(mapKeys({ kind: 'same' }, custom, custom, moment).upstream('y')).toEqual(['y']);
    const mapped = mapKeys({ kind: 'same', allowMissing: true }, Partitions.static(['eu', 'cn']), region);
    expect(mapped.upstream('cn')).toEqual([]);
    expect(mapped.downstream('us')).toEqual([]);
  });
});

describe('within', () => {
  it('yields the windows that overlap and exist', () => {
    const mapped = mapKeys({ kind: 'within' }, monthly, daily, momentAt('2001-03-02T00:00:00Z'));
    expect(mapped.upstream('2001-02')).toHaveLength(28);
    expect(mapped.downstream('2001-02-14')).toEqual(['2001-02']);
    expect(mapped.downstream('2001-03-01')).toEqual([]);
  });

  it('has one day where one day of the month exists', () => {
    const flights = Partitions.daily({ start: '2001-01-01', end: '2001-07-02' });
    const months = Partitions.monthly({ start: '2001-01-01', end: '2001-08-01' });
    expect(mapKeys({ kind: 'within' }, months, flights).upstream('2001-07')).toEqual(['2001-07-01']);
  });

  it('yields both windows that a week overlaps', () => {
    expect(mapKeys({ kind: 'within' }, Partitions.weekly(bounds), monthly).upstream('2001-01-29')).toEqual([
      '2001-01',
      '2001-02',
    ]);
  });

  it('yields one window around a smaller one', () => {
    const mapped = mapKeys({ kind: 'within' }, hourly, daily);
    expect(mapped.upstream('2001-01-05T23')).toEqual(['2001-01-05']);
    expect(mapped.downstream('2001-01-05')).toHaveLength(24);
  });

  it('follows the clock of the zone', () => {
    const options = { start: '2001-10-01', end: '2001-11-01', timeZone: 'Europe/Berlin' };
    const mapped = mapKeys({ kind: 'within' }, Partitions.daily(options), Partitions.hourly(options));
    expect(mapped.upstream('2001-10-28')).toHaveLength(25);
    expect(mapped.downstream('2001-10-28T02+01:00')).toEqual(['2001-10-28']);
  });

  it('describes the window where there is none at all', () => {
    const late = Partitions.daily({ start: '2001-03-01', end: '2001-04-01' });
    const mapped = mapKeys({ kind: 'within' }, monthly, late);
    expect(mapped.upstream('2001-02')).toEqual([]);
    expect(mapped.missing('2001-02')).toEqual([
      'any window that overlaps 2001-02-01T00:00:00.000Z to 2001-03-01T00:00:00.000Z',
    ]);
    expect(mapKeys({ kind: 'within', allowMissing: true }, monthly, late).missing('2001-02')).toEqual([]);
  });

  it('keeps the other dimensions', () => {
    const monthRegion = Partitions.multi({ month: monthly, region });
    const mapped = mapKeys({ kind: 'within' }, monthRegion, dayRegion);
    expect(mapped.upstream('2001-02|us')).toHaveLength(28);
    expect(mapped.upstream('2001-02|us')[0]).toBe('2001-02-01|us');
    expect(mapped.downstream('2001-02-14|eu')).toEqual(['2001-02|eu']);
  });
});

describe('window and previous', () => {
  it('counts windows from mine, both ends included', () => {
    const mapped = mapKeys({ kind: 'window', start: -2, end: 0 }, daily, daily);
    expect(mapped.upstream('2001-02-01')).toEqual(['2001-01-30', '2001-01-31', '2001-02-01']);
    expect(mapped.downstream('2001-02-01')).toEqual(['2001-02-01', '2001-02-02', '2001-02-03']);
  });

  it('names the windows that are missing on either side', () => {
    const mapped = mapKeys({ kind: 'window', start: -2, end: 1 }, daily, daily);
    expect(mapped.upstream('2001-01-01')).toEqual(['2001-01-01', '2001-01-02']);
    expect(mapped.missing('2001-01-01')).toEqual(['2000-12-30', '2000-12-31']);
    expect(mapped.missing('2001-03-31')).toEqual(['2001-04-01']);
  });

  it('names missing windows of a cron that seldom fires', () => {
    const rare = Partitions.cron({ cron: '0 0 29 2 *', start: '2000', end: '2020' });
    expect(mapKeys({ kind: 'window', start: -2, end: 0 }, rare, rare).missing('2000-02-29T00:00')).toEqual([
      '1992-02-29T00:00',
      '1996-02-29T00:00',
    ]);
  });

  it('counts what it does not name', () => {
    const missing = mapKeys({ kind: 'window', start: -50, end: 0 }, daily, daily).missing('2001-01-01');
    expect(missing).toHaveLength(21);
    expect(missing[20]).toBe('and 30 more');
  });

  it('is empty before the first window of the past, without an error', () => {
    const mapped = mapKeys({ kind: 'previous', start: -1, end: -1 }, daily, daily);
    expect(mapped.upstream('2001-01-01')).toEqual([]);
    expect(mapped.missing('2001-01-01')).toEqual([]);
    expect(mapped.upstream('2001-01-02')).toEqual(['2001-01-01']);
  });

  it('keeps the other dimensions', () => {
    const mapped = mapKeys({ kind: 'previous', start: -2, end: -1 }, dayRegion, dayRegion);
    expect(mapped.upstream('2001-01-03|us')).toEqual(['2001-01-01|us', '2001-01-02|us']);
    expect(mapped.downstream('2001-01-03|us')).toEqual(['2001-01-04|us', '2001-01-05|us']);
  });
});

describe('all, keys and latest', () => {
  it('name the same partitions for each of mine', () => {
    expect(mapKeys({ kind: 'all' }, undefined, region).upstream('')).toEqual(['eu', 'us']);
    const keys = mapKeys({ kind: 'keys', keys: ['2001-01-05', '2001-01-02', '2001-01-05'] }, monthly, daily);
    expect(keys.upstream('2001-02')).toEqual(['2001-01-02', '2001-01-05']);
    expect(keys.downstream('2001-01-05')).toEqual(['2001-01', '2001-02', '2001-03']);
    expect(keys.downstream('2001-01-03')).toEqual([]);
  });

  it('name as latest what is newest at the moment', () => {
    const latest = mapKeys({ kind: 'latest' }, region, daily, momentAt('2001-01-09T12:00:00Z'));
    expect(latest.upstream('eu')).toEqual(['2001-01-08']);
    expect(latest.downstream('2001-01-08')).toEqual(['eu', 'us']);
    expect(latest.downstream('2001-01-07')).toEqual([]);
  });

  it('miss what does not exist; all of nothing is nothing', () => {
    const before = momentAt('2000-01-01T00:00:00Z');
    expect(mapKeys({ kind: 'latest' }, undefined, daily, before).missing('')).toEqual(['any partition']);
    expect(mapKeys({ kind: 'latest', allowMissing: true }, undefined, daily, before).missing('')).toEqual([]);
    expect(mapKeys({ kind: 'all' }, undefined, daily, before).missing('')).toEqual([]);
    expect(mapKeys({ kind: 'keys', keys: ['2001-01-05'] }, undefined, daily, before).missing('')).toEqual([
      '2001-01-05',
    ]);
  });
});

describe('mapped dimensions', () => {
  it('follow a rule for each dimension of the upstream', () => {
    const spec = mappedBy(mapping.dimensions({ day: mapping.window({ start: -1, end: 0 }), region: mapping.all() }));
    const mapped = mapKeys(spec, daily, dayRegion);
    expect(mapped.upstream('2001-01-02')).toEqual(['2001-01-01|eu', '2001-01-01|us', '2001-01-02|eu', '2001-01-02|us']);
    expect(mapped.downstream('2001-01-02|us')).toEqual(['2001-01-02', '2001-01-03']);
    expect(mapped.missing('2001-01-01')).toEqual(['day: 2000-12-31']);
  });

  it('choose one of several that fit', () => {
    const route = Partitions.multi({ from: region, to: region });
    const mapped = mapKeys(mappedBy(mapping.dimension('to')), route, region);
    expect(mapped.upstream('eu|us')).toEqual(['us']);
    expect(mapped.downstream('us')).toEqual(['eu|us', 'us|us']);
  });

  it('may follow from one dimension twice', () => {
    const route = Partitions.multi({ from: region, to: region });
    const spec = mappedBy(mapping.dimensions({ from: mapping.same('region'), to: mapping.same('region') }));
    const mapped = mapKeys(spec, dayRegion, route);
    expect(mapped.upstream('2001-01-01|us')).toEqual(['us|us']);
    expect(mapped.downstream('eu|us')).toEqual([]);
    expect(mapped.downstream('us|us')).toHaveLength(90);
  });

  it('are one where every rule is', () => {
    expect(mapping.dimensions({ region: mapping.same(), day: mapping.latest() }).cardinality).toBe('one');
    expect(mapping.dimensions({ region: mapping.keys(['eu']) }).cardinality).toBe('many');
    expect(mapping.dimension('day', mapping.within()).cardinality).toBe('many');
  });
});

describe('mapped functions', () => {
  const toMonth = mapping.one({ upstream: (day) => day.slice(0, 7) });

  it('are asked in one direction, and turned round', () => {
    const mapped = mapKeys({ kind: 'mapped', mapping: toMonth }, berlin, monthly);
    expect(mapped.upstream('2001-02-14')).toEqual(['2001-02']);
    expect(mapped.downstream('2001-02')).toHaveLength(28);
    expect(mapped.resolved.cardinality).toBe('one');
  });

  it('are told key, window and dimensions, and may answer with what callers may pass', () => {
    const made = mapping.many({
      upstream: (_, { window, dimensions }) => [{ day: window!.start, region: dimensions!.region! }],
      downstream: (key) => [key, '1999-01-01|eu'],
    });
    const mapped = mapKeys({ kind: 'mapped', mapping: made }, dayRegion, dayRegion);
    expect(mapped.upstream('2001-01-05|us')).toEqual(['2001-01-05|us']);
    expect(mapped.downstream('2001-01-05|us')).toEqual(['2001-01-05|us']);
  });

  it('miss the keys that do not exist', () => {
    const made = mapping.many({ upstream: () => ['us', 'cn', 'us'] });
    expect(mapKeys({ kind: 'mapped', mapping: made }, daily, region).missing('2001-01-05')).toEqual(['cn']);
    expect(mapKeys({ kind: 'mapped', mapping: made, allowMissing: true }, daily, region).missing('2001-01-05')).toEqual(
      [],
    );
  });

  it('that fail name the partition', () => {
    const failing = mapping.many({ upstream: () => ['4 March'] });
    expect(() => mapKeys({ kind: 'mapped', mapping: failing }, region, daily).upstream('eu')).toThrow(
      expect.objectContaining({
        code: 'FLOWSTONE_PARTITION_MAPPING_FAILED',
        context: { partition: 'eu', direction: 'upstream' },
      }),
    );
  });

  it('are not turned round for more than a million partitions', () => {
    const mapped = mapKeys({ kind: 'mapped', mapping: toMonth }, Partitions.hourly({ start: '1900' }), monthly);
    expect(() => mapped.downstream('2001-02')).toThrow(
      expect.objectContaining({ code: 'FLOWSTONE_PARTITION_TOO_MANY' }),
    );
  });
});

it.each<[MappingSpec, 'one' | 'many', boolean]>([
  [{ kind: 'same' }, 'one', false],
  [{ kind: 'latest' }, 'one', false],
  [{ kind: 'all' }, 'many', false],
  [{ kind: 'within' }, 'many', false],
  [{ kind: 'window', start: -2, end: 0 }, 'many', false],
  [{ kind: 'window', start: -2, end: -1 }, 'many', true],
  [{ kind: 'previous', start: -1, end: -1 }, 'many', true],
  [{ kind: 'keys', keys: ['a'] }, 'many', false],
  [mappedBy(mapping.dimensions({ day: mapping.window({ start: -1, end: -1 }) })), 'many', true],
  [mappedBy(mapping.dimension('day')), 'one', false],
  [{ kind: 'mapped', mapping: mapping.one({ upstream: (key) => key }) }, 'one', false],
])('%j means %s, looking back: %s', (spec, cardinality, looksBack) => {
  expect(mappingCardinality(spec, daily, daily)).toBe(cardinality);
  expect(mappingLooksBack(spec)).toBe(looksBack);
});
