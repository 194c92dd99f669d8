// When two ways to tell the rows of partitions apart are one.
import { describe, expect, it } from '@jest/globals';
import { tableLayout } from '../../../lib/io/managers/postgres/table.layout.js';
import { readDeclaration, usualPartitionType } from '../../../lib/io/managers/postgres/table.declaration.js';
import { Partitions, type PartitionScheme } from '../../../lib/partitions/partitions.js';

const start = '2001-01-01';
const keys = Partitions.static(['a']);

function layoutOf(scheme?: PartitionScheme, options: object = {}): string {
  const { declaration, problems } = readDeclaration({ table: 't', ...options }, scheme, 'flowstone');
  expect(problems).toEqual([]);
  return tableLayout(declaration!.partitions.map((each) => ({ ...each, type: each.type ?? usualPartitionType(each) })));
}

describe('the layout of a table', () => {
  it.each<[string, PartitionScheme | undefined, object]>([
    ['', undefined, {}],
    ['day (date) daily', Partitions.daily({ start }), { partitionColumn: 'day' }],
    ['partition (date) weekly', Partitions.weekly({ start }), {}],
    [
      'partition (text) monthly',
      Partitions.monthly({ start }),
      { partitionColumn: { name: 'partition', type: 'text' } },
    ],
    ['partition (timestamp with time zone) hourly in UTC', Partitions.hourly({ start }), {}],
    [
      'partition (timestamp with time zone) cron 0 5 * * * in Asia/Tokyo',
      Partitions.cron({ cron: ' 0  5 * * *', start, timeZone: 'Asia/Tokyo' }),
      {},
    ],
    ['partition (text) by key', keys, {}],
    [
      '[day (date) daily] [place (text) by key]',
      Partitions.multi({ day: Partitions.daily({ start }), place: keys }),
      {},
    ],
    ['[day (date) daily]', Partitions.multi({ day: Partitions.daily({ start }) }), {}],
  ])('is %j', (layout, scheme, options) => {
    expect(layoutOf(scheme, options)).toBe(layout);
  });

  it.each<[string, [PartitionScheme, object?], [PartitionScheme, object?]]>([
    [
      'other bounds',
      [Partitions.daily({ start })],
      [Partitions.daily({ start: '2002', end: '2003', includeCurrent: true })],
    ],
    ['days of another zone', [Partitions.daily({ start })], [Partitions.daily({ start, timeZone: 'Asia/Tokyo' })]],
    ['other keys', [keys], [Partitions.dynamic('keys')]],
    ['computed keys', [keys], [Partitions.custom(() => [])]],
    ['a wider integer', [keys, typed('integer')], [keys, typed('bigint')]],
    ['text by its other name', [keys, typed('text')], [keys, typed('varchar')]],
    [
      'other names of parts',
      [Partitions.multi({ a: keys, b: keys })],
      [Partitions.multi({ c: keys, d: keys }), { partitionColumns: { c: 'a', d: 'b' } }],
    ],
  ])('is the same with %s', (_, one, other) => {
    expect(layoutOf(...other)).toBe(layoutOf(...one));
  });
});

function typed(type: string): object {
  return { partitionColumn: { name: 'partition', type } };
}
