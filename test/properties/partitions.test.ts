// Laws of partitions over arbitrary content, dates, zones and mappings.
import { describe, it } from '@jest/globals';
import { expect } from '@jest/globals';
import fc from 'fast-check';
import { DateTime } from 'luxon';
import { mapping, mappingProblem, type MappingSpec, resolveMapping } from '../../lib/partitions/mapping.js';
import { decodeDimensions, encodeDimensions } from '../../lib/partitions/partition-key.js';
import { canonicalKey, type PartitionSet, resolvePartitions } from '../../lib/partitions/partition-set.js';
import {
  type PartitionScheme,
  Partitions,
  type SingleScheme,
  type TimeScheme,
} from '../../lib/partitions/partitions.js';

const LISTS: Readonly<Record<string, readonly string[]>> = { tenants: ['', 'a|b', 'é', '\\'], empty: [] };
const at = (now: Date) => ({ now, dynamicKeys: (name: string) => LISTS[name] ?? [], customKeys: () => [] });

const zone = fc.constantFrom(
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe',
  'America/Sao_Paulo',
  'Pacific/Apia',
  'Africa/Casablanca',
  'America/St_Johns',
);
const cron = fc.constantFrom(
  '0 6 * * *',
  '*/30 * * * *',
  '30 2 * * *',
  '0 0 1,15 * *',
  '15,45 */2 * * 1-5',
  '0 0 * * SUN',
);
const instant = (from: string, to: string) => fc.date({ min: new Date(from), max: new Date(to), noInvalidDate: true });
const start = instant('1995-01-01', '2019-12-31').map((date) => date.toISOString().slice(0, 13));

const timeScheme: fc.Arbitrary<TimeScheme> = fc
  .record({
    kind: fc.constantFrom('hourly', 'daily', 'weekly', 'monthly', 'cron'),
    cron,
    start,
    timeZone: zone,
    includeCurrent: fc.boolean(),
  })
  .map(({ kind, cron: expression, ...options }) =>
    kind === 'cron' ? Partitions.cron({ cron: expression, ...options }) : Partitions[kind](options),
  );

/** Any text, of characters that separate, escape or break more often than by chance. */
const anyText = fc.string({
  unit: fc.oneof(fc.constantFrom('|', '\\', '\0', '\ud800', 'é', ''), fc.string({ unit: 'binary', maxLength: 3 })),
});

describe('encoded dimensions', () => {
  it('decode to what they were, whatever it was', () => {
    fc.assert(
      fc.property(fc.array(anyText, { minLength: 1, maxLength: 5 }), (parts) => {
        expect(decodeDimensions(encodeDimensions(parts), parts.length)).toEqual(parts);
      }),
      { numRuns: 2000 },
    );
  });

  it('are different for different parts', () => {
    const pair = fc.integer({ min: 1, max: 3 }).chain((length) => {
      const parts = fc.array(fc.string({ unit: fc.constantFrom('|', '\\', 'a'), maxLength: 4 }), {
        minLength: length,
        maxLength: length,
      });
      return fc.tuple(parts, parts);
    });
    fc.assert(
      fc.property(pair, ([left, right]) => {
        expect(encodeDimensions(left) === encodeDimensions(right)).toBe(JSON.stringify(left) === JSON.stringify(right));
      }),
      { numRuns: 5000 },
    );
  });

  it('are the only text that decodes', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('|', '\\', 'a') }),
        fc.integer({ min: 1, max: 4 }),
        (text, count) => {
          const parts = decodeDimensions(text, count);
          expect(parts === undefined || encodeDimensions(parts) === text).toBe(true);
        },
      ),
      { numRuns: 5000 },
    );
  });
});

