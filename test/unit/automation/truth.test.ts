// Conditions of automation: when they hold, how they read, and what is wrong with them.
import { describe, expect, it } from '@jest/globals';
import {
  allUpstreams,
  and,
  anyUpstream,
  conditionProblem,
  during,
  eager,
  never,
  newest,
  not,
  olderThan,
  onCron,
  onMissing,
  or,
  status,
  type Condition,
} from '../../../lib/assets/condition.js';
import { automationDefinition, automationProblem } from '../../../lib/assets/automation.options.js';
import {
  clocksAt,
  describeCondition,
  explainTruth,
  holds,
  type Subject,
} from '../../../lib/automation/conditions/truth.js';

const subject = (fields: Partial<Subject> = {}): Subject => ({
  state: 'stale',
  failed: false,
  checked: false,
  age: 1000,
  upstreams: () => [],
  isDue: () => false,
  isNewest: () => false,
  ...fields,
});
const at = (time: string) => clocksAt(new Date(time));
const NOON = at('2024-03-06T12:00:00Z');
const is = (condition: Condition, fields: Partial<Subject> = {}, clocks = NOON) =>
  holds(condition, subject(fields), clocks);

describe('a condition', () => {
  it.each<[string, Condition, Partial<Subject>, boolean]>([
    ['eager: missing', eager(), { state: 'missing' }, true],
    ['eager: stale', eager(), { state: 'stale' }, true],
    ['eager: fresh', eager(), { state: 'fresh' }, false],
    ['onMissing: stale', onMissing(), { state: 'stale' }, false],
    ['onMissing: missing', onMissing(), { state: 'missing' }, true],
    ['never', never(), { state: 'missing' }, false],
    ['failed', status('failed'), { failed: true }, true],
    ['checked', status('checked'), { checked: true }, true],
    ['not checked', status('checked'), {}, false],
    ['not failed', not(status('failed')), { failed: true }, false],
    ['and', and(status('stale'), newest(1)), {}, false],
    ['or', or(status('fresh'), status('stale')), {}, true],
    ['onCron without a tick', onCron('0 6 * * *'), {}, false],
    ['onCron with one', onCron('0 6 * * *'), { isDue: () => true }, true],
    ['onCron of what is fresh', onCron('0 6 * * *'), { isDue: () => true, state: 'fresh' }, false],
    ['older', olderThan('1s'), { age: 1001 }, true],
    ['not older yet', olderThan('1s'), { age: 1000 }, false],
    ['without a value: older than anything', olderThan('9d'), { age: undefined }, true],
  ])('%s', (_name, condition, fields, expected) => expect(is(condition, fields)).toBe(expected));

  it('asks about upstreams: any, all, some by alias, and none at all', () => {
    const upstreams = () =>
      [
        { alias: 'a', state: 'fresh', failed: false, checked: true },
        { alias: 'b', state: 'stale', failed: true, checked: false },
      ] as const;
    expect(is(anyUpstream('stale'), { upstreams })).toBe(true);
    expect(is(allUpstreams('fresh'), { upstreams })).toBe(false);
    expect(is(allUpstreams('fresh', 'a'), { upstreams })).toBe(true);
    expect(is(anyUpstream('failed', 'a'), { upstreams })).toBe(false);
    expect(is(anyUpstream('failed'), { upstreams })).toBe(true);
    expect(is(allUpstreams('checked', 'a'), { upstreams })).toBe(true);
    expect(is(allUpstreams('checked'), { upstreams })).toBe(false);
    expect(is(anyUpstream('fresh'))).toBe(false);
    expect(is(allUpstreams('fresh'))).toBe(false);
  });

  it('holds during a time of day, over midnight too, on days on which it begins', () => {
    const night = during('22:00', '06:00', { days: ['fri'], timeZone: 'Europe/Berlin' });
    expect(is(night, {}, at('2024-03-08T21:00:00Z'))).toBe(true); // Friday, 22:00
    expect(is(night, {}, at('2024-03-08T20:59:00Z'))).toBe(false);
    expect(is(night, {}, at('2024-03-09T04:59:00Z'))).toBe(true); // Saturday, 05:59
    expect(is(night, {}, at('2024-03-09T05:00:00Z'))).toBe(false);
    expect(is(night, {}, at('2024-03-08T04:00:00Z'))).toBe(false); // Friday, 05:00: of Thursday
    const office = during('09:00', '24:00');
    expect(is(office, {}, at('2024-03-06T09:00:00Z'))).toBe(true);
    expect(is(office, {}, at('2024-03-06T23:59:00Z'))).toBe(true);
    expect(is(office, {}, at('2024-03-06T08:59:00Z'))).toBe(false);
  });

  it('tells what is by age alone', () => {
    const condition = or(olderThan('1s'), status('missing'));
    const old = subject({ state: 'fresh', age: 5000 });
    expect(holds(condition, old, NOON)).toBe(true);
    expect(holds(condition, old, NOON, true)).toBe(false);
    expect(holds(condition, subject({ state: 'missing', age: undefined }), NOON, true)).toBe(true);
  });

  it('reads as a sentence, with brackets where they are needed', () => {
    expect(
      describeCondition(and(onCron('0 6 * * *', { timeZone: 'Europe/Berlin' }), not(anyUpstream('failed', 'a', 'b')))),
    ).toBe(
      "a tick of '0 6 * * *' (Europe/Berlin) is due and (it is missing or it is stale) and not (an upstream of a, b failed at the last try)",
    );
    expect(describeCondition(or(olderThan('90m'), newest(3), newest(1), allUpstreams('fresh')))).toBe(
      'its value is older than 90m or it is one of the newest 3 partitions or it is the newest partition or each upstream is fresh',
    );
    expect(describeCondition(during('22:00', '06:05', { days: ['sat', 'sun'] }))).toBe(
      'it is between 22:00 and 06:05 on sat, sun (UTC)',
    );
    expect(describeCondition(never())).toBe('never');
  });

  it('is explained part by part', () => {
    expect(explainTruth(or(and(status('stale'), newest(1)), not(never())), subject(), NOON)).toEqual({
      holds: true,
      message: '(it is stale and it is the newest partition) or not (never)',
      parts: [
        {
          holds: false,
          message: 'it is stale and it is the newest partition',
          parts: [
            { holds: true, message: 'it is stale', parts: [] },
            { holds: false, message: 'it is the newest partition', parts: [] },
          ],
        },
        { holds: true, message: 'not (never)', parts: [{ holds: false, message: 'never', parts: [] }] },
      ],
    });
  });
});