describe('time keys', () => {
  it('name one window each, in order, without gap, and are what their instants are taken to', () => {
    fc.assert(
      fc.property(timeScheme, fc.nat(), fc.integer({ min: 0, max: 500 }), (scheme, pick, days) => {
        const now = new Date(Date.parse(`${scheme.start}:00:00Z`) + 400 * 86_400_000 + days * 3_600_000);
        const set = resolvePartitions(scheme, at(now));
        if (set.size < 2) return;
        const ordinal = pick % (set.size - 1);
        const [key, window, next] = [set.keyAt(ordinal), set.windowAt(ordinal)!, set.windowAt(ordinal + 1)!];
        expect(set.ordinalOf(key)).toBe(ordinal);
        expect(set.keyAt(ordinal + 1)).not.toBe(key);
        expect(window.start.getTime()).toBeLessThan(window.end.getTime());
        expect(next.start).toEqual(window.end);
        expect(canonicalKey(scheme, key)).toBe(key);
        expect(canonicalKey(scheme, window.start)).toBe(key);
        expect(canonicalKey(scheme, new Date(window.end.getTime() - 1))).toBe(key);
        expect(scheme.includeCurrent || set.windowAt(set.size - 1)!.end <= now).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('begin when the clock of the zone first shows their time', () => {
    fc.assert(
      fc.property(timeScheme, fc.nat(), (scheme, pick) => {
        const set = resolvePartitions(scheme, at(new Date(Date.parse(`${scheme.start}:00:00Z`) + 800 * 86_400_000)));
        if (set.size === 0) return;
        const ordinal = pick % set.size;
        const begin = DateTime.fromJSDate(set.windowAt(ordinal)!.start, { zone: scheme.timeZone });
        const shown = begin.toFormat("yyyy-MM-dd'T'HH:mm");
        const key = set.keyAt(ordinal).replace(/[+-]\d\d:\d\d$/, '');
        const named = `${key}${'0000-01-01T00:00'.slice(key.length)}`;
        // Later than named only where the clock skipped that time: a moment before, it showed less.
        const before = begin.minus(1).toFormat("yyyy-MM-dd'T'HH:mm");
        expect(shown === named || (shown > named && before < named)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});

const ended = { start: '2018-11-01', end: '2019-03-01' };
const leaf: fc.Arbitrary<SingleScheme> = fc.oneof(
  fc
    .record({
      kind: fc.constantFrom('hourly', 'daily', 'weekly', 'monthly'),
      start: fc.constantFrom('2018-11-01', '2018-12-15', '2019-02-10'),
      end: fc.constantFrom(undefined, '2018-12-20', '2019-03-01'),
      timeZone: fc.constantFrom('UTC', 'America/Sao_Paulo'),
    })
    .filter(({ start: begin, end }) => end === undefined || begin < end)
    .map(({ kind, ...options }) => Partitions[kind](options)),
  fc.constantFrom(Partitions.static(['a', 'b', 'c']), Partitions.static(['c', 'a']), Partitions.static([])),
  fc.constantFrom(Partitions.dynamic('tenants'), Partitions.dynamic('empty')),
);
const product = fc
  .uniqueArray(fc.constantFrom('x', 'y', 'z'), { minLength: 1, maxLength: 2 })
  .chain((names) => fc.record(Object.fromEntries(names.map((name) => [name, leaf]))))
  .map((dimensions) => Partitions.multi({ ...dimensions }));
const scheme: fc.Arbitrary<PartitionScheme | undefined> = fc.oneof(
  fc.constant(undefined),
  leaf,
  product,
  fc.constantFrom(
    Partitions.multi({ x: Partitions.daily(ended), y: Partitions.static(['a', 'b', 'c']) }),
    Partitions.multi({ y: Partitions.static(['a', 'b', 'c']), x: Partitions.daily(ended) }),
  ),
);

const offsets = fc
  .tuple(fc.integer({ min: -4, max: 3 }), fc.nat({ max: 3 }))
  .map(([begin, length]) => ({ start: begin, end: begin + length }));
const rule = fc.oneof(
  fc.constantFrom(
    mapping.same(),
    mapping.all(),
    mapping.within(),
    mapping.latest(),
    mapping.keys(['a']),
    mapping.same('x'),
  ),
  offsets.map((window) => mapping.window(window)),
);
const spec: fc.Arbitrary<MappingSpec> = fc
  .tuple(
    fc.oneof<fc.Arbitrary<MappingSpec>[]>(
      fc.constantFrom<MappingSpec>({ kind: 'same' }, { kind: 'all' }, { kind: 'within' }, { kind: 'latest' }),
      offsets.map((window) => ({ kind: 'window', ...window })),
      fc.integer({ min: 1, max: 4 }).map((back) => ({ kind: 'previous', start: -back, end: -1 })),
      fc.constantFrom<MappingSpec>({ kind: 'keys', keys: ['a', 'c'] }, { kind: 'keys', keys: ['2018-12-01'] }),
      fc
        .dictionary(fc.constantFrom('x', 'y', 'z'), rule)
        .map((rules) => ({ kind: 'mapped', mapping: mapping.dimensions({ ...rules }) })),
      rule.map((each) => ({ kind: 'mapped', mapping: mapping.dimension('x', each) })),
      fc.constant<MappingSpec>({
        kind: 'mapped',
        mapping: mapping.many({
          upstream: (key) => [key.slice(0, 7), key.slice(0, 10)].filter((each) => each.length === 10),
        }),
      }),
    ),
    fc.boolean(),
  )
  .map(([each, allowMissing]) => ({ ...each, allowMissing }));

function ordinals(ask: (visit: (from: number, to: number) => void) => void, set: PartitionSet): number[] {
  const found: number[] = [];
  ask((from, to) => {
    expect(from < to && from >= 0 && to <= set.size).toBe(true);
    for (let ordinal = from; ordinal < to; ordinal++) found.push(ordinal);
  });
  expect(new Set(found).size).toBe(found.length);
  return found;
}

describe('a mapping that fits its schemes', () => {
  it('and its inverse agree, stay within the sets, and one is at most one', () => {
    let fitted = 0;
    fc.assert(
      fc.property(
        spec,
        scheme,
        scheme,
        fc.array(fc.nat(), { minLength: 8, maxLength: 8 }),
        (each, down, other, picks) => {
          const up = each.kind === 'previous' ? down : other;
          if (mappingProblem(each, down, up) !== undefined) return;
          // Functions that users wrote may name what is no key; that is theirs to answer for.
          if (
            each.kind === 'mapped' &&
            each.mapping.kind === 'function' &&
            (up?.kind !== 'daily' || down?.kind === undefined || !['hourly', 'daily', 'weekly'].includes(down.kind))
          )
            return;
          fitted++;
          const moment = at(new Date('2019-02-25T12:00:00Z'));
          const downSet = resolvePartitions(down, moment);
          const upSet = resolvePartitions(up, moment);
          const resolved = resolveMapping(each, { scheme: down, set: downSet }, { scheme: up, set: upSet });
          for (const pick of downSet.size > 0 ? picks : []) {
            const ordinal = pick % downSet.size;
            const found = ordinals((visit) => resolved.upstreamOf(ordinal, visit), upSet);
            if (resolved.cardinality === 'one') expect(found.length).toBeLessThanOrEqual(1);
            const isComplete = resolved.missingOf(ordinal).length === 0;
            if (resolved.cardinality === 'one' && isComplete && !each.allowMissing) expect(found).toHaveLength(1);
            for (const upstream of found.length > 4 ? [found[0]!, found[found.length - 1]!] : found) {
              expect(ordinals((visit) => resolved.downstreamOf(upstream, visit), downSet)).toContain(ordinal);
            }
          }
          for (const pick of upSet.size > 0 ? picks : []) {
            const ordinal = pick % upSet.size;
            const found = ordinals((visit) => resolved.downstreamOf(ordinal, visit), downSet);
            for (const downstream of found.length > 4 ? [found[0]!, found[found.length - 1]!] : found) {
              expect(ordinals((visit) => resolved.upstreamOf(downstream, visit), upSet)).toContain(ordinal);
            }
          }
        },
      ),
      { numRuns: 1500 },
    );
    // Most random pairs do not fit; enough have to.
    expect(fitted).toBeGreaterThan(150);
  });
});