describe('what is wrong with an automation', () => {
  const problem = (given: unknown, aliases: readonly string[] = ['a']) => automationProblem(given, aliases);

  it.each<[string, unknown, string]>([
    ['no condition', 'eager', "'eager' is no condition: use eager(), onCron(...), onMissing() and the like"],
    [
      'an unknown kind',
      { kind: 'soon' },
      'an object that does not fit is no condition: use eager(), onCron(...), onMissing() and the like',
    ],
    ['an empty and', and(), 'and() needs at least one condition'],
    ['a status', and(status('old' as never)), "'old' is no status: missing, stale, fresh, failed, checked are"],
    ['an alias', anyUpstream('stale', 'b'), "it consumes nothing as 'b': its dependencies are a"],
    [
      'a zone',
      onCron('0 6 * * *', { timeZone: 'Mars' }),
      "timeZone 'Mars' is no IANA time zone; write one such as 'Europe/Berlin' or 'UTC'",
    ],
    ['a tick that is not', not(onCron('0 6 * * *')), 'not() around a tick never ends: leave the cron out of not()'],
    ['a time of day', during('25:00', '26:00'), "during() needs two times of day such as '22:00'"],
    ['no time at all', during('06:00', '06:00'), 'during() ends when it begins: leave it out, or name another time'],
    [
      'days',
      during('06:00', '07:00', { days: ['monday' as never] }),
      'during() takes days out of mon, tue, wed, thu, fri, sat, sun',
    ],
    ['a count', newest(0), 'newest() needs a whole number from 1 to 1000000'],
    ['no age', olderThan(0), 'olderThan() needs a duration of more than 0'],
    [
      'an option',
      { when: eager(), retry: '1h' },
      "automation has no option 'retry': it has when, retryAfter, debounce, throttle, concurrency, key, priority",
    ],
    [
      'a duration',
      { when: eager(), debounce: { quiet: 'soon' } },
      'automation.debounce is an object that does not fit',
    ],
    [
      'a key of nothing',
      { when: eager(), key: 'tenant' },
      'automation.key is the key of nothing: add debounce, throttle or concurrency',
    ],
    ['no when', { debounce: '1s' }, 'undefined is no condition'],
  ])('names %s', (_name, given, expected) => expect(problem(given)).toContain(expected));

  it('names a cron expression that is none, and says what one is', () => {
    expect(problem(onCron('every day'))).toMatch(/^cron 'every day' cannot be used: .*; write five fields/);
  });

  it('is nothing for what is right', () => {
    expect(problem(and(onCron('*/5 * * * * *'), allUpstreams('fresh', 'a')))).toBeUndefined();
    expect(
      problem({
        when: eager(),
        retryAfter: '1h',
        debounce: { quiet: '5s', atMost: '1m' },
        throttle: '1m',
        concurrency: 2,
        key: 'tenant',
      }),
    ).toBeUndefined();
    expect(conditionProblem(anyUpstream('stale'), [])).toBe('it asks about upstreams and consumes nothing');
  });

  it('is defined with times in ms', () => {
    expect(automationDefinition(eager())).toEqual({ when: eager(), priority: 0 });
    expect(
      automationDefinition({ when: never(), retryAfter: '1h', debounce: '5s', throttle: '1m', priority: 3 }),
    ).toEqual({
      when: { kind: 'never' },
      retryAfter: 3_600_000,
      debounce: { quiet: 5000, atMost: null },
      throttle: 60_000,
      priority: 3,
    });
  });
});
